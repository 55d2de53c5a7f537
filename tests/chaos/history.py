"""History: what every client asked, when, and what it was told. One Call for each call of a client."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from time import monotonic, time
from typing import Any, NamedTuple

from guardtier.errors import GuardtierError
from guardtier.verdict import Verdict

#: What a person did; all other calls are an agent's.
ANSWERS = frozenset({"approve", "reject", "edit"})


@dataclass(slots=True)
class Call:
    """One call: who asked what about which action, and what came of it. Times are monotonic seconds.

    ``digest`` is that of the action which was asked for, or that an approver looked at; of an edit also
    ``edited``, the digest of what it makes of it. ``error`` is the code of what was raised, and ``limit``
    what it names. ``ran``: the agent ran its tool because of this call. ``over`` is False while nobody
    knows what became of it. An operator's ``halt``, ``resume`` or ``configure`` is about a fleet, and
    ``kind`` is how its line is known: the reason, or the policy's version.
    """

    op: str
    who: str
    id: str
    digest: str
    asked_at: float
    kind: str = ""
    edited: str | None = None
    ended_at: float | None = None
    state: str | None = None
    verdict: Verdict | None = None
    error: str | None = None
    detail: str = ""
    limit: int | str | None = None
    ran: bool = False

    @property
    def over(self) -> bool:
        return self.ended_at is not None

    def told(self, verdict: Verdict | None, state: str | None = None) -> Verdict | None:
        """It returned: this verdict, or only the state that stands."""
        self.ended_at = monotonic()
        self.verdict = verdict
        self.state = verdict.outcome.value if verdict is not None and state is None else state
        return verdict

    def failed(self, error: BaseException) -> None:
        """It raised."""
        self.ended_at = monotonic()
        self.error = error.code if isinstance(error, GuardtierError) else type(error).__name__
        self.limit = getattr(error, "limit", None)
        self.detail = str(error)

    def to_json(self) -> dict[str, Any]:
        said = {name: value for name, value in asdict(self).items() if value not in (None, "")}
        if self.verdict is not None:
            said["verdict"] = json.loads(self.verdict.to_json())
        return said


class Moment(NamedTuple):
    """When something was done: by the monotonic clock, and in milliseconds since 1970."""

    at: float
    at_ms: int


@dataclass
class History:
    """All calls of all clients, in the order in which they began; beside them, what an operator ordered,
    and which signing keys were revoked.
    """

    calls: list[Call] = field(default_factory=list)
    orders: list[Call] = field(default_factory=list)
    revoked: dict[str, Moment] = field(default_factory=dict)

    def begin(self, op: str, who: str, action_id: str, digest: str, **more: Any) -> Call:
        """A call begins. Whoever makes it says :meth:`Call.told` or :meth:`Call.failed` afterwards."""
        call = Call(op, who, action_id, digest, monotonic(), **more)
        self.calls.append(call)
        return call

    def order(self, op: str, who: str, fleet: str, kind: str) -> Call:
        """As :meth:`begin`, of an operator."""
        order = Call(op, who, fleet, "", monotonic(), kind)
        self.orders.append(order)
        return order

    def revoke(self, key_id: str) -> None:
        """This signing key has just been revoked."""
        self.revoked[key_id] = Moment(monotonic(), int(time() * 1000))

    def __iter__(self) -> Iterator[Call]:
        return iter(self.calls)

    def __len__(self) -> int:
        return len(self.calls)

    @property
    def errors(self) -> list[Call]:
        """The calls of agents that raised."""
        return [call for call in self.calls if call.error is not None and call.op not in ANSWERS]

    def longest_stall(self, start: float, end: float) -> float:
        """The longest time (s) in which no agent was told any verdict."""
        told = sorted(
            call.ended_at
            for call in self.calls
            if call.verdict is not None and call.ended_at and call.op not in ANSWERS
        )
        return longest_gap([start, *(at for at in told if start <= at <= end), end])

    def write(self, file: Path) -> None:
        """One line a call, for whoever wants to see what happened."""
        with file.open("w", encoding="utf-8") as out:
            for call in (*self.calls, *self.orders):
                out.write(json.dumps(call.to_json()) + "\n")


def longest_gap(times: Iterable[float]) -> float:
    """The longest time between two neighbours."""
    return max((later - at for at, later in pairwise(times)), default=0.0)
