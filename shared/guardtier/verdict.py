"""Verdict: the tier's answer to the agent."""

from __future__ import annotations

from enum import StrEnum
from typing import NoReturn, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from guardtier.action import ActionEvent
from guardtier.assessment import Finding
from guardtier.canonical import digest_of
from guardtier.errors import DigestMismatch, WrongState
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

    ``edited_from``: an approver edited the action; this is the digest of the one which was asked for, and
    ``digest`` that of the edited one. Where it may run, ``arguments`` are to be used instead of its own:
    :meth:`apply`. ``rules`` of the policy decided, ``grant`` is the remembered approval that released it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

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
    valid_until: int | None = Field(
        default=None,
        ge=0,
        description="milliseconds since 1970: until then it allows a run; None: no limit",
    )
    seal: str = Field(default="", description="key id and signature over all of the above; the last member")

    @property
    def allowed(self) -> bool:
        """Whether the tool may run. Everything that is not a clear yes is a no."""
        return self.outcome in (Outcome.RELEASED, Outcome.APPROVED)

    def __bool__(self) -> NoReturn:
        """``if verdict:`` would run what was rejected. Raises TypeError."""
        raise TypeError("a verdict is neither true nor false: ask verdict.allowed")

    @property
    def is_edited(self) -> bool:
        """Whether it is about something else than what was asked for."""
        return self.edited_from is not None or self.arguments is not None

    def is_about(self, action: ActionEvent) -> bool:
        """Whether it answers this very action, or an edit of it with the arguments that it names."""
        if not self.is_edited:
            return self.digest == action.digest
        if self.edited_from != action.digest:
            return False
        if self.arguments is None:
            return not self.allowed
        return self.digest == digest_of(action.fleet, action.agent, action.tool_name, self.arguments)

    def apply(self, action: ActionEvent) -> ActionEvent:
        """What may run: the action, with an approver's arguments where it was edited.

        Raises DigestMismatch where the verdict is about another action, WrongState where it is a no.
        """
        if not self.is_about(action):
            raise DigestMismatch(
                f"the verdict for {self.id} is about another action: the tool must not run",
                field="digest",
            )
        if not self.allowed:
            raise WrongState(
                f"{self.id} was {self.outcome.value}: the tool must not run", field=self.outcome.value
            )
        if self.arguments is None:
            return action
        return action.model_copy(update={"arguments": self.arguments})

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
            arguments=self.arguments,
            blocked=self.outcome is Outcome.REJECTED and BLOCK in self.rules,
        )

    def to_json(self) -> bytes:
        return self.__pydantic_serializer__.to_json(self, exclude_defaults=True)

    @classmethod
    def from_json(cls, raw: bytes) -> Self:
        return cls.model_validate_json(raw)
