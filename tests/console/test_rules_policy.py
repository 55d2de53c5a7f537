"""Policies on the console: read, checked, set and reset; by those who may, under what they have seen."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from consoles import Desk, StartConsole
from guardtier.settings import Settings
from guardtier.store.keys import Keys
from guardtier_workers.approvers import Right
from guardtier_workers.cli.state import OPERATES
from guardtier_workers.console.rules import child, examiner
from tier import StartTier, high

PARKS_ALL = 'version = 1\n[[rule]]\nname = "all"\noutcome = "park"\n'
TESTED = """\
version = 1

[[rule]]
name = "no-refunds"
outcome = "reject"
fleet = "web"
tool = "refund"
reason = "Ask finance."

[fleet.web]
policy = { kind = "never_confirm" }

[[test]]
name = "a refund is refused"
action = { fleet = "web", tool_name = "refund" }
expect = "reject"
"""
FAILING = TESTED.replace('expect = "reject"', 'expect = "park"')


async def admin(console: Desk, name: str = "olga", fleets: list[str] | None = None) -> httpx.AsyncClient:
    return await console.browser(name, fleets, OPERATES)


async def set_file(who: httpx.AsyncClient, text: str, **more: Any) -> httpx.Response:
    return await who.put("/api/v1/policy-file", json={"text": text, **more})


async def test_a_fleets_policy_is_set_and_reset(console: Desk) -> None:
    olga = await admin(console)

    before = (await olga.get("/api/v1/policies/web")).json()
    put = await olga.put("/api/v1/policies/web", json={"policy": {"kind": "always_confirm"}})
    back = await olga.delete("/api/v1/policies/web")

    assert (before["source"], before["policy"]["kind"]) == ("settings", "confirm_risky")
    assert put.status_code == 200
    assert (put.json()["source"], put.json()["version"]) == ("run time", "always_confirm@1")
    assert put.json()["words"] == "every action waits"
    assert put.json()["where_from"].startswith("set at run time by olga on ")
    assert (back.json()["source"], back.json()["policy"]["kind"]) == ("settings", "confirm_risky")


async def test_who_may_answer_sets_no_policy(console: Desk) -> None:
    alice = await console.browser("alice")

    answers = [
        await alice.put("/api/v1/policies/web", json={"policy": {"kind": "never_confirm"}}),
        await alice.delete("/api/v1/policies/web"),
        await set_file(alice, PARKS_ALL),
        await alice.delete("/api/v1/policy-file"),
        await alice.post("/api/v1/policy-file/check", json={"text": PARKS_ALL}),
    ]

    assert [answer.status_code for answer in answers] == [403] * 5
    assert (await alice.get("/api/v1/policies/web")).json()["source"] == "settings"


async def test_one_fleets_admin_sets_that_fleets_policy_and_no_file(console: Desk) -> None:
    olga = await admin(console, fleets=["web"])

    own = await olga.put("/api/v1/policies/web", json={"policy": {"kind": "always_confirm"}})
    file = await set_file(olga, PARKS_ALL)

    assert (own.status_code, file.status_code) == (200, 403)


async def test_another_fleets_policy_is_as_one_that_is_not_there(
    start_tier: StartTier, start_console: StartConsole
) -> None:
    tier = await start_tier(fleets={"web": {}, "mail": {}})
    console = await start_console(tier)
    olga = await admin(console, fleets=["web"])

    for ask in (
        olga.get,
        olga.delete,
        lambda path: olga.put(path, json={"policy": {"kind": "never_confirm"}}),
    ):
        theirs, nobodys = await ask("/api/v1/policies/mail"), await ask("/api/v1/policies/nothere")
        assert theirs.status_code == nobodys.status_code == 404
        assert theirs.json()["message"].replace("mail", "nothere") == nobodys.json()["message"]
    listed = (await olga.get("/api/v1/policies")).json()["fleets"]
    assert [one["fleet"] for one in listed] == ["web"]


async def test_a_policy_file_is_set_and_counts_for_the_next_action(console: Desk) -> None:
    olga = await admin(console)

    put = await set_file(olga, TESTED, replaces=None)
    verdict = await console.tier.client().check(high(tool_name="refund"))

    assert put.status_code == 200, put.text
    assert (put.json()["version"], put.json()["source"], put.json()["rules"]) == ("file@1", "run time", 1)
    assert verdict.reason == "Ask finance."
    shown = (await olga.get("/api/v1/policy-file")).json()
    assert (shown["text"], shown["tests"]) == (TESTED, 1)
    fleet = (await olga.get("/api/v1/policies/web")).json()
    assert (fleet["source"], fleet["version"]) == ("policy file", "never_confirm, file@1")
    back = await olga.delete("/api/v1/policy-file", params={"replaces": shown["set_digest"]})
    assert (back.json()["source"], back.json()["text"]) == ("none", "")


async def test_a_file_is_not_set_over_one_that_its_author_has_not_seen(console: Desk) -> None:
    olga, omar = await admin(console), await admin(console, "omar")
    seen = (await olga.get("/api/v1/policy-file")).json()["set_digest"]
    await set_file(omar, PARKS_ALL)

    late = await set_file(olga, TESTED, replaces=seen)
    reset = await olga.delete("/api/v1/policy-file", params={"replaces": "none"})

    assert (late.status_code, late.json()["field"]) == (409, "replaces")
    assert "omar has set file@1" in late.json()["message"]
    assert reset.status_code == 409
    assert (await olga.get("/api/v1/policy-file")).json()["text"] == PARKS_ALL


async def test_a_fleets_policy_is_not_set_over_one_that_its_author_has_not_seen(console: Desk) -> None:
    olga, omar = await admin(console), await admin(console, "omar")
    path, loose = "/api/v1/policies/web", {"policy": {"kind": "never_confirm"}}
    seen = (await olga.get(path)).json()["set_digest"]
    theirs = await omar.put(path, json={"policy": {"kind": "always_confirm"}, "replaces": seen})

    late = await olga.put(path, json=loose | {"replaces": seen})
    reset = await olga.delete(path, params={"replaces": "none"})
    stands = (await olga.get(path)).json()
    mine = await olga.put(path, json=loose | {"replaces": stands["set_digest"]})
    whatever = await omar.delete(path)

    assert (seen, theirs.status_code, reset.status_code) == (None, 200, 409)
    assert (late.status_code, late.json()["field"]) == (409, "replaces")
    assert "another policy of web stands by now (omar has set always_confirm@1)" in late.json()["message"]
    assert (stands["version"], mine.json()["version"]) == ("always_confirm@1", "never_confirm@2")
    assert (whatever.json()["source"], whatever.json()["set_digest"]) == ("settings", None)


async def test_a_check_tells_tests_advice_and_what_would_change(console: Desk) -> None:
    olga = await admin(console)
    await set_file(olga, PARKS_ALL)

    found = (await olga.post("/api/v1/policy-file/check", json={"text": FAILING})).json()

    assert (found["ok"], found["wrong"], found["rules"]) == (False, None, 1)
    assert [(one["name"], one["passed"], one["wrong"]) for one in found["tests"]] == [
        ("a refund is refused", False, "expected park, got reject by no-refunds")
    ]
    assert found["difference"]["added"] == ["no-refunds"]
    assert found["difference"]["removed"] == ["all"]
    assert '-name = "all"' in found["difference"]["lines"]
    assert (await olga.get("/api/v1/policy-file")).json()["text"] == PARKS_ALL


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("version = 1\n[[rule]\n", 2, "no TOML"),
        (
            'version = 1\n\n[[rule]]\nname = "a.b"\noutcome = "park"\ntoool = "x"\n',
            6,
            "did you mean 'tool'",
        ),
        ('version = 1\n[fleet.web]\nmode = "off"\n', 3, "mode"),
        ('version = 1\n[[rule]]\nname = "a"\noutcome = "park"\nwhen = "nothing.here"\n', 5, "'a'"),
        ('version = 1\n[[rule]]\nname = "x"\noutcome = "park"\n[[rule]]\n', 5, "name is missing"),
        ("version = 2\n", 1, "version"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, line: int, says: str) -> None:
    found = child.examined(child.Task.under(Settings.load(), text))

    assert found.wrong is not None
    assert found.wrong.line == line
    assert says in found.wrong.message


async def test_a_file_that_is_wrong_is_not_set(console: Desk) -> None:
    olga = await admin(console)
    wrong = PARKS_ALL + 'toool = "x"\n'

    checked = (await olga.post("/api/v1/policy-file/check", json={"text": wrong})).json()
    put = await set_file(olga, wrong)

    assert (checked["ok"], checked["wrong"]["field"]) == (False, "rule.all.toool")
    assert (put.status_code, put.json()["field"]) == (422, "rule.all.toool")
    assert put.json()["message"].startswith("line 5: rule 'all': there is no key 'toool'")


async def test_a_file_of_which_a_test_fails_is_not_set(console: Desk) -> None:
    olga = await admin(console)

    answer = await set_file(olga, FAILING)

    assert (answer.status_code, answer.json()["field"]) == (422, "test")
    assert (await olga.get("/api/v1/policy-file")).json()["source"] == "none"


async def test_a_text_that_takes_too_long_stalls_nothing(
    console: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examiner, "SECONDS", 0.001)
    olga = await admin(console)

    answer = await olga.post("/api/v1/policy-file/check", json={"text": PARKS_ALL})

    assert (answer.status_code, answer.json()["field"]) == (422, "text")


async def test_who_sees_one_fleet_is_told_no_other_fleets_rules(
    start_tier: StartTier, start_console: StartConsole
) -> None:
    tier = await start_tier(fleets={"web": {}, "mail": {}})
    console = await start_console(tier)
    text = (
        PARKS_ALL.replace('"all"', '"theirs"') + 'fleet = "mail"\n'
        '[[rule]]\nname = "both"\noutcome = "park"\nfleet = ["web", "mail"]\n'
        "when = 'fleet == \"mail\"'\n"
    )
    assert (await set_file(await admin(console), text)).status_code == 200
    alice = await console.program("alice", ["web"])

    file = (await alice.get("/api/v1/policy-file")).json()
    rules = (await alice.get("/api/v1/policy-file/rules")).json()

    assert (file["text"], file["rules"]) == (None, 1)
    assert rules["total"] == 1
    assert rules["rules"][0]["matches"] == ["in fleet web", "where a condition of the file holds"]
    assert "mail" not in str(rules) + str(file)
    theirs = await alice.get("/api/v1/policy-file/rules", params={"fleet": "mail"})
    assert theirs.status_code == 404


async def test_the_rules_about_one_fleet_are_told(console: Desk) -> None:
    olga = await admin(console)
    rule = '[[rule]]\nname = "{0}"\noutcome = "park"\nfleet = "{0}*"\n'
    await set_file(olga, PARKS_ALL + rule.format("we") + rule.format("mail"))

    found = (await olga.get("/api/v1/policy-file/rules", params={"fleet": "web"})).json()
    page = (await olga.get("/policy?of=web")).text

    assert [rule["name"] for rule in found["rules"]] == ["all", "we"]
    assert "of 2 that may decide in web" in page


async def test_the_settings_file_is_shown_until_one_is_set(
    start_tier: StartTier, start_console: StartConsole, tmp_path: Path
) -> None:
    own = tmp_path / "policy.toml"
    own.write_text(TESTED)
    console = await start_console(await start_tier(policy_file=own))
    olga = await admin(console)

    shown = (await olga.get("/api/v1/policy-file")).json()

    assert (shown["source"], shown["set_digest"], shown["text"]) == ("settings", None, TESTED)
    assert shown["version"].startswith("file:")


@pytest.mark.parametrize("broken", ["pointer", "text"])
async def test_what_can_not_be_read_is_said_and_set_anew(console: Desk, broken: str) -> None:
    olga, tier = await admin(console), console.tier
    digest = (await set_file(olga, TESTED)).json()["set_digest"]
    if broken == "pointer":
        await tier.redis.hset(Keys(0).policies, "*", "junk")
    else:
        await tier.redis.delete(Keys(0).policy_text(digest))

    file = (await olga.get("/api/v1/policy-file")).json()
    fleet = (await olga.get("/api/v1/policies/web")).json()
    page = (await olga.get("/policy")).text
    put = await set_file(olga, TESTED, replaces=file["set_digest"])

    assert (file["source"], file["text"]) == ("unreadable", "")
    assert (fleet["source"], fleet["policy"]["kind"]) == ("unreadable file", "always_confirm")
    assert "What was set can’t be read, so everything is parked" in page
    assert (put.status_code, put.json()["source"]) == (200, "run time")


async def test_partitions_that_disagree_are_told_apart(
    start_tier: StartTier, start_console: StartConsole
) -> None:
    tier = await start_tier(partitions=2)
    console = await start_console(tier)
    olga = await admin(console)
    await olga.put("/api/v1/policies/web", json={"policy": {"kind": "always_confirm"}})
    await tier.redis.hdel(Keys(1).policies, "web")

    fleet = (await olga.get("/api/v1/policies/web")).json()

    assert not fleet["agreed"]
    assert [part["source"] for part in fleet["partitions"]] == ["run time", "settings"]
    assert "set or reset it once more" in fleet["where_from"]


async def test_a_viewer_reads_rules_a_page_at_a_time(console: Desk) -> None:
    rules = "".join(f'[[rule]]\nname = "r{i}"\noutcome = "park"\ntool = "t{i}"\n' for i in range(7))
    await set_file(await admin(console), f"version = 1\n{rules}")
    vera = await console.program("vera", may=[Right.SEE])

    first = (await vera.get("/api/v1/policy-file/rules", params={"limit": 5})).json()
    rest = (
        await vera.get("/api/v1/policy-file/rules", params={"limit": 5, "after": first["after"]})
    ).json()

    assert [one["name"] for one in first["rules"] + rest["rules"]] == [f"r{i}" for i in range(7)]
    assert (first["total"], rest["after"]) == (7, None)


def test_the_process_that_reads_a_text_is_told_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARDTIER_REDIS_URL", "redis://:pass-one@127.0.0.1/0")
    settings = Settings.load(console={"redis_url": "redis://:pass-two@127.0.0.1/0"})

    task = child.Task.under(settings, PARKS_ALL, channels=())

    told = pickle.dumps(task).decode("latin-1") + str(examiner._environment())
    assert "pass-one" not in told
    assert "pass-two" not in told


async def test_a_text_that_wants_too_much_memory_ends_its_process_alone(
    console: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    hungry = (
        "from guardtier_workers.console.rules import child\n"
        "child.examined = lambda _: 'x' * 2**31\n"
        "child.main()\n"
    )
    monkeypatch.setattr(examiner, "COMMAND", (sys.executable, "-c", hungry))
    olga = await admin(console)

    answer = await olga.post("/api/v1/policy-file/check", json={"text": PARKS_ALL})

    assert (answer.status_code, answer.json()["field"]) == (422, "text")
    assert (await olga.get("/api/v1/policy-file")).status_code == 200


async def test_so_many_may_wait_for_a_check_and_no_more(
    console: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examiner, "WAITING", 0)
    olga = await admin(console)

    answer = await olga.post("/api/v1/policy-file/check", json={"text": PARKS_ALL})

    assert answer.status_code == 503
