"""Halts as Redis keeps them, and an approver's requests to halt and to resume."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from guardtier.action import ACTION_ID, LABEL, NAME
from guardtier.canonical import canonical
from guardtier.policy.request import SignedRequest

HALTED: Final = "agent.halted"  #: the finding of what a halt by somebody holds
OVER_PACE: Final = "agent.budget"  #: of what is held since an agent asked more than its budget has
OVER_REJECTIONS: Final = "agent.rejections"  #: since so many of its actions in a row were rejected
BREAKER: Final = "guardtier.breaker"  #: by whom an agent is halted that is over its budget
MAX_REASON: Final = 1000  #: characters
UNREADABLE: Final = b"!"  #: what decide.lua gives for what can't be read

Agent = Annotated[str, StringConstraints(pattern=LABEL)]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=MAX_REASON)]
Then = Literal["park", "reject"]


class Scope(BaseModel):
    """What is halted: a fleet, one of its agents, or one conversation of an agent.

    Agents and conversations are known by the names that they give themselves.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    fleet: Annotated[str, StringConstraints(pattern=NAME)]
    agent: Agent | None = None
    conversation: Agent | None = None

    @model_validator(mode="after")
    def _conversations_have_an_agent(self) -> Self:
        if self.conversation is not None and self.agent is None:
            raise ValueError("a conversation is halted with its agent: name both")
        return self

    @property
    def key(self) -> str:
        """The field under which a halt of it is kept: the names, a space between them."""
        return " ".join(name for name in (self.fleet, self.agent, self.conversation) if name)

    @classmethod
    def of_key(cls, key: str) -> Self:
        """What such a field names. Raises ValueError where it names nothing."""
        names = key.split(" ")
        if len(names) > 3:
            raise ValueError("a halt names a fleet, an agent and a conversation at the most")
        return cls(**dict(zip(("fleet", "agent", "conversation"), names, strict=False)))

    def covers(self, fleet: str, agent: str, conversation: str | None) -> bool:
        return (
            self.fleet == fleet
            and self.agent in (None, agent)
            and (self.conversation is None or self.conversation == conversation)
        )

    @property
    def words(self) -> str:
        """``agent bot-1 of fleet web``, for people."""
        parts = [("conversation", self.conversation), ("agent", self.agent), ("fleet", self.fleet)]
        return " of ".join(f"{kind} {name}" for kind, name in parts if name)


class Halt(BaseModel):
    """Everything new of what is halted is parked, or rejected (``then``), until somebody resumes it.

    ``finding`` is the id under which a held action says so. ``at``: milliseconds since 1970. ``scope`` is
    what it is kept under (``Scope.key``), so that its line on the audit stream, and a script's entry in
    the outbox, say for whom it is.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")  # a newer worker may have written more

    reason: str = Field(max_length=MAX_REASON)
    by: str = Field(max_length=128)
    at: int = Field(ge=0)
    then: Then = "park"
    finding: str = Field(default=HALTED, pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)*$", max_length=128)
    scope: str = Field(default="", max_length=400)

    def to_json(self) -> bytes:
        return canonical(self.model_dump(mode="json", exclude_defaults=True), field="halt")

    @classmethod
    def read(cls, raw: bytes) -> Self | None:
        """What was kept. Raises ValueError where it can't be read; None where nothing was."""
        return cls.model_validate_json(raw) if raw else None

    @property
    def words(self) -> str:
        """By whom and why, for people and models."""
        return f"Halted by {self.by}: {self.reason}"


def read_halt(raw: bytes) -> Halt | None:
    """As :meth:`Halt.read`; what can't be read is a halt too, one that says so."""
    try:
        return Halt.read(raw)
    except ValueError:
        return Halt(reason="what is halted can't be read, so it counts as halted", by="?", at=0)


class HaltRequest(SignedRequest):
    """Halt this scope in one partition, that of the id. It replaces a halt that stands there.

    ``reject_parked``: what waits for a person is rejected as well.
    """

    op: Literal["halt"] = "halt"
    scope: Scope
    reason: Reason
    then: Then = "park"
    reject_parked: bool = False


class ResumeRequest(SignedRequest):
    """Lift the halt of this scope in one partition.

    ``lifts`` is the digest of the halt that the approver saw: another one, that somebody has set
    meanwhile, is not lifted.
    """

    op: Literal["resume"] = "resume"
    scope: Scope
    reason: Annotated[str, StringConstraints(max_length=MAX_REASON)] = ""
    lifts: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Unstopped(BaseModel):
    """An action that had been let go before the halt: it may have run, or be running.

    ``event``: released by policy, or redeemed after a person's approval; ``at`` when (ms since 1970).
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: Annotated[str, StringConstraints(pattern=ACTION_ID)]
    event: str
    agent: str
    tool: str = ""
    at: int


class HaltReport(BaseModel):
    """What a halt came to in one partition.

    ``rejected`` of the parked actions, ``waiting`` are still parked. ``unstopped`` counts what was let go
    since ``since`` (ms since 1970), ``newest`` are the last of them. ``complete`` is False where there
    were more lines to look at than are looked at; ``since`` then is how far back it went. ``standing`` is
    False where somebody had lifted the halt before this report was made.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    partition: int
    scope: Scope
    halt: Halt
    rejected: int = 0
    waiting: int = 0
    unstopped: int = 0
    newest: tuple[Unstopped, ...] = ()
    since: int = 0
    complete: bool = True
    standing: bool = True

    def to_json(self) -> bytes:
        said: dict[str, Any] = self.model_dump(mode="json", exclude_defaults=True)
        return canonical(said, field="report")
