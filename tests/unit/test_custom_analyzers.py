"""Analyzers of users that return None, raise, block, exit or fork: bounded time, a finding, HIGH."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

import strange
from guardtier import ActionEvent, Assessment, SecurityRisk
from guardtier.analyzers import EnsembleSecurityAnalyzer, SecurityAnalyzer
from guardtier.analyzers.calls import MAX_STUCK
from guardtier.analyzers.child import MAX_FORKS, Terms
from waiting import until

LOW, MEDIUM, HIGH, UNKNOWN = (SecurityRisk(name) for name in ("LOW", "MEDIUM", "HIGH", "UNKNOWN"))


def an_action(command: str = "ls") -> ActionEvent:
    return ActionEvent(fleet="web", agent="coder", tool_name="terminal", arguments={"command": command})


async def assessed(child: SecurityAnalyzer, command: str = "ls", **options: Any) -> Assessment:
    return await EnsembleSecurityAnalyzer([child], **options).assess(an_action(command))


def failure(assessment: Assessment) -> str:
    """The message of the one finding, once it is sure that the vote is HIGH."""
    (found,) = assessment.findings
    assert (assessment.risk, found.id, found.risk) == (HIGH, "analyzer.failed", HIGH)
    return found.message


async def test_one_that_returns_none_is_told_so(caplog: pytest.LogCaptureFixture):
    assessment = await assessed(strange.ReturnsNone())

    assert "ReturnsNone security_risk returned NoneType, not a SecurityRisk" in failure(assessment)
    assert "analyzer ReturnsNone failed" in caplog.text


@pytest.mark.parametrize("kind", [strange.Exits, strange.ExitsCheaply, strange.ExitsLater])
async def test_one_that_exits_does_not_end_the_worker(kind: type[SecurityAnalyzer]):
    assert "raised SystemExit" in failure(await assessed(kind()))


class _Panics(SecurityAnalyzer):
    """As an extension in Rust does: its panic is no Exception."""

    def assess(self, action: ActionEvent) -> Assessment:
        raise BaseExceptionGroup("panic", [KeyboardInterrupt()])


class _PanicsCheaply(_Panics):
    cheap = True


class _Forges(SecurityAnalyzer):
    def assess(self, action: ActionEvent) -> Assessment:
        return Assessment.model_construct(risk=None, findings=None)


@pytest.mark.parametrize("kind", [_Panics, _PanicsCheaply])
async def test_one_that_raises_what_is_no_exception_has_failed(kind: type[SecurityAnalyzer]):
    assert "raised BaseExceptionGroup" in failure(await assessed(kind()))


async def test_an_assessment_that_was_never_checked_is_none():
    assert "without being checked" in failure(await assessed(_Forges()))


async def test_one_that_cancels_itself_has_failed():
    assert "cancelled itself" in failure(await assessed(strange.CancelsItself()))


async def test_one_that_does_not_listen_is_left_behind(caplog: pytest.LogCaptureFixture):
    child = strange.DoesNotListen()
    with caplog.at_level(logging.WARNING):
        assessment = await assessed(child, time_limit=0.01)
    child.listens = True

    assert "took longer than 0.01 s" in failure(assessment)
    assert "DoesNotListen took longer" in caplog.text


async def test_blocked_threads_are_bounded_and_the_analyzer_is_asked_again_once_one_comes_back():
    blocks = strange.Blocks()
    ensemble = EnsembleSecurityAnalyzer([blocks], time_limit=0.02)
    while blocks.calls < MAX_STUCK:  # on a slow machine a call's time may be over before it begins
        assert "took longer" in failure(await ensemble.assess(an_action("block")))

    for _ in range(20):
        assert "is not asked: 4 earlier calls" in failure(await ensemble.assess(an_action("ls")))
    assert blocks.calls == MAX_STUCK

    blocks.go.set()

    async def rated() -> bool:
        return (await ensemble.assess(an_action("ls"))).risk is LOW

    await until(rated)


async def test_a_blocked_analyzer_takes_no_thread_from_another():
    blocks, other = strange.Blocks(), strange.Blocks()
    ensemble = EnsembleSecurityAnalyzer([blocks, other], time_limit=60)
    held = [asyncio.create_task(EnsembleSecurityAnalyzer([blocks]).assess(an_action("block")))]
    await until(lambda: blocks.calls == 1)

    assert (await ensemble.assess(an_action("ls"))).risk is LOW

    blocks.go.set()
    await asyncio.gather(*held)


async def test_a_burst_of_calls_runs_in_threads_that_are_used_again():
    blocks = strange.Blocks()
    ensemble = EnsembleSecurityAnalyzer([blocks], time_limit=60)

    many = await asyncio.gather(*(ensemble.assess(an_action()) for _ in range(200)))

    assert {one.risk for one in many} == {LOW}
    assert blocks.calls == 200


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("kind", [strange.Forks, strange.ForksCheaply, strange.ForksLater])
async def test_the_copy_that_an_analyzer_forks_ends_at_once(kind: type[strange.Forks], tmp_path: Path):
    note = tmp_path / "note"
    ensemble = EnsembleSecurityAnalyzer([kind(note=str(note))])

    for _ in range(MAX_FORKS):
        assert "forked a process" in failure(await ensemble.assess(an_action()))
    assert f"has forked {MAX_FORKS} processes" in failure(await ensemble.assess(an_action()))
    assert not note.exists()


async def test_a_fork_that_no_analyzer_made_goes_on():
    import multiprocessing

    started = multiprocessing.get_context("fork").Process(target=int)
    started.start()
    started.join(60)
    started.kill()

    assert started.exitcode == 0


# -- terms -------------------------------------------------------------------------------------


class Counts(strange.Says):
    """Counts how often it is asked."""

    asked = 0

    async def assess(self, action: ActionEvent) -> Assessment:  # type: ignore[override]
        self.asked += 1
        return await super().assess(action)


class Cheap(SecurityAnalyzer):
    """A cheap analyzer's vote."""

    cheap = True

    def __init__(self, risk: SecurityRisk) -> None:
        self.risk = risk
        self.asked = 0

    def security_risk(self, action: ActionEvent) -> SecurityRisk:
        self.asked += 1
        return self.risk


@pytest.mark.parametrize(("cheap", "asked"), [(HIGH, 0), (MEDIUM, 1), (UNKNOWN, 1)])
@pytest.mark.parametrize("costly", [Counts(risk=LOW), Cheap(LOW)])
async def test_a_child_is_skipped_where_the_cheap_ones_said_high(
    cheap: SecurityRisk, asked: int, costly: Any
):
    costly.asked = 0
    terms = [Terms(label="judge", not_high=True), Terms()]
    ensemble = EnsembleSecurityAnalyzer([costly, Cheap(cheap)], terms=terms)

    assessment = await ensemble.assess(an_action())

    assert costly.asked == asked
    skipped = {vote.child: vote.skipped for vote in assessment.votes}
    assert skipped["judge"] is (asked == 0)
    assert Assessment.from_json(assessment.to_json()).votes == assessment.votes


async def test_each_child_has_its_own_time_limit():
    terms = [Terms(time_limit=0.01), Terms()]
    slow, quick = strange.DoesNotListen(), strange.Says(risk=LOW)

    assessment = await EnsembleSecurityAnalyzer([slow, quick], terms=terms, time_limit=60).assess(
        an_action()
    )

    slow.listens = True
    assert "took longer than 0.01 s" in assessment.findings[0].message


async def test_a_cheap_child_with_a_time_limit_gets_a_thread():
    class BlocksCheaply(strange.Blocks):
        cheap = True

    blocks = BlocksCheaply()
    ensemble = EnsembleSecurityAnalyzer([blocks], terms=[Terms(time_limit=0.01)])

    assert ensemble.assess_cheaply(an_action()) is None
    assert "took longer" in failure(await ensemble.assess(an_action("block")))
    blocks.go.set()


async def test_who_wants_the_history_gets_it():
    class Looks(SecurityAnalyzer):
        cheap = True

        def assess(self, action: ActionEvent, history: object) -> Assessment:  # type: ignore[override]
            return Assessment(risk=LOW if getattr(history, "state", "") == "none" else HIGH)

    assert (await assessed(Looks())).risk is LOW
