"""EnsembleSecurityAnalyzer: several analyzers at once, the highest risk counts."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Sequence
from time import perf_counter_ns
from typing import ClassVar

from guardtier.action import ActionEvent
from guardtier.analyzers.base import ABSTAINS, SecurityAnalyzer
from guardtier.assessment import MAX_FINDINGS, MAX_MESSAGE, Assessment, ChildVote, Finding
from guardtier.risk import SecurityRisk

log = logging.getLogger(__name__)

_ORDER = {
    SecurityRisk.HIGH: 0,
    SecurityRisk.MEDIUM: 1,
    SecurityRisk.UNKNOWN: 2,
    SecurityRisk.LOW: 3,
}


_HIGH, _MEDIUM, _LOW, _UNKNOWN = (
    SecurityRisk.HIGH,
    SecurityRisk.MEDIUM,
    SecurityRisk.LOW,
    SecurityRisk.UNKNOWN,
)
_SHORT = 64  #: microseconds below which votes are shared


class EnsembleSecurityAnalyzer(SecurityAnalyzer):
    """Runs its children together, each with a time limit in seconds.

    Max-severity, as in the OpenHands SDK: the highest concrete vote wins. UNKNOWN counts where no
    child says anything concrete, or always with ``propagate_unknown``, unless one says HIGH: then
    HIGH stays. A finding that says UNKNOWN speaks of a part of the action (code in a command) that no
    other vote covers: short of HIGH, the whole can't be told. What an agent claims of itself raises the
    others' rating and never stands in for their UNKNOWN. A child that raises or passes its time limit
    votes HIGH with the finding ``analyzer.failed``.
    """

    name: ClassVar[str] = "ensemble"

    def __init__(
        self,
        analyzers: Sequence[SecurityAnalyzer],
        *,
        time_limit: float = 5.0,
        propagate_unknown: bool = False,
    ) -> None:
        if not analyzers:
            raise ValueError("an ensemble needs at least one analyzer")
        self._children = tuple(analyzers)
        self._cheap = tuple(child for child in analyzers if child.cheap)
        self._costly = tuple(child for child in analyzers if not child.cheap)
        self._claims = frozenset(child.label for child in analyzers if child.claims)
        self._time_limit = time_limit
        self._propagate_unknown = propagate_unknown

    @property
    def analyzers(self) -> tuple[SecurityAnalyzer, ...]:
        return self._children

    async def assess(self, action: ActionEvent) -> Assessment:
        costly = [asyncio.ensure_future(self._run(child, action)) for child in self._costly]
        try:
            results = [_run_cheap(child, action) for child in self._cheap]
            if costly:
                results += await asyncio.gather(*costly)
        finally:
            for task in costly:
                task.cancel()
        return self._combine(results)

    def assess_cheaply(self, action: ActionEvent) -> Assessment | None:
        """The assessment without a task or an await; None where a child needs one."""
        if self._costly:
            return None
        return self._combine([_run_cheap(child, action) for child in self._cheap])

    async def _run(self, child: SecurityAnalyzer, action: ActionEvent) -> _Result:
        start = perf_counter_ns()
        try:
            async with asyncio.timeout(self._time_limit):
                return _result(child, await _awaited(child, action), start)
        except TimeoutError:
            return _failed(child, f"took longer than {self._time_limit:g} s", start)
        except Exception as error:
            return _crashed(child, error, start)

    def _risk_of(self, votes: list[ChildVote]) -> SecurityRisk:
        claims = self._claims
        ratings = [vote.risk for vote in votes if vote.child not in claims]
        rated = _highest(ratings)
        claimed = _highest([vote.risk for vote in votes if vote.child in claims])
        if ratings and rated is _UNKNOWN and claimed is not _HIGH:
            return _UNKNOWN
        return _highest([rated, claimed])

    def _combine(self, results: list[_Result]) -> Assessment:
        votes = [vote for vote, _, _ in results]
        findings = [finding for _, found, _ in results if found for finding in found]
        risk = self._risk_of(votes)
        if self._propagate_unknown and risk is not _HIGH and _is_unknown(results):
            risk = _UNKNOWN
        if findings:
            if risk is not _HIGH and any(finding.risk is _UNKNOWN for finding in findings):
                risk = _UNKNOWN
            findings.sort(key=lambda finding: _ORDER[finding.risk])
        return Assessment(risk=risk, findings=tuple(findings[:MAX_FINDINGS]), votes=tuple(votes))


#: A child's vote, its findings, and whether it abstains.
_Result = tuple[ChildVote, tuple[Finding, ...], bool]


def _is_unknown(results: list[_Result]) -> bool:
    """Whether a child that has something to say of the action says that it can't be told."""
    return any(vote.risk is SecurityRisk.UNKNOWN and not abstains for vote, _, abstains in results)


def _run_cheap(child: SecurityAnalyzer, action: ActionEvent) -> _Result:
    """Written out for the child that has nothing to say: it is most of them, and most of the time."""
    start = perf_counter_ns()
    try:
        assessment = child.assess(action)
        if assessment is ABSTAINS:
            us = (perf_counter_ns() - start) // 1000
            return _ABSTENTIONS.get((child.name, us)) or _abstention(child, us)
        if not isinstance(assessment, Assessment):
            raise TypeError(f"assess returned {type(assessment).__name__}, not an Assessment")
        return _result(child, assessment, start)
    except Exception as error:
        return _crashed(child, error, start)


async def _awaited(child: SecurityAnalyzer, action: ActionEvent) -> Assessment:
    """An async child is awaited; a sync one may block, so it gets a thread."""
    if inspect.iscoroutinefunction(child.assess):
        assessment = await child.assess(action)
    else:
        assessment = await asyncio.to_thread(child.assess, action)
        if isinstance(assessment, Awaitable):
            assessment = await assessment
    if not isinstance(assessment, Assessment):
        raise TypeError(f"assess returned {type(assessment).__name__}, not an Assessment")
    return assessment


def _result(child: SecurityAnalyzer, assessment: Assessment, start: int) -> _Result:
    return _vote(child, assessment.risk, start), assessment.findings, assessment is ABSTAINS


def _vote(child: SecurityAnalyzer, risk: SecurityRisk, start: int) -> ChildVote:
    us = (perf_counter_ns() - start) // 1000
    if risk is not _LOW or us >= _SHORT:
        return ChildVote(child=child.label, risk=risk, us=us)
    key = (child.label, us)
    found = _LOW_VOTES.get(key)
    if found is None:
        found = _LOW_VOTES[key] = ChildVote(child=child.label, risk=risk, us=us)
    return found


def _abstention(child: SecurityAnalyzer, us: int) -> _Result:
    result = ChildVote(child=child.label, risk=_UNKNOWN, us=us), (), True
    if child.name and us < _SHORT:
        _ABSTENTIONS[child.name, us] = result
    return result


#: By name and microseconds. Measured: to make the model of a vote takes longer than most abstentions.
_ABSTENTIONS: dict[tuple[str, int], _Result] = {}
_LOW_VOTES: dict[tuple[str, int], ChildVote] = {}


def _highest(risks: list[SecurityRisk]) -> SecurityRisk:
    """As :func:`guardtier.risk.highest`, in a fifth of its time: nothing is hashed or compared."""
    found = _UNKNOWN
    for risk in risks:
        if risk is _HIGH:
            return risk
        if risk is _MEDIUM or (risk is _LOW and found is _UNKNOWN):
            found = risk
    return found


def _crashed(child: SecurityAnalyzer, error: Exception, start: int) -> _Result:
    log.exception("analyzer %s failed: its vote counts as HIGH", child.label)
    return _failed(child, f"raised {type(error).__name__}", start)


def _failed(child: SecurityAnalyzer, what: str, start: int) -> _Result:
    finding = Finding(
        id="analyzer.failed",
        risk=SecurityRisk.HIGH,
        message=f"The analyzer {child.label} {what}; a failed analyzer counts as HIGH."[:MAX_MESSAGE],
    )
    return _vote(child, SecurityRisk.HIGH, start), (finding,), False
