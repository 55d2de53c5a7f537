"""Rule: one ``[[rule]]`` of a policy file: what it matches, and what is to be done then."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    model_validator,
)

from guardtier.policy.hours import Hours
from guardtier.policy.ruling import Effect
from guardtier.policy.terms import Terms
from guardtier.risk import SecurityRisk

MAX_GLOBS = 200  #: of one matcher
MAX_REASON = 1000  #: characters told to the agent

RULE_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
#: Verdicts name these where no rule of the file decided.
RESERVED = frozenset({"block", "halt", "grant", "default"})

#: Who releases what is HIGH or UNKNOWN without saying so, releases nothing.
RISKY = frozenset({SecurityRisk.HIGH, SecurityRisk.UNKNOWN})
_LEVELS = (SecurityRisk.LOW, SecurityRisk.MEDIUM, SecurityRisk.HIGH)


def never(what: str) -> ValueError:
    return ValueError(f"{what}: the rule can never match")


def _globs(allowed: str, longest: int) -> Callable[[Any], Any]:
    """A validator: one text or several, each of the characters that the matched texts have, and stars."""
    pattern = re.compile(allowed)

    def check(value: Any) -> Any:
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list | tuple):
            return value
        if not texts:
            raise never("empty (leave it out to match everything)")
        for text in texts:
            if not isinstance(text, str):
                return value  # pydantic says what it is
            if not text or len(text.replace("*", "")) > longest or pattern.fullmatch(text) is None:
                raise never(f"{text[:60]!r} holds characters, or a length, that none of these have")
        return tuple(texts)

    return check


def _risks(value: Any) -> Any:
    """``"HIGH"``, a list, or ``{ at_least = "MEDIUM" }``, which counts UNKNOWN in."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list) and not value:
        raise never("empty (leave it out to match every risk)")
    if not isinstance(value, dict):
        return value
    lowest, unknown = value.get("at_least"), value.get("unknown", True)
    if set(value) - {"at_least", "unknown"} or lowest not in list(_LEVELS) or not isinstance(unknown, bool):
        raise ValueError('write "HIGH", ["HIGH", "UNKNOWN"] or { at_least = "MEDIUM", unknown = true }')
    above = tuple(level for level in _LEVELS if level >= SecurityRisk(lowest))
    return (*above, SecurityRisk.UNKNOWN) if unknown else above


_Many = Field(max_length=MAX_GLOBS)
Names = Annotated[tuple[str, ...], BeforeValidator(_globs(r"[A-Za-z0-9_*-]+", 64)), _Many]
Labels = Annotated[tuple[str, ...], BeforeValidator(_globs(r"[!-~]+", 128)), _Many]
Tools = Annotated[tuple[str, ...], BeforeValidator(_globs(r"[^\x00]+", 256)), _Many]
Ids = Annotated[tuple[str, ...], BeforeValidator(_globs(r"[a-z0-9_.*]+", 128)), _Many]
Marks = Annotated[tuple[str, ...], BeforeValidator(_globs(r"[A-Za-z0-9_*-]+", 40)), _Many]
Targets = Annotated[tuple[str, ...], BeforeValidator(_globs(r"[^\x00]+", 4096)), _Many]
Risks = Annotated[tuple[SecurityRisk, ...], BeforeValidator(_risks)]


class Rule(BaseModel):
    """Where all its matchers hold, the action gets its outcome, unless another rule is stricter.

    A matcher that is left out holds for everything; ``*`` in one stands for any characters. ``release``
    counts for what is HIGH or UNKNOWN only with ``release_high`` and an ``owner``. ``mode`` ``shadow``:
    what it would change is recorded, and nothing changes. ``terms``: where it parks; without them, those
    of the fleet. ``reason``: where it rejects, told to the agent.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, StringConstraints(pattern=RULE_NAME)]
    owner: Annotated[str, StringConstraints(max_length=200)] = ""
    outcome: Effect
    mode: Literal["enforce", "shadow"] = "enforce"
    fleet: Names | None = None
    agent: Labels | None = None
    conversation: Labels | None = None
    tool: Tools | None = None
    risk: Risks | None = None
    finding: Ids | None = None
    label: Ids | None = None
    redacted: Marks | None = None
    target: Targets | None = None
    time: Hours | None = None
    when: Annotated[str, StringConstraints(min_length=1)] | None = None
    release_high: StrictBool = False
    reason: Annotated[str, StringConstraints(max_length=MAX_REASON)] = ""
    terms: Terms | None = None

    @model_validator(mode="after")
    def _has_its_own_name(self) -> Self:
        if self.name in RESERVED:
            raise ValueError(f"the name {self.name!r} is taken: verdicts use it where no rule decided")
        return self

    @model_validator(mode="after")
    def _says_nothing_in_vain(self) -> Self:
        if self.terms is not None and self.outcome is not Effect.PARK:
            raise ValueError(f'terms are for outcome = "park", not for "{self.outcome.value}"')
        if self.reason and self.outcome is not Effect.REJECT:
            raise ValueError(f'reason is for outcome = "reject", not for "{self.outcome.value}"')
        return self

    @model_validator(mode="after")
    def _releases_high_knowingly(self) -> Self:
        if not self.release_high:
            if self.outcome is Effect.RELEASE and self.risk and RISKY.issuperset(self.risk):
                raise never("it releases what is HIGH or UNKNOWN without release_high = true and an owner")
            return self
        if self.outcome is not Effect.RELEASE:
            raise ValueError(f'release_high is for outcome = "release", not for "{self.outcome.value}"')
        if not self.owner.strip():
            raise ValueError("release_high needs an owner: who answers for releasing what is HIGH")
        if self.risk and RISKY.isdisjoint(self.risk):
            raise ValueError("release_high says nothing here: risk names neither HIGH nor UNKNOWN")
        return self

    @property
    def risks(self) -> frozenset[SecurityRisk]:
        """The risks that it counts for."""
        named = frozenset(self.risk or SecurityRisk)
        return named - RISKY if self.outcome is Effect.RELEASE and not self.release_high else named

    @property
    def asks(self) -> bool:
        """Whether it looks at more than the facts at hand: at the action, or at what it touches."""
        return self.when is not None or self.target is not None
