"""Charts: figures as bars, drawn by the server. What each bar says is in words beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from guardtier_workers.console.story.figures import Counts, Figures
from guardtier_workers.console.story.step import lasting

HEIGHT: Final = 100.0  #: of the drawing; a bar is one wide, with a gap on both sides
_GAP: Final = 0.1
_LEAST: Final = 2.0  #: the height of a bar that is not nothing


@dataclass(frozen=True, slots=True)
class Bar:
    """Where it is in the drawing, and what it says. ``inner``: the height of the part that is filled."""

    x: float
    y: float
    width: float
    height: float
    inner: float
    words: str


@dataclass(frozen=True, slots=True)
class Chart:
    """``name`` and ``about``: what it shows. ``total`` and ``most`` in words. ``kind``: for its looks."""

    kind: str
    name: str
    about: str
    total: str
    most: str
    steps: int
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Series:
    """One chart's values. ``inner``: of the filled part, where that is not the whole bar."""

    kind: str
    name: str
    about: str
    value: Callable[[Counts], float | None]
    words: Callable[[float], str]
    inner: Callable[[Counts], float | None] | None = None
    top: float | None = None


def _count(value: float) -> str:
    return f"{int(value):,}"


def _percent(value: float) -> str:
    return f"{value * 100:.1f} %" if 0 < value < 0.1 else f"{value * 100:.0f} %"


def _time(value: float) -> str:
    return lasting(int(value))


SERIES: Final = (
    Series("approved", "Approved", "actions that people approved", lambda one: one.approved, _count),
    Series("rejected", "Rejected", "actions that people rejected", lambda one: one.rejected, _count),
    Series("expired", "Expired", "actions that nobody answered in time", lambda one: one.expired, _count),
    Series("parked", "Parked", "actions that were sent to people", lambda one: one.parked, _count),
    Series("released", "Released", "actions that the policy let go", lambda one: one.released, _count),
    Series("ruled", "Refused by rule", "rejected before anybody was asked", lambda one: one.ruled, _count),
    Series("rate", "Park rate", "parked, of all that came", lambda one: one.park_rate, _percent, top=1.0),
    Series(
        "time",
        "Time to an answer",
        "within which half of them came (filled), and 90 % (the whole bar)",
        lambda one: one.p90_ms,
        _time,
        inner=lambda one: one.p50_ms,
    ),
)


def charts_of(figures: Figures, when: Callable[[Counts], str]) -> tuple[Chart, ...]:
    """One for each series. ``when``: a step's time in words."""
    return tuple(_chart(series, figures, when) for series in SERIES)


def _chart(series: Series, figures: Figures, when: Callable[[Counts], str]) -> Chart:
    values = [series.value(step) for step in figures.steps]
    most = max((value for value in values if value is not None), default=0.0)
    top = series.top or most or 1.0
    total = series.value(figures.total)
    return Chart(
        kind=series.kind,
        name=series.name,
        about=series.about,
        total=_said(series, figures.total) if total is not None else "none",
        most=series.words(series.top or most) if most else "",
        steps=len(values),
        bars=tuple(_bars(series, figures.steps, top, when)),
    )


def _bars(series: Series, steps: Sequence[Counts], top: float, when: Callable[[Counts], str]) -> list[Bar]:
    found: list[Bar] = []
    for number, step in enumerate(steps):
        value = series.value(step)
        if not value:
            continue
        height = max(_LEAST, HEIGHT * value / top)
        part = series.inner(step) if series.inner else value
        found.append(
            Bar(
                x=number + _GAP,
                y=round(HEIGHT - height, 2),
                width=1 - 2 * _GAP,
                height=round(height, 2),
                inner=round(max(_LEAST, height * (part or 0) / value), 2),
                words=f"{when(step)}: {_said(series, step)}",
            )
        )
    return found


def _said(series: Series, counts: Counts) -> str:
    value = series.value(counts)
    if value is None:
        return ""
    half = series.inner(counts) if series.inner else None
    if half is None:
        return series.words(value)
    return f"half {series.words(half)}, 90 % {series.words(value)}"
