"""Flatness: whether a figure that was sampled for minutes still grows, whatever outliers it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

WARM_UP = 0.35  #: of the time, which is not looked at: caches fill, and what is kept reaches its age
POINTS = 60  #: the slope is the median over all pairs of so many medians
STEADY = 0.03  #: growth over the time looked at, of the figure itself, that counts as none


@dataclass(frozen=True, slots=True)
class Flatness:
    """``first`` and ``last``: the medians of the first and the last third of what was looked at.

    ``grows``: by how much over that time, by the slope; ``may``: what would still count as flat.
    """

    first: float
    last: float
    peak: float
    grows: float
    may: float

    @property
    def is_flat(self) -> bool:
        return self.grows <= self.may


def flatness(samples: Sequence[tuple[float, float]], *, least: float) -> Flatness:
    """Of (seconds, figure) in order. It is flat where it grows by STEADY, or ``least``, at the most.

    The slope is Theil and Sen's: the median of the slopes between all pairs of points, so that what goes
    up and down (a stream that is trimmed once a minute) is not taken for growth. Raises ValueError where
    there are fewer than nine samples.
    """
    if len(samples) < 9:
        raise ValueError("too few samples to say anything: run for longer")
    began, ended = samples[0][0], samples[-1][0]
    steady = [one for one in samples if one[0] >= began + WARM_UP * (ended - began)]
    points = _thinned(steady)
    slopes = [(b - a) / (t - s) for (s, a), (t, b) in combinations(points, 2) if t > s]
    values = [value for _, value in steady]
    third = max(1, len(values) // 3)
    middle = median(values)
    return Flatness(
        first=median(values[:third]),
        last=median(values[-third:]),
        peak=max(value for _, value in samples),
        grows=median(slopes) * (steady[-1][0] - steady[0][0]),
        may=max(least, STEADY * middle),
    )


def _thinned(samples: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    size = -(-len(samples) // POINTS)
    parts = [samples[start : start + size] for start in range(0, len(samples), size)]
    return [(median(t for t, _ in part), median(v for _, v in part)) for part in parts]
