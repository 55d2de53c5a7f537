"""Tally: what the audit streams say since this console started, as counters for Prometheus.

It counts lines, never actions by their ids: no label is chosen by an agent. Fleets are registered by
operators; beyond ``MOST_FLEETS`` of them they count as one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

from guardtier.store.tail import Fields

MOST_FLEETS: Final = 1_000
MOST_RATED: Final = 50_000  #: actions that were rated and not yet decided, of which the time is known
TURNED_AWAY: Final = frozenset({"quota_exceeded", "queue_full"})
OTHERS: Final = "(others)"

#: Seconds. Policies decide in milliseconds, people within minutes or hours.
BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
ANSWER_BUCKETS: Final = (1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 14400.0, 86400.0)

VERDICTS: Final = frozenset({"released", "approved", "rejected", "expired"})
#: What may be refused; any other line that ends so counts as ``other``.
REFUSALS: Final = frozenset(
    {"refused", "answer_refused", "edit_refused", "halt_refused", "resume_refused", "configure_refused"}
    | {"look_refused", "grants_refused", "revoke_refused", "retry_refused"}
)

#: Called with an action's id, the event and when (ms): its record says more.
Ask = Callable[[str, str, int], None]


class Tally:
    """Takes the lines of every partition. ``ask`` is given what only the record can tell."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._rated: OrderedDict[str, int] = OrderedDict()
        self._fleets: set[str] = set()
        self.registry = CollectorRegistry()
        self._verdicts = self._counter(
            "guardtier_verdicts", "Actions that were decided, by whom", "fleet", "outcome", "by"
        )
        self._expired = self._counter("guardtier_expired", "Parked actions that nobody answered", "fleet")
        self._parked = self._counter("guardtier_parkings", "Actions that were parked", "fleet", "risk")
        self._closed = self._counter(
            "guardtier_failed_closed",
            "Actions that were parked since something failed, by the finding that says so",
            "fleet",
            "finding",
        )
        self._refused = self._counter("guardtier_refused", "Requests that were refused", "kind")
        self._turned = self._counter(
            "guardtier_turned_away", "Requests beyond a quota, or a queue's limit, by fleet", "fleet", "why"
        )
        self._decision = self._histogram(
            "guardtier_decision_seconds", "From an action's rating to the policy's decision", BUCKETS
        )
        self._answer = self._histogram(
            "guardtier_answer_seconds",
            "From an action's coming to a person's answer, or its deadline",
            ANSWER_BUCKETS,
        )

    def _counter(self, name: str, says: str, *labels: str) -> Counter:
        return Counter(name, says, labels, registry=self.registry)

    def _histogram(self, name: str, says: str, buckets: Sequence[float]) -> Histogram:
        return Histogram(name, says, ("outcome",), buckets=buckets, registry=self.registry)

    def line(self, entry: str, fields: Fields) -> None:
        """One line of an audit stream, and its entry."""
        event, action = _text(fields, b"event"), _text(fields, b"id")
        at = int(entry.partition("-")[0])
        if event == "assessed":
            self._remember(action, at)
        elif event == "parked":
            self._timed(action, event, at)
            self._ask(action, event, at)
        elif event in VERDICTS:
            self._verdict(fields, event, action, at)
        elif event == "turned_away":
            self._turned_away(fields)
        elif event.endswith("refused"):
            self._refused.labels(event if event in REFUSALS else "other").inc()

    def parked(self, fleet: str, risk: str, failures: frozenset[str]) -> None:
        """What a parked action's record said. ``failures``: the findings for which it failed closed."""
        known = self._fleet(fleet)
        self._parked.labels(known, risk).inc()
        for finding in failures:
            self._closed.labels(known, finding).inc()

    def answered(self, outcome: str, seconds: float) -> None:
        """How long an action waited for a person, from when it came."""
        self._answer.labels(outcome).observe(max(0.0, seconds))

    def _verdict(self, fields: Fields, event: str, action: str, at: int) -> None:
        fleet = self._fleet(_text(fields, b"fleet"))
        by_policy = event == "released" or (event == "rejected" and b"by" not in fields)
        by = "policy" if by_policy else "deadline" if event == "expired" else "person"
        self._verdicts.labels(fleet, event, by).inc()
        if event == "expired":
            self._expired.labels(fleet).inc()
        if by_policy:
            self._timed(action, event, at)
        else:
            self._ask(action, event, at)

    def _turned_away(self, fields: Fields) -> None:
        why, count = _text(fields, b"why"), _text(fields, b"count")
        if why in TURNED_AWAY and count.isdecimal() and len(count) < 10:
            self._turned.labels(self._fleet(_text(fields, b"fleet")), why).inc(int(count))

    def _remember(self, action: str, at: int) -> None:
        self._rated[action] = at
        while len(self._rated) > MOST_RATED:
            self._rated.popitem(last=False)

    def _timed(self, action: str, outcome: str, at: int) -> None:
        rated = self._rated.pop(action, None)
        if rated is not None:
            self._decision.labels(outcome).observe(max(0, at - rated) / 1000)

    def _fleet(self, fleet: str) -> str:
        if fleet not in self._fleets:
            if len(self._fleets) >= MOST_FLEETS:
                return OTHERS
            self._fleets.add(fleet)
        return fleet


def _text(fields: Fields, name: bytes) -> str:
    return fields.get(name, b"").decode(errors="backslashreplace")
