"""Labels: those that a policy is told of an action: its conversation's, and its own.

What sets labels is imported when it is needed, and no sooner: policy workers stay light.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from guardtier.action import ActionEvent
from guardtier.assessment import Assessment
from guardtier.policy.known import LOST
from guardtier.settings import Settings

if TYPE_CHECKING:
    from guardtier.analyzers.flow.rulebook import Rulebook
    from guardtier.analyzers.history import History


def labels_of(history: History) -> tuple[str, ...]:
    """The conversation's, this action's among them. Where the history is gone, or can't be read, that is
    a label too: a rule can park what nobody knows.
    """
    found = {*history.labels, *(history.now.labels if history.now else ())}
    if history.state in ("lost", "unavailable"):
        found.add(LOST)
    return tuple(sorted(found))


class OwnLabels:
    """The labels of an action that names no conversation, so that leaving it out hides nothing.

    They cost 20 to 90 µs, so they are worked out only where a rule looks at the action. Raises
    ConfigError where the user's labels can't be read.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def of(self, action: ActionEvent, assessment: Assessment) -> tuple[str, ...]:
        from guardtier.analyzers.flow.note import note_of

        labels = self._book.current().labels
        return tuple(sorted(note_of(action, assessment.findings, assessment.risk, labels).labels))

    @cached_property
    def _book(self) -> Rulebook:
        from guardtier.analyzers.flow.rulebook import Rulebook

        flow = self._settings.analyzer.get("flow")
        return Rulebook(flow.options.get("file") if flow else None)
