"""What compare.py tells: one table a set, a line a side."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

EXPECTS = ("HIGH", "FLAG", "ANY", "LOW")


class Pass(NamedTuple):
    """One pass of one side over a file: hits and rows of each expectation, and µs of each row."""

    hits: dict[str, tuple[int, int]]
    us: Sequence[int]


def lines(name: str, sides: Mapping[str, Sequence[Pass]]) -> Iterator[str]:
    """The table of one set: what each side parked (FLAG: at least flagged), and what that cost."""
    first = next(passes[0] for passes in sides.values() if passes)
    expects = [(expect, first.hits[expect][1]) for expect in EXPECTS if expect in first.hits]
    heads = (f"{f'{expect} ({rows:,})':>14}" for expect, rows in expects)
    yield f"{name:<40}{''.join(heads)}  {'µs: median / mean / p99':>26}"
    for side, passes in sides.items():
        if not passes:
            yield f"{side:<40}  could not be measured"
            continue
        shares = (f"{passes[0].hits[expect][0] / rows:>14.1%}" for expect, rows in expects)
        yield f"{side:<40}{''.join(shares)}  {cost(passes):>26}"


def cost(passes: Sequence[Pass]) -> str:
    """Median, mean and p99 over the rows, of each row's best pass."""
    best = sorted(map(min, zip(*(one.us for one in passes), strict=True)))
    return f"{statistics.median(best):.0f} / {statistics.mean(best):.0f} / {best[len(best) * 99 // 100]}"
