"""facts_on: what a policy is asked about, of an action that is at hand."""

from __future__ import annotations

from guardtier.action import ActionEvent
from guardtier.assessment import Assessment
from guardtier.policy.ruling import Facts
from guardtier.redacted import rules_marked_in
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
