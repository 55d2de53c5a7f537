"""Verdict: the tier's answer to the agent."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from guardtier.assessment import Finding
from guardtier.feedback import feedback
from guardtier.risk import SecurityRisk
from guardtier.state import State

BLOCK = "block"  #: the rule that a verdict names where an identical action had been rejected before


class Outcome(StrEnum):
    """How it ended: released by policy; approved, rejected by a person (or policy); expired."""

    RELEASED = "released"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"

    @property
    def state(self) -> State:
        return State(self.value)


class Verdict(BaseModel):
    """May the tool run, and why. ``digest`` names the one action that this is about.

    ``arguments``: an approver edited the action, and these are to be used instead of its own; ``digest``
    is then that of the edited action, and ``edited_from`` that of the one which was asked for. ``rules``
    of the policy decided, ``grant`` is the remembered approval that released it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    outcome: Outcome
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    risk: SecurityRisk
    findings: tuple[Finding, ...] = ()
    reason: str = ""
    policy: str = Field(description="the version of the policy that this was decided under")
    decided_by: tuple[str, ...] = ()
    decided_at: int = Field(ge=0, description="milliseconds since 1970, the worker's clock")
    rules: tuple[str, ...] = ()
    grant: str | None = None
    arguments: dict[str, JsonValue] | None = None
    edited_from: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")

    @property
    def allowed(self) -> bool:
        """Whether the tool may run. Everything that is not a clear yes is a no."""
        return self.outcome in (Outcome.RELEASED, Outcome.APPROVED)

    @property
    def feedback(self) -> str:
        """One paragraph for the agent's model: what happened, by whom, why, and what to do now.

        What others wrote in it (the reason, the findings) is quoted, on one line, and cut.
        """
        return feedback(
            outcome=self.outcome.value,
            risk=self.risk.value,
            reason=self.reason,
            findings=self.findings,
            decided_by=self.decided_by,
            blocked=self.outcome is Outcome.REJECTED and BLOCK in self.rules,
        )

    def to_json(self) -> bytes:
        return self.__pydantic_serializer__.to_json(self, exclude_defaults=True)

    @classmethod
    def from_json(cls, raw: bytes) -> Self:
        return cls.model_validate_json(raw)
