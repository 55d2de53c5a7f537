"""What a replay came to: recorded decisions, what is decided now, and the changes, by rule."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from guardtier.action import ActionEvent
from guardtier.policy.ruling import Effect
from guardtier.risk import SecurityRisk
from guardtier.store.trail import Line

EXAMPLES = 3  #: kept of each kind of change
ABOVE = frozenset({"halt", "block"})  #: what a decision names as its rule that no policy made
MAX_KINDS = 500  #: of changes; what comes beyond them is only counted

_FIRST = {"released": Effect.RELEASE, "parked": Effect.PARK, "rejected": Effect.REJECT}


@dataclass(frozen=True, slots=True)
class Decided:
    """A recorded decision. ``rules`` are those of the policy that decided; none: its default."""

    id: str
    partition: int
    at: int
    effect: Effect
    policy: str
    rules: tuple[str, ...] = ()
    by_policy: bool = True  #: else a halt, a block or a grant decided, above the policy

    @classmethod
    def on(cls, line: Line) -> Decided | None:
        """The first decision on an action that this line tells of; None where it tells of something else.

        A rejection by a person has a ``by``: their action was parked, which stands in another line.
        """
        effect = _FIRST.get(line.text("event"))
        if effect is None or b"by" in line.fields:
            return None
        details = _details(line)
        would, by = details.get("would"), "would_by" if details.get("would") else "rules"
        stopped = not ABOVE.isdisjoint(str(name) for name in details.get("rules") or ())
        return cls(
            id=line.text("id"),
            partition=line.partition,
            at=line.at,
            effect=Effect(would) if would in list(Effect) else effect,
            policy=line.text("policy"),
            rules=tuple(str(name) for name in details.get(by) or ()),
            by_policy=not stopped and not details.get("grant"),
        )


@dataclass(frozen=True, slots=True)
class Replayed:
    """One action, decided on once more. ``was`` is the recorded decision, ``rated`` the recorded risk.

    ``shadow``: the fleet or the rule is in shadow mode, so ``now`` would not be done but recorded.
    """

    action: ActionEvent
    was: Decided
    now: Effect
    policy: str
    rules: tuple[str, ...]
    rated: SecurityRisk
    risk: SecurityRisk
    shadow: bool = False

    @property
    def changed(self) -> bool:
        return self.now is not self.was.effect


#: Of changes: from which outcome to which, by which rules before and after, and whether in shadow mode.
Kind = tuple[Effect, Effect, tuple[str, ...], tuple[str, ...], bool]


@dataclass(slots=True)
class Change:
    """Actions that would be decided on otherwise, by the same rules, from the same outcome."""

    was: Effect
    now: Effect
    was_rules: tuple[str, ...]
    rules: tuple[str, ...]
    shadow: bool = False
    count: int = 0
    rated_otherwise: int = 0  #: of these, so many are rated otherwise than they were
    examples: list[Replayed] = field(default_factory=list)

    def add(self, one: Replayed) -> None:
        self.count += 1
        self.rated_otherwise += one.rated is not one.risk
        if len(self.examples) < EXAMPLES:
            self.examples.append(one)


@dataclass(slots=True)
class Report:
    """What a replay came to. ``gone``: decided on, but the record is past its retention.

    ``unread``: what nobody could read then, and is parked whatever the policy. ``beyond``: what a halt, a
    block or a grant decided. ``edited``: an approver has changed the action since. ``more`` counts
    changes of kinds beyond MAX_KINDS.
    """

    replayed: int = 0
    gone: int = 0
    unread: int = 0
    beyond: int = 0
    edited: int = 0
    rated_otherwise: int = 0
    more: int = 0
    changes: dict[Kind, Change] = field(default_factory=dict)

    def add(self, one: Replayed) -> None:
        self.replayed += 1
        self.rated_otherwise += one.rated is not one.risk
        if not one.changed:
            return
        kind = (one.was.effect, one.now, one.was.rules, one.rules, one.shadow)
        if kind not in self.changes and len(self.changes) >= MAX_KINDS:
            self.more += 1
            return
        self.changes.setdefault(kind, Change(*kind)).add(one)

    @property
    def sorted(self) -> list[Change]:
        """Newly rejected first, then newly parked, then newly released; the most frequent first."""
        return sorted(self.changes.values(), key=lambda one: (-one.now.strictness, -one.count))

    def newly(self, effect: Effect) -> int:
        """How many would newly be released, parked or rejected."""
        return sum(one.count for one in self.changes.values() if one.now is effect)


def _details(line: Line) -> dict[str, Any]:
    try:
        found = orjson.loads(line.fields.get(b"details", b"{}"))
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
