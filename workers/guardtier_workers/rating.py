"""Rating: an action goes through the ensemble, with its conversation's history where there is one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from guardtier.action import ActionEvent
from guardtier.analyzers.ensemble import EnsembleSecurityAnalyzer
from guardtier.analyzers.history import History
from guardtier.assessment import Assessment, ChildVote, Finding
from guardtier.risk import SecurityRisk
from guardtier_workers.labels import labels_of
from guardtier_workers.memory import Memory

Seen = tuple[tuple[Finding, ...], SecurityRisk]  #: what the cheap analyzers said of an action


class Rated(NamedTuple):
    """``unread``: what is to be written down once Redis takes writes again; None: it has been."""

    assessment: Assessment
    unread: Seen | None = None


class ChildTimes:
    """What each child analyzer took since this worker started: its votes, and their microseconds in all."""

    def __init__(self) -> None:
        self.by_child: dict[str, list[int]] = {}

    def add(self, votes: Iterable[ChildVote]) -> None:
        """Count these. Who was skipped has taken no time, and gave no vote."""
        for vote in votes:
            if not vote.skipped:
                known = self.by_child.get(vote.child)
                if known is None:
                    known = self.by_child[vote.child] = [0, 0]
                known[0] += 1
                known[1] += vote.us


class Rating:
    """Rates what agents ask for, and what approvers make of it. ``memory`` is None where no child asks."""

    def __init__(self, ensemble: EnsembleSecurityAnalyzer, memory: Memory | None) -> None:
        self._ensemble = ensemble
        self._memory = memory
        self.times = ChildTimes()

    async def rate(self, action: ActionEvent) -> Rated:
        rated = await self._rate(action)
        self.times.add(rated.assessment.votes)
        return rated

    async def _rate(self, action: ActionEvent) -> Rated:
        assessment = self._ensemble.assess_cheaply(action)
        if assessment is not None:
            return Rated(assessment)
        memory = self._memory
        recalled: list[tuple[History, Seen]] = []

        async def recall(asked: ActionEvent, findings: tuple[Finding, ...], risk: SecurityRisk) -> History:
            assert memory is not None  # noqa: S101 - it is not passed on otherwise
            history = await memory.recall(asked, findings, risk)
            recalled.append((history, (findings, risk)))
            return history

        assessment = await self._ensemble.assess(action, recall if memory else None)
        if not recalled:
            return Rated(assessment)
        history, seen = recalled[0]
        assessment = assessment.model_copy(update={"labels": labels_of(history)})
        return Rated(assessment, seen if history.state == "unavailable" else None)

    async def catch_up(self, action: ActionEvent, rated: Rated) -> None:
        """Write down what could not be written before; the rating has been recorded."""
        if self._memory is not None and rated.unread is not None:
            await self._memory.catch_up(action, rated.unread)
