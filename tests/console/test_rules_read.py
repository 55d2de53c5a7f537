"""Policies on the console: checked in a process of their own, and read by those who may see them."""

from __future__ import annotations

import pickle
import sys

import pytest

from console.policies import FAILING, PARKS_ALL, admin, set_file
from consoles import Desk, StartConsole
from guardtier.settings import Settings
from guardtier_workers.approvers import Right
from guardtier_workers.console.rules import child, examiner
from tier import StartTier


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
