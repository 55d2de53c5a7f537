"""Gauges: how the tier is at the moment, as families of metrics for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

from guardtier.store.exports import Behind
from guardtier.store.heartbeats import Heartbeat
from guardtier.store.queues import Queue
from guardtier_workers.console.ops.waiting import Waiting
from guardtier_workers.lane import ALIVE_MS

KINDS: Final = ("analyzer", "policy")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one scrape shows. ``redis``: whether it answered; where not, the rest of it is left out, but
    for what this console has in memory.
    """

    now_ms: int
    redis: bool
    board_live: bool
    board_cut: bool = False
    waiting: Mapping[str, Waiting] = field(default_factory=dict)
    workers: Sequence[Heartbeat] = ()
    queues: Sequence[Queue] = ()
    dead: int = 0
    fleets: int = 0
    steward: bool | None = None
    pools: Sequence[tuple[str, bool]] = ()
    turned_away: Mapping[str, int] = field(default_factory=dict)
    exports: Sequence[Behind] = ()


def exposition(snapshot: Snapshot, counted: CollectorRegistry) -> bytes:
    """The text that Prometheus reads."""
    registry = CollectorRegistry()
    registry.register(_Families(snapshot))
    return generate_latest(registry) + generate_latest(counted)


class _Families(Collector):
    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        told = self._snapshot
        yield _one("guardtier_redis_up", "Whether Redis answered the console", told.redis)
        yield _one("guardtier_board_live", "Whether the console knows all that is parked", told.board_live)
        yield _one("guardtier_board_cut", "Whether more is parked than the console holds", told.board_cut)
        yield _turned_away(told.turned_away)
        yield from _of_waiting(told.waiting, told.now_ms)
        if told.redis:
            yield _one("guardtier_fleets", "Fleets that are registered", told.fleets)
            yield _one("guardtier_dead_letters", "Copies of what no worker could handle", told.dead)
            yield from _of_queues(told.queues, told.now_ms)
            yield from _of_workers(told.workers)
            if told.steward is not None:
                yield _one("guardtier_steward_up", "Whether a steward takes its jobs", told.steward)
            yield from _of_pools(told.pools)
            yield from _of_exports(told.exports, told.now_ms)


def _one(name: str, says: str, value: float) -> Metric:
    return GaugeMetricFamily(name, says, value=float(value))


def _turned_away(counts: Mapping[str, int]) -> Metric:
    away = CounterMetricFamily(
        "guardtier_console_turned_away", "Requests that the console's gate turned away", labels=("kind",)
    )
    for kind, count in sorted(counts.items()):
        away.add_metric((kind,), count)
    return away


def _of_waiting(waiting: Mapping[str, Waiting], now_ms: int) -> Iterator[Metric]:
    counts = GaugeMetricFamily(
        "guardtier_parked", "Actions that wait for a person", labels=("fleet", "risk")
    )
    ages = GaugeMetricFamily(
        "guardtier_parked_oldest_seconds", "How long the oldest parked action has waited", labels=("fleet",)
    )
    for fleet, found in sorted(waiting.items()):
        for risk, count in found.by_risk.items():
            counts.add_metric((fleet, risk.value), count)
        if found.oldest is not None:
            ages.add_metric((fleet,), max(0, now_ms - found.oldest) / 1000)
    yield counts
    yield ages


def _of_queues(queues: Iterable[Queue], now_ms: int) -> Iterator[Metric]:
    labels = ("queue", "fleet")
    unread = GaugeMetricFamily(
        "guardtier_queue_unread", "Entries that no worker has taken yet (below Redis 7.0: at most)",
        labels=labels,
    )  # fmt: skip
    pending = GaugeMetricFamily(
        "guardtier_queue_pending", "Entries in the hands of a worker", labels=labels
    )
    age = GaugeMetricFamily(
        "guardtier_queue_lag_seconds", "How long the oldest of both has been there", labels=labels
    )
    for queue in queues:
        key = (queue.kind, queue.fleet or "")
        unread.add_metric(key, queue.unread)
        pending.add_metric(key, queue.pending)
        age.add_metric(key, 0 if queue.oldest is None else max(0, now_ms - queue.oldest) / 1000)
    yield from (unread, pending, age)


def _of_workers(workers: Iterable[Heartbeat]) -> Iterator[Metric]:
    alive = GaugeMetricFamily("guardtier_workers", "Workers that live", labels=("kind",))
    labels = ("kind", "worker")
    age = GaugeMetricFamily(
        "guardtier_worker_heartbeat_age_seconds", "Since a worker's last sign of life", labels=labels
    )
    busy = GaugeMetricFamily("guardtier_worker_in_work", "Deliveries in work", labels=labels)
    handled = CounterMetricFamily("guardtier_worker_handled", "Deliveries that were handled", labels=labels)
    failed = CounterMetricFamily("guardtier_worker_failed", "Deliveries that come again", labels=labels)
    took = SummaryMetricFamily(
        "guardtier_analyzer_seconds", "What child analyzers took for a vote", labels=("child", "worker")
    )
    found = list(workers)
    for kind in dict.fromkeys((*KINDS, *(one.kind for one in found))):
        alive.add_metric((kind,), sum(one.kind == kind for one in found))
    for one in found:
        key = (one.kind, one.name)
        age.add_metric(key, max(0, ALIVE_MS - one.lasts) / 1000)
        busy.add_metric(key, one.in_work)
        handled.add_metric(key, one.handled)
        failed.add_metric(key, one.failed)
        for child, (votes, micros) in one.children.items():
            took.add_metric((child, one.name), count_value=votes, sum_value=micros / 1e6)
    yield from (alive, age, busy, handled, failed, took)


def _of_pools(pools: Iterable[tuple[str, bool]]) -> Iterator[Metric]:
    up = GaugeMetricFamily("guardtier_pool_up", "Whether a worker of a pool lives", labels=("pool",))
    for pool, lives in pools:
        up.add_metric((pool,), lives)
    yield up


def _of_exports(exports: Iterable[Behind], now_ms: int) -> Iterator[Metric]:
    labels = ("export", "partition")
    lacks = GaugeMetricFamily(
        "guardtier_audit_unexported", "Audit lines that an export lacks", labels=labels
    )
    faults = GaugeMetricFamily(
        "guardtier_audit_faults", "How often a chain was wrong when it was exported", labels=labels
    )
    waits = GaugeMetricFamily(
        "guardtier_audit_waiting_seconds", "For how long a line has waited to be exported", labels=labels
    )
    for one in exports:
        key = (one.export, str(one.partition))
        lacks.add_metric(key, one.lines)
        faults.add_metric(key, one.reached.faults if one.reached else 1)  # damaged: that is one
        waits.add_metric(key, one.waits(now_ms))
    yield from (lacks, faults, waits)
