"""Grants: remembered approvals: what they cover, whose actions, for how long and how often.

An approver only says how much is to be remembered (:class:`Remember`); what that comes to for the action
that they approve is worked out by the tier (``workers/…/grants/drafting.py``), never taken from outside.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from guardtier.action import ACTION_ID, LABEL, NAME
from guardtier.assessment import MAX_FINDINGS, Assessment
from guardtier.canonical import digest_of
from guardtier.policy.terms import MAX_APPROVERS, MAX_SECONDS, Role, Terms
from guardtier.policy.terms import seconds as in_seconds
from guardtier.risk import SecurityRisk

MAX_USES = 1000  #: of one grant
MAX_WORDS = 4_096  #: of one command; a line that can be remembered has fewer
GRANT_ID = r"^g[0-9a-f]{12}$"

GrantId = Annotated[str, StringConstraints(pattern=GRANT_ID)]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Pattern(StrEnum):
    """What is alike enough to need no second approval."""

    EXACT = "exact"  #: the same tool with the same arguments
    COMMAND = "command"  #: the same shell command, with other paths below the same folders
    TOOL = "tool"  #: the same tool, whatever its arguments


class Scope(StrEnum):
    """Whose actions are covered."""

    CONVERSATION = "conversation"  #: this agent's, in this conversation
    AGENT = "agent"
    FLEET = "fleet"


class Remember(BaseModel):
    """What an approver asks for: how much of this approval is to be remembered.

    ``seconds``: how long, 30 days at most; ``uses``: how often, 1 to 1,000. ``below``: of a command's
    paths, those below this folder may be others; None: each below the folder that it is in.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pattern: Pattern
    scope: Scope = Scope.AGENT
    seconds: Annotated[
        float, BeforeValidator(in_seconds), Field(ge=1, le=MAX_SECONDS, allow_inf_nan=False)
    ] = 3600.0
    uses: int = Field(default=10, ge=1, le=MAX_USES)
    below: Annotated[str, StringConstraints(min_length=1, max_length=1024)] | None = None

    @model_validator(mode="after")
    def _is_narrow(self) -> Self:
        if self.pattern is Pattern.TOOL and self.scope is Scope.FLEET:
            raise ValueError("a whole tool is remembered for an agent or a conversation, not for a fleet")
        if self.below is not None and self.pattern is not Pattern.COMMAND:
            raise ValueError("below is for the pattern command")
        return self


class Below(BaseModel):
    """A word of a command that may be any path below this folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    below: Annotated[str, StringConstraints(min_length=1, max_length=4096)]


class SimpleCommand(BaseModel):
    """One simple command of a shell line; ``join`` is what stands between it and the one before it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    join: Annotated[str, StringConstraints(max_length=2)] = ""
    words: tuple[str | Below, ...] = Field(min_length=1, max_length=MAX_WORDS)


class Grant(BaseModel):
    """One remembered approval. Times are milliseconds since 1970.

    ``arguments``: for an exact grant the digest of tool and arguments, for a command's that of the tool and
    the arguments beside the command (``key`` is the command's name). ``risk`` and ``findings`` are what the
    approver saw; nothing beyond them is covered. So are ``labels``, those of the conversation, where a rule
    looks at labels. ``approve`` and ``roles`` are of the terms that the action
    was parked under: where a policy asks for more, the grant is not enough.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: GrantId
    fleet: Annotated[str, StringConstraints(pattern=NAME)]
    pattern: Pattern
    scope: Scope
    tool: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    agent: Annotated[str, StringConstraints(pattern=LABEL)]
    conversation: Annotated[str, StringConstraints(pattern=LABEL)] | None = None
    arguments: Digest | None = None
    key: Annotated[str, StringConstraints(max_length=256)] | None = None
    commands: tuple[SimpleCommand, ...] = ()
    risk: SecurityRisk
    findings: tuple[str, ...] = Field(default=(), max_length=MAX_FINDINGS)
    labels: tuple[str, ...] = ()
    approve: int = Field(default=1, ge=1, le=MAX_APPROVERS)
    roles: tuple[Role, ...] = ()
    by: tuple[Annotated[str, StringConstraints(pattern=LABEL)], ...] = Field(
        min_length=1, max_length=MAX_APPROVERS
    )
    action: Annotated[str, StringConstraints(pattern=ACTION_ID)]
    given_at: int = Field(ge=0)
    expires_at: int = Field(ge=0)
    max_uses: int = Field(ge=1, le=MAX_USES)

    @model_validator(mode="after")
    def _says_what_it_covers(self) -> Self:
        if self.pattern is not Pattern.TOOL and self.arguments is None:
            raise ValueError("it must say which arguments it covers")
        if self.pattern is Pattern.COMMAND and not (self.commands and self.key):
            raise ValueError("it must say which commands it covers")
        if self.scope is Scope.CONVERSATION and self.conversation is None:
            raise ValueError("it must say which conversation it is for")
        return self

    def to_json(self) -> bytes:
        return self.__pydantic_serializer__.to_json(self, exclude_defaults=True)

    @classmethod
    def from_json(cls, raw: bytes) -> Self:
        """What :meth:`to_json` gave. Raises ValueError."""
        return cls.model_validate_json(raw)

    def is_for(self, *, tool: str, agent: str, conversation: str | None, now_ms: int) -> bool:
        """Whether it may cover what this agent does with this tool at this time."""
        if self.tool != tool or self.expires_at <= now_ms:
            return False
        if self.scope is Scope.FLEET:
            return True
        return self.agent == agent and (self.scope is Scope.AGENT or self.conversation == conversation)

    def is_enough_for(self, terms: Terms) -> bool:
        """Whether whoever gave it could have approved alone what is parked under these terms."""
        if not terms.may_remember or terms.approve > self.approve:
            return False
        return not terms.roles or (bool(self.roles) and set(self.roles) <= set(terms.roles))

    @property
    def words(self) -> str:
        """What it covers, for people. What agents wrote in it is not escaped here."""
        return f"{self._what}, {self._whose}, {self._seen}, {_times(self.max_uses)} at most"

    @property
    def _what(self) -> str:
        if self.pattern is Pattern.TOOL:
            return f"any call of {self.tool}"
        if self.pattern is Pattern.EXACT:
            return f"exactly the same call of {self.tool} as action {self.action}"
        return f"{self.tool}: {''.join(_command(one) for one in self.commands).strip()}"

    @property
    def _whose(self) -> str:
        if self.scope is Scope.FLEET:
            return f"by every agent of fleet {self.fleet}"
        where = f" in conversation {self.conversation}" if self.scope is Scope.CONVERSATION else ""
        return f"by agent {self.agent}{where}"

    @property
    def _seen(self) -> str:
        beside = f"no finding beside {', '.join(self.findings)}" if self.findings else "no finding"
        most = "rated UNKNOWN, LOW or MEDIUM" if self.risk is SecurityRisk.UNKNOWN else f"up to {self.risk}"
        return f"{most} with {beside}"


def grant_id(action_id: str) -> str:
    """The name of the grant that the approval of this action leaves: one action leaves one at most."""
    return f"g{sha256(action_id.encode()).hexdigest()[:12]}"


def digest_of_call(tool: str, arguments: Mapping[str, object]) -> str:
    """SHA-256 (64 hex digits) of a call, whoever makes it."""
    return digest_of("", "", tool, dict(arguments))


def saw(grants: tuple[Grant, ...], assessment: Assessment) -> bool:
    """Whether those who gave these saw at least this risk, and each of these findings.

    UNKNOWN is no level: only who saw UNKNOWN has seen it, and they have seen nothing HIGH by that. Where an
    assessment has as many findings as it keeps, others may have been cut off, which nobody has seen.
    """
    if assessment.failed or not grants or len(assessment.findings) >= MAX_FINDINGS:
        return False
    known = {name for grant in grants for name in grant.findings}
    if not all(finding.id in known for finding in assessment.findings):
        return False
    return any(_saw_risk(grant.risk, assessment.risk) for grant in grants)


def _saw_risk(seen: SecurityRisk, risk: SecurityRisk) -> bool:
    if seen is SecurityRisk.UNKNOWN:
        return risk is not SecurityRisk.HIGH
    return risk is not SecurityRisk.UNKNOWN and seen.is_riskier(risk)


def _command(command: SimpleCommand) -> str:
    words = " ".join(
        f"<a path below {word.below}/>" if isinstance(word, Below) else _shown(word)
        for word in command.words
    )
    return f" {command.join} {words}" if command.join else f" {words}"


def _shown(word: str) -> str:
    """A word as a shell would want it, so that ``a b`` and two words look different."""
    plain = word and all(char.isalnum() or char in "./:,@%+=^~_-" for char in word)
    return word if plain else "'" + word.replace("'", "'\\''") + "'"


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"
