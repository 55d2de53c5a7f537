"""The history checker: it takes the true history of a real tier, and no forged one."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from audit_model import BESIDE, REFUSED, AuditModel
from chaos import checker
from chaos.credentials import embedded
from chaos.forgeries import FORGERIES, vanished
from chaos.load import KINDS
from chaos.scenario import Place
from chaos.violation import DOUBLE, LOST
from chaos.world import World
from guardtier.errors import GuardTimeout
from guardtier.store import scripts as store_scripts

HERE = Path(checker.__file__).parent
PARTS = ("checker", "order", "orders", "recorded", "seals", "told", "../audit_model")
RULES = [HERE / f"{name}.py" for name in PARTS]
#: How they name what is broken: a violation's first argument, or a word with a hyphen.
KIND = r'(?<=Violation\()"([a-z]+)"|"([a-z]+(?:-[a-z]+)+)"'


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """What a real tier wrote, and what 16 agents and two approvers saw of it."""
    return asyncio.run(_lived(tmp_path_factory.mktemp("chaos")))


async def _lived(folder: Path) -> World:
    with embedded(appendfsync="no") as server:
        async with Place(server.url, folder) as place:
            await place.workers()
            async with place.load(agents=16, rate=0) as load:
                await load.done(actions=150)
            await place.idle()
            return World(await place.written(), load.history)


def test_a_true_history_is_accepted(world: World) -> None:
    report = world.check()

    assert str(report) == str(checker.Report(report.actions))
    assert report.actions >= 150


def test_the_true_history_holds_every_way_that_an_action_can_take(world: World) -> None:
    events = {line["event"] for line in world.lines}

    assert {call.kind for call in world.history} == {kind.name for kind in KINDS}
    assert events >= {"released", "parked", "answered", "approved", "redeemed", "rejected", "expired"}
    assert events >= {"edited", "extended"}


def test_no_event_that_a_script_writes_is_unknown(world: World) -> None:
    scripts = "".join(file.read_text() for file in Path(store_scripts.__file__).parent.glob("*.lua"))
    written = set(re.findall(r"\baudit\([^',]+, [^',]+, '(\w+)'", scripts))
    written |= {"answer_refused", "given_up", "granted", "refused"}  # by those that are told what to write
    beside = {event for event in written if event in BESIDE or event.endswith(REFUSED)}
    copy = world.copy()
    for event in sorted(beside - {"halted", "resumed"}):
        copy.add({}, id="web", event=event, fleet="web")

    assert written - beside <= AuditModel().known
    assert {"turned_away", "given_up", "blocked"} <= beside
    assert copy.chained().check().ok


@pytest.mark.parametrize("forged", FORGERIES)
def test_a_forged_history_is_rejected_by_its_name(world: World, forged: str) -> None:
    copy = world.copy()
    FORGERIES[forged](copy)

    assert forged.partition(":")[0] in copy.check().kinds


def test_no_rule_is_without_a_forgery() -> None:
    rules = LOST | DOUBLE | {kind for file in RULES for kind in _kinds(file)}

    assert rules - {forged.partition(":")[0] for forged in FORGERIES} == {"error-seen"}


def _kinds(file: Path) -> set[str]:
    return {one or other for one, other in re.findall(KIND, file.read_text())}


def test_what_a_lossy_tier_forgot_is_gone_not_lost(world: World) -> None:
    copy = world.copy()
    vanished(copy)

    report = copy.check(lossy=True)

    assert (report.ok, {gone.kind for gone in report.gone}) == (
        True,
        {"record-missing", "told-not-recorded"},
    )


def test_an_error_is_seen_where_none_may_be(world: World) -> None:
    copy = world.copy()
    copy.history.begin("check", "bot", copy.of("low"), "").failed(GuardTimeout("late"))

    assert "error-seen" in copy.check(silent=True).kinds
    assert "error-seen" not in copy.check().kinds


def test_what_a_revoked_key_had_signed_is_rightly_refused(world: World) -> None:
    copy = world.copy()
    FORGERIES["verdict-refused: by a key that counts"](copy)
    copy.history.revoke("0" * 16)
    approved = copy.call("approve")  # redeemed, and not believed
    approved.verdict, approved.error, approved.limit, approved.ran = None, "unknown_key", "0" * 16, False

    assert copy.check(may_fail=frozenset({"unknown_key"})).ok


def test_what_a_worker_with_a_wrong_clock_signed_is_rightly_refused(world: World) -> None:
    copy = world.copy()
    copy.recorded("low", decided_at=1)
    FORGERIES["verdict-refused: in time"](copy)

    kinds = copy.check(may_fail=frozenset({"stale_verdict"})).kinds

    assert kinds == {"another-seal": 1}, "the test's own forgery"


def test_what_an_older_worker_wrote_may_lack_what_it_did_not_know(world: World) -> None:
    copy = world.copy()
    FORGERIES["unsealed"](copy)

    report = copy.check(may_lack=frozenset({"unsealed"}))

    assert (report.ok, {gone.kind for gone in report.gone}) == (True, {"unsealed"})


def test_an_error_that_may_end_an_action_does(world: World) -> None:
    copy = world.copy()
    call = copy.call("low")
    call.verdict, call.error, call.ran = None, "unknown_action", False

    assert copy.check().lost == 1
    assert copy.check(may_fail=frozenset({"unknown_action"})).ok
