"""Policies on the console: set and reset, by those who may, under what they have seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.policies import FAILING, PARKS_ALL, TESTED, admin, set_file
from consoles import Desk, StartConsole
from guardtier.store.keys import Keys
from tier import StartTier, high


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
