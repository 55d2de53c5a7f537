"""``/workers`` and ``/queues``: who works, and what waits to be worked on."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from guardtier.action import NAME
from guardtier.store.queues import Queue as QueueRead
from guardtier_workers.console.api.endpoint import Call, Endpoint
from guardtier_workers.console.ops.readings import Worker as WorkerRead
from guardtier_workers.console.query import Query
from guardtier_workers.lane import ALIVE_MS


class Child(BaseModel):
    """A child analyzer: its votes since the worker started, and what one took on average."""

    child: str
    votes: int
    mean_microseconds: float


class Worker(BaseModel):
    """A worker that lives. What it counts began when it ``started`` (ms since 1970; null: it does not say).

    ``failed``: deliveries that come again. ``per_second``: handled, within the last minute; null: too soon.
    ``heartbeat_age``: seconds since its last sign of life. ``partitions`` in which it is heard of.
    """

    name: str
    kind: str
    handled: int
    failed: int
    in_work: int
    started: int | None
    heartbeat_age: float
    partitions: int
    per_second: float | None
    children: list[Child]


class Pool(BaseModel):
    """A pool of analyzers, and whether a worker of it lives."""

    pool: str
    alive: bool


class Workers(BaseModel):
    """``steward``: whether one takes its jobs; null: the console may not read that."""

    workers: list[Worker]
    steward: bool | None
    pools: list[Pool]


class Queue(BaseModel):
    """``kind``: actions (what a fleet's agents ask), assessed, answers, outbox, edits, strays.

    ``pending``: in the hands of a worker. ``unread``: of nobody yet; where not ``exact`` that many at the
    most. ``oldest``: when the oldest of both came (ms since 1970); null: nothing waits.
    """

    kind: str
    fleet: str | None
    length: int
    pending: int
    unread: int
    exact: bool
    oldest: int | None


class Queues(BaseModel):
    """``shared``: those of the whole tier. ``after``: where the next page of fleets begins; null: none."""

    shared: list[Queue]
    fleets: list[Queue]
    after: str | None


class FleetsAfter(Query):
    """``after``: the last fleet of the page before."""

    after: Annotated[str, StringConstraints(pattern=NAME)] | None = None
    limit: int = Field(default=50, ge=1, le=100)


async def list_workers(call: Call) -> Workers:
    readings = call.console.ops.readings
    return Workers(
        workers=[worker_view(one) for one in await readings.workers()],
        steward=await readings.steward(),
        pools=[Pool(pool=pool, alive=alive) for pool, alive in await readings.pools()],
    )


async def list_queues(call: Call) -> Queues:
    readings, me = call.console.ops.readings, call.visitor.me
    names = [fleet for fleet in await readings.fleets() if me.sees(fleet)]
    shown, after = page_of(names, call.query)
    return Queues(
        shared=[queue_view(one) for one in await readings.tier_queues()],
        fleets=[queue_view(one) for one in await readings.fleet_queues(shown)],
        after=after,
    )


def page_of(names: list[str], query: FleetsAfter) -> tuple[list[str], str | None]:
    """The fleets of this page, and where the next one begins."""
    ahead = [name for name in names if query.after is None or name > query.after]
    shown = ahead[: query.limit]
    return shown, shown[-1] if len(ahead) > len(shown) else None


def worker_view(one: WorkerRead) -> Worker:
    beat = one.beat
    return Worker(
        **beat.model_dump(include={"name", "kind", "handled", "failed", "in_work", "partitions"}),
        started=beat.started or None,
        heartbeat_age=max(0, ALIVE_MS - beat.lasts) / 1000,
        per_second=None if one.per_second is None else round(one.per_second, 3),
        children=[
            Child(child=child, votes=votes, mean_microseconds=round(micros / votes, 1) if votes else 0.0)
            for child, (votes, micros) in sorted(beat.children.items())
        ],
    )


def queue_view(one: QueueRead) -> Queue:
    return Queue(
        kind=one.kind,
        fleet=one.fleet,
        length=one.length,
        pending=one.pending,
        unread=one.unread,
        exact=one.is_exact,
        oldest=one.oldest,
    )


ENDPOINTS = (
    Endpoint("GET", "/workers", list_workers, Workers, "The workers that live", tag="workers"),
    Endpoint(
        "GET", "/queues", list_queues, Queues, "What waits to be worked on",
        query=FleetsAfter, tag="workers",
    ),
)  # fmt: skip
