"""Rating: an action goes through the ensemble, with its conversation's history where there is one."""

from __future__ import annotations

from typing import NamedTuple

from guardtier.action import ActionEvent
from guardtier.analyzers.ensemble import EnsembleSecurityAnalyzer
from guardtier.analyzers.history import History
from guardtier.assessment import Assessment, Finding
from guardtier.risk import SecurityRisk
from guardtier_workers.labels import labels_of
from guardtier_workers.memory import Memory

Seen = tuple[tuple[Finding, ...], SecurityRisk]  #: what the cheap analyzers said of an action


class Rated(NamedTuple):
    """``unread``: what is to be written down once Redis takes writes again; None: it has been."""

    assessment: Assessment
    unread: Seen | None = None


class Rating:
    """Rates what agents ask for, and what approvers make of it. ``memory`` is None where no child asks."""

    def __init__(self, ensemble: EnsembleSecurityAnalyzer, memory: Memory | None) -> None:
        self._ensemble = ensemble
        self._memory = memory

    async def rate(self, action: ActionEvent) -> Rated:
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
