"""EnsembleSecurityAnalyzer: several analyzers at once, the highest risk counts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter_ns
from typing import TYPE_CHECKING, ClassVar

from guardtier.action import ActionEvent
from guardtier.analyzers.asking import (
    Asked,
    Result,
    as_skipped,
    ask,
    ask_watched,
    crashed,
    failed,
    findings_of,
    is_ours,
    quiet_of,
    rating_of,
    result_of,
    says_high,
    vote_of,
    without_conversation,
)
from guardtier.analyzers.base import ABSTAINS, SecurityAnalyzer
from guardtier.analyzers.calls import NoAnswer
from guardtier.analyzers.child import Child, Terms
from guardtier.analyzers.history import History
from guardtier.analyzers.sweeps import unswept
from guardtier.assessment import MAX_FINDINGS, Assessment, Finding
from guardtier.risk import SecurityRisk, highest

if TYPE_CHECKING:
    from guardtier.analyzers.view import Call, View

log = logging.getLogger(__name__)

_HIGH, _MEDIUM, _LOW = SecurityRisk.HIGH, SecurityRisk.MEDIUM, SecurityRisk.LOW
_UNKNOWN = SecurityRisk.UNKNOWN
_ORDER = {_HIGH: 0, _MEDIUM: 1, _UNKNOWN: 2, _LOW: 3}

#: Makes the history of an action that names a conversation, and writes the action down in it; it is told
#: what the cheap children found and rated. It must not raise: what it can't read is a state of History.
Recall = Callable[[ActionEvent, tuple[Finding, ...], SecurityRisk], Awaitable[History]]


class EnsembleSecurityAnalyzer(SecurityAnalyzer):
    """Runs its children together, each with a time limit in seconds.

    Max-severity, as in the OpenHands SDK: the highest concrete vote wins. UNKNOWN counts where no
    child says anything concrete, or always with ``propagate_unknown``, unless one says HIGH: then
    HIGH stays. A finding that says UNKNOWN speaks of a part of the action (code in a command) that no
    other vote covers: short of HIGH, the whole can't be told. What an agent claims of itself raises the
    others' rating and never stands in for their UNKNOWN. A child that abstains leaves no vote. One that
    raises or passes its time limit votes HIGH with the finding ``analyzer.failed``. ``terms`` says, child
    by child and in their order, when and for how long each runs.

    Children whose ``assess`` takes a ``history`` come behind the other cheap ones, since it is written
    with what those found.
    """

    name: ClassVar[str] = "ensemble"

    def __init__(
        self,
        analyzers: Sequence[SecurityAnalyzer],
        *,
        time_limit: float = 5.0,
        propagate_unknown: bool = False,
        terms: Sequence[Terms] = (),
    ) -> None:
        if not analyzers:
            raise ValueError("an ensemble needs at least one analyzer")
        self._analyzers = tuple(analyzers)
        own = [*terms, *[Terms()] * (len(analyzers) - len(terms))]
        children = [Child(one, on, time_limit) for one, on in zip(analyzers, own, strict=True)]
        cheap = [(child, child.assess) for child in children if child.cheap]
        self._cheap = [one for one in cheap if not one[0].not_high and not one[0].traced]
        self._later_cheap = [one for one in cheap if one[0].not_high and not one[0].traced]
        self._traced_cheap = [one for one in cheap if one[0].traced]
        self._later_costly = tuple(child for child in children if not child.cheap and child.not_high)
        self._ask = ask if all(is_ours(child) for child, _ in cheap) else ask_watched
        self._by_call: dict[Call, Asked] = {}
        self._view_of: Callable[[ActionEvent], View] | None = None
        if any(type(one.analyzer).concerns is not SecurityAnalyzer.concerns for one, _ in self._cheap):
            from guardtier.analyzers.view import view_of  # needs the extra that such children need

            self._view_of = view_of
        self._costly = tuple(child for child in children if not child.cheap and not child.not_high)
        self._children = tuple(children)
        self._propagate_unknown = propagate_unknown

    @property
    def analyzers(self) -> tuple[SecurityAnalyzer, ...]:
        return self._analyzers

    @property
    def wants_history(self) -> bool:
        """Whether a child looks at the conversation."""
        return any(child.traced for child in self._children)

    @property
    def has_costly(self) -> bool:
        """Whether a child may rate higher than what ``recall`` is told."""
        return not all(child.cheap for child in self._children)

    async def assess(self, action: ActionEvent, recall: Recall | None = None) -> Assessment:
        """The rating. ``recall`` is asked once, where the action names a conversation and a child asks."""
        costly = [self._start(child, action) for child in self._costly if not child.traced]
        try:
            results = self._cheap_results_unswept(action)
            history = await self._history(action, results, recall) if self.wants_history else None
            costly += [self._start(child, action, history) for child in self._costly if child.traced]
            results += self._traced_results(action, history, results)
            if says_high(results):
                results += [as_skipped(child) for child in self._later_costly]
            else:
                costly += [self._start(child, action, history) for child in self._later_costly]
            results += [found for found in await asyncio.gather(*costly) if found is not None]
        finally:
            for task in costly:
                task.cancel()
        return self._combine(results)

    async def aclose(self) -> None:
        """Close the children. One that fails at it is logged and keeps no other from it."""
        for child in self.analyzers:
            try:
                await child.aclose()
            except Exception:
                log.exception("analyzer %s could not be closed", child.label)

    def assess_cheaply(self, action: ActionEvent) -> Assessment | None:
        """The assessment without a task or an await; None where a child needs one."""
        if self._costly or self._later_costly or (self._traced_cheap and action.conversation is not None):
            return None
        return self.assess_cheap_ones(action)

    @unswept
    def assess_cheap_ones(self, action: ActionEvent) -> Assessment:
        """What the cheap children alone say of it, as if it named no conversation."""
        asked = self._asked(action)
        results = self._cheap_results(action, asked)
        if self._traced_cheap:
            findings = findings_of(results)
            if asked.alone or (findings and self._speak_of(action, findings)):
                results += self._traced_results(action, without_conversation(findings), results)
        return self._combine(results)

    def _speak_of(self, action: ActionEvent, findings: tuple[Finding, ...]) -> bool:
        try:
            for child, _ in self._traced_cheap:  # noqa: SIM110 - a generator would take twice as long
                if child.analyzer.speaks_of(action, findings):
                    return True
            return False
        except Exception:
            log.exception("an analyzer could not tell whether it is concerned: it is asked")
            return True

    async def _history(
        self, action: ActionEvent, results: list[Result], recall: Recall | None
    ) -> History | None:
        if action.conversation is None:
            return without_conversation(findings_of(results))
        if recall is None:
            return None
        return await recall(action, findings_of(results), self._combine(results).risk)

    def _traced_results(
        self, action: ActionEvent, history: History | None, before: list[Result]
    ) -> list[Result]:
        if not says_high(before):
            return self._ask(self._traced_cheap, action, history)
        skipped = [as_skipped(child) for child, _ in self._traced_cheap if child.not_high]
        return skipped + self._ask(
            [one for one in self._traced_cheap if not one[0].not_high], action, history
        )

    def _start(
        self, child: Child, action: ActionEvent, history: History | None = None
    ) -> asyncio.Task[Result | None]:
        more = (history,) if child.traced else ()
        return asyncio.ensure_future(self._run(child, action, *more))

    def _cheap_results(self, action: ActionEvent, asked: Asked | None = None) -> list[Result]:
        results = self._ask((asked or self._asked(action)).cheap, action)
        if self._later_cheap:
            skips = says_high(results)
            later = self._later_cheap
            results += [as_skipped(child) for child, _ in later] if skips else self._ask(later, action)
        return results

    _cheap_results_unswept = unswept(_cheap_results)

    def _asked(self, action: ActionEvent) -> Asked:
        """Whom to ask of such a call. There are few kinds: remembered."""
        if self._view_of is None:
            return Asked(self._cheap, True)
        try:
            call = self._view_of(action).call
            found = self._by_call.get(call)
            if found is None:
                cheap = [one for one in self._cheap if one[0].analyzer.concerns(call)]
                alone = any(child.analyzer.speaks_alone(call) for child, _ in self._traced_cheap)
                found = self._by_call[call] = Asked(cheap, alone)
        except Exception:
            log.exception("the tool %s could not be looked up: every analyzer is asked", action.tool_name)
            return Asked(self._cheap, True)
        return found

    async def _run(self, child: Child, action: ActionEvent, *history: History | None) -> Result | None:
        start = perf_counter_ns()
        try:
            assessment = await child.rate(action, *history)
            return None if assessment is ABSTAINS else result_of(child, assessment, start)
        except NoAnswer as error:
            log.warning("analyzer %s %s: its vote counts as HIGH", child.label, error)
            return failed(child, str(error), start)
        except Exception as error:
            return crashed(child, error, start)

    def _combine(self, results: list[Result]) -> Assessment:
        if len(results) == 1 and not results[0].claims:  # nearly all of what agents do
            child, risk, us, found, *_ = results[0]
            if not found:
                return quiet_of(child, risk, us)
            if len(found) == 1 and found[0].risk is not _UNKNOWN:
                return rating_of(risk, found, (vote_of(child, risk, us),))
        findings: list[Finding] = []
        rated: list[SecurityRisk] = []
        claimed: list[SecurityRisk] = []
        for result in results:
            findings += result.findings
            (claimed if result.claims else rated).append(result.risk)
        risk = self._risk_of(rated, claimed)
        if risk is not _HIGH and (
            (self._propagate_unknown and (_UNKNOWN in rated or _UNKNOWN in claimed))
            or _UNKNOWN in [finding.risk for finding in findings]
        ):
            risk = _UNKNOWN
        if len(findings) > 1:
            findings.sort(key=lambda finding: _ORDER[finding.risk])
            del findings[MAX_FINDINGS:]
        votes = tuple([vote_of(result.child, result.risk, result.us, result.skipped) for result in results])
        return rating_of(risk, tuple(findings), votes)

    def _risk_of(self, rated: list[SecurityRisk], claimed: list[SecurityRisk]) -> SecurityRisk:
        if not claimed:
            return highest(rated)
        if highest(rated) is _UNKNOWN and _HIGH not in claimed and self._rates():
            return _UNKNOWN
        return highest(rated + claimed)

    def _rates(self) -> bool:
        """Whether there is more than claims. Looked up each time: a pool's child is known by its vote."""
        return any(not child.analyzer.claims for child in self._children)
