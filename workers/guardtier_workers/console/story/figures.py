"""Figures: what the tally comes to over an hour, a day or a week, for the fleets that somebody sees."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from pydantic import BaseModel, StringConstraints

from guardtier.action import NAME
from guardtier.look import Me
from guardtier_workers.console.query import Query
from guardtier_workers.console.story.following import Following
from guardtier_workers.console.story.tally import KINDS, Cell, waiting

_MINUTE: Final = 60_000


class Span(StrEnum):
    """How much of the past, and in which steps: 12 of five minutes, 24 of an hour, 28 of six hours."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"

    @property
    def step_ms(self) -> int:
        return {"hour": 5 * _MINUTE, "day": 60 * _MINUTE, "week": 360 * _MINUTE}[self.value]

    @property
    def steps(self) -> int:
        return {"hour": 12, "day": 24, "week": 28}[self.value]


class FiguresQuery(Query):
    """``fleet``: all that the visitor sees where it is left out."""

    span: Span = Span.DAY
    fleet: Annotated[str, StringConstraints(pattern=NAME)] | None = None


class Counts(BaseModel):
    """From ``at`` until before ``until`` (ms since 1970). ``ruled``: rejected by a policy, block or halt
    before anybody was asked; ``rejected``: by people. ``park_rate``: parked of all that was decided on by
    policies (0 to 1). ``p50_ms`` and ``p90_ms``: within which half, and nine of ten, of the answers (or
    deadlines) came, to 20 %. Null where there was none.
    """

    at: int
    until: int
    released: int
    parked: int
    ruled: int
    approved: int
    rejected: int
    expired: int
    park_rate: float | None
    p50_ms: int | None
    p90_ms: int | None


class Figures(BaseModel):
    """``since``: from when on everything is counted (ms); 0 for all that the audit streams hold. ``ready``:
    false while what they held at the start is being counted. ``trouble``: "" or why nothing new is counted.
    """

    span: Span
    fleet: str | None
    fleets: list[str]
    since: int
    ready: bool
    trouble: str
    steps: list[Counts]
    total: Counts


def figures_of(following: Following, query: FiguresQuery, me: Me, *, now: int) -> Figures:
    """Up to ``now`` (ms), the step under way included."""
    tally, width = following.tally, query.span.step_ms
    fleets = sorted(fleet for fleet in tally.fleets if me.sees(fleet))
    wanted = frozenset(fleets) & ({query.fleet} if query.fleet else frozenset(fleets))
    end = (now // width + 1) * width
    start = end - query.span.steps * width

    def counted(at: int, until: int) -> Counts:
        return _counts(at, until, tally.sum(at, until, wanted.__contains__))

    return Figures(
        span=query.span,
        fleet=query.fleet,
        fleets=fleets,
        since=following.since,
        ready=following.ready,
        trouble=following.trouble,
        steps=[counted(at, at + width) for at in range(start, end, width)],
        total=counted(start, end),
    )


def _counts(at: int, until: int, cell: Cell) -> Counts:
    kinds = dict(zip(KINDS, cell, strict=False))
    decided = kinds["released"] + kinds["parked"] + kinds["ruled"]
    return Counts(
        at=at,
        until=until,
        **kinds,
        park_rate=kinds["parked"] / decided if decided else None,
        p50_ms=waiting(cell, 0.5),
        p90_ms=waiting(cell, 0.9),
    )
