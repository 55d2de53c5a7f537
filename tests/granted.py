"""Granted: an action that was approved, and the grant of it."""

from __future__ import annotations

from typing import Any

from guardtier import ActionEvent, Assessment, SecurityRisk
from guardtier.assessment import Finding
from guardtier.policy.grants import Grant, Remember
from guardtier.policy.terms import Terms
from guardtier_workers.grants.drafting import Approval, draft
from guardtier_workers.grants.remembered import fitting

LOW, MEDIUM, HIGH, UNKNOWN = (SecurityRisk(name) for name in ("LOW", "MEDIUM", "HIGH", "UNKNOWN"))
SECRET = "aZ3kQ9pL1xV7bN5mT2wR8yC4dF6gH0jK9sEu"


def action(command: str = "git push", **fields: Any) -> ActionEvent:
    known = {"fleet": "web", "agent": "coder", "conversation": "c1", "tool_name": "terminal"}
    return ActionEvent(**{"arguments": {"command": command}} | known | fields)


def rated(risk: SecurityRisk = HIGH, *findings: str, **more: Any) -> Assessment:
    found = tuple(Finding(id=name, risk=HIGH, message="m") for name in findings)
    return Assessment(risk=risk, findings=found, **more)


def approval(of: ActionEvent, assessment: Assessment | None = None, **terms: Any) -> Approval:
    return Approval(of, assessment or rated(), Terms(**terms), ("alice",), 1_000)


def granted(command: str, pattern: str = "command", **remember: Any) -> Grant:
    return draft(Remember(pattern=pattern, **remember), approval(action(command)))


def covers(grants: list[Grant], command: str, assessment: Assessment | None = None, **fields: Any) -> bool:
    return bool(fitting(grants, action(command, **fields), assessment or rated()))
