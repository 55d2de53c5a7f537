"""Asking: how an ensemble's children are called, and what comes of their answers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from time import perf_counter_ns
from typing import NamedTuple

from guardtier.action import ActionEvent
from guardtier.analyzers.base import ABSTAINS, NoVote
from guardtier.analyzers.calls import TURN, Turn
from guardtier.analyzers.child import Child, Failed
from guardtier.analyzers.history import NO_CONVERSATION, History
from guardtier.assessment import MAX_MESSAGE, Assessment, ChildVote, Finding, made
from guardtier.risk import SecurityRisk

log = logging.getLogger(__name__)

_HIGH, _UNKNOWN = SecurityRisk.HIGH, SecurityRisk.UNKNOWN


class Result(NamedTuple):
    """What a child said, and how many microseconds it took."""

    child: str
    risk: SecurityRisk
    us: int
    findings: tuple[Finding, ...]
    claims: bool = False
    skipped: bool = False


Cheap = tuple[Child, Callable[..., object]]


class Asked(NamedTuple):
    """The cheap children that a call may concern, and whether those that look at conversations may have
    something to say of it without one."""

    cheap: Sequence[Cheap]
    alone: bool


def findings_of(results: list[Result]) -> tuple[Finding, ...]:
    found: tuple[Finding, ...] = ()
    for result in results:
        if result.findings:
            found += result.findings
    return found


def without_conversation(findings: tuple[Finding, ...]) -> History:
    if not findings:
        return NO_CONVERSATION
    return made(History, {**NO_CONVERSATION.__dict__, "findings": findings})


def is_ours(child: Child) -> bool:
    return type(child.analyzer).__module__.startswith("guardtier.analyzers.")


def ask(cheap: Iterable[Cheap], action: ActionEvent, *history: History | None) -> list[Result]:
    """Most children abstain from most actions: that path is kept free of everything else."""
    results: list[Result] = []
    for child, assess in cheap:
        start = perf_counter_ns()
        try:
            assessment = assess(action, *history)
            if assessment is not ABSTAINS:
                results.append(result_of(child, assessment, start))
        except Exception as error:
            results.append(crashed(child, error, start))
    return results


def ask_watched(cheap: Iterable[Cheap], action: ActionEvent, *history: History | None) -> list[Result]:
    """The same where some are not ours, and may fork or end the process."""
    results: list[Result] = []
    turn = Turn()
    before = TURN.set(turn)
    for child, assess in cheap:
        start = perf_counter_ns()
        try:
            if child.forks:
                child.check_asked()
            assessment = assess(action, *history)
            if turn.forks:
                child.check_forks(turn)
            if assessment is not ABSTAINS:
                results.append(result_of(child, assessment, start))
        except BaseException as error:  # also SystemExit, and what Rust raises when it panics
            results.append(crashed(child, error, start))
    TURN.reset(before)
    return results


def says_high(results: list[Result]) -> bool:
    return any(result.risk is _HIGH for result in results)


def as_skipped(child: Child) -> Result:
    return Result(child.label, _UNKNOWN, 0, (), skipped=True)


def result_of(child: Child, assessment: object, start: int) -> Result:
    if not isinstance(assessment, Assessment):
        raise NoVote(f"assess returned {type(assessment).__name__}, not an Assessment")
    if type(assessment.risk) is not SecurityRisk or type(assessment.findings) is not tuple:
        raise NoVote("assess returned an Assessment that was made without being checked")
    us = (perf_counter_ns() - start) // 1000
    risk = assessment.risk
    for finding in assessment.findings:
        if finding.risk is _HIGH:  # whatever the vote beside it says
            risk = _HIGH
    return Result(child.label, risk, us, assessment.findings, child.analyzer.claims)


@lru_cache(maxsize=4096)
def vote_of(child: str, risk: SecurityRisk, us: int, skipped: bool = False) -> ChildVote:
    """A vote never changes, and most are like one before: 0.2 µs where making one takes 1.3."""
    return ChildVote(child=child, risk=risk, us=us, skipped=skipped)


@lru_cache(maxsize=4096)
def quiet_of(child: str, risk: SecurityRisk, us: int) -> Assessment:
    """What one vote without a finding comes to: half of what agents do."""
    return Assessment(risk=risk, votes=(vote_of(child, risk, us),))


def rating_of(
    risk: SecurityRisk, findings: tuple[Finding, ...], votes: tuple[ChildVote, ...]
) -> Assessment:
    return made(
        Assessment, {"risk": risk, "findings": findings, "votes": votes, "failed": False, "labels": ()}
    )


def crashed(child: Child, error: BaseException, start: int) -> Result:
    log.error("analyzer %s failed: its vote counts as HIGH", child.label, exc_info=error)
    told = isinstance(error, NoVote | Failed)  # our own words; an analyzer's may hold what it has read
    return failed(child, f"{error}" if told else f"raised {type(error).__name__}", start)


def failed(child: Child, what: str, start: int) -> Result:
    finding = Finding(
        id="analyzer.failed",
        risk=SecurityRisk.HIGH,
        message=f"The analyzer {child.label} {what}; a failed analyzer counts as HIGH."[:MAX_MESSAGE],
    )
    return Result(child.label, _HIGH, (perf_counter_ns() - start) // 1000, (finding,))
