"""What a policy is asked about, of an action at hand; and whether that is the one which was rated."""

from __future__ import annotations

from guardtier.action import ActionEvent
from guardtier.assessment import Assessment
from guardtier.errors import UnusableEntry
from guardtier.policy.ruling import Facts
from guardtier.redacted import rules_marked_in
from guardtier.store.delivery import Delivery
from guardtier_workers.targets import targets_of


def facts_on(action: ActionEvent, rated: Assessment, *, at_ms: int) -> Facts:
    """The facts of an action that came at this time (ms since 1970)."""
    return Facts(
        fleet=action.fleet,
        agent=action.agent,
        tool=action.tool_name,
        risk=rated.risk,
        conversation=action.conversation,
        findings=tuple(finding.id for finding in rated.findings),
        labels=rated.labels,
        redacted=rules_marked_in(action),
        failed=rated.failed,
        now_ms=at_ms,
        action=action,
        targets=targets_of(action, rated.findings),
    )


def check_same(delivery: Delivery, action: ActionEvent) -> None:
    """Raise UnusableEntry where the action of the record is not the one that a rating says it is of.

    Whoever has an analyzer worker's credential writes both, and can't make two actions of one digest. What
    stands in place of an action with secrets has another: then the rating says that it holds some.
    """
    said = tuple(map(delivery.text, (b"fleet", b"agent", b"tool", b"conversation")))
    if said != (action.fleet, action.agent, action.tool_name, action.conversation or ""):
        raise UnusableEntry("its rating names another fleet, agent or tool than the action", field="tool")
    if not delivery.text(b"redacted") and action.digest != delivery.text(b"digest"):
        raise UnusableEntry("its rating is of another action than the record has", field="digest")
