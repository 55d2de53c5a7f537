"""Step: one thing that happened to an action, in words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel

from guardtier_workers.console.show import times

#: How a step is marked, beside its words: what let it run, what stopped it, what was refused, the rest.
Tone = Literal["asked", "waits", "yes", "no", "note", "refused"]


class Fact(BaseModel):
    """``name``: ours. ``value``: untrusted."""

    name: str
    value: str


class Step(BaseModel):
    """``at``: milliseconds since 1970, Redis' clock. ``words`` may hold names that others chose, ``quote``
    is what somebody wrote: all of it is untrusted text. ``by``: who did it, "" for the tier.
    """

    at: int
    entry: str = ""
    event: str
    tone: Tone = "note"
    words: str
    by: str = ""
    quote: str = ""
    facts: tuple[Fact, ...] = ()


def moment(at: object) -> str:
    """A time in milliseconds, for people, in UTC; as it is where it is none."""
    text = str(at)
    return times.moment(int(text)) if text.isascii() and text.isdigit() and len(text) < 16 else text


def clock(at: int) -> str:
    """The time of day alone, to the millisecond, in UTC."""
    try:
        return datetime.fromtimestamp(at / 1000, UTC).strftime("%H:%M:%S.%f")[:-3]
    except (ValueError, OverflowError, OSError):
        return str(at)


def lasting(ms: int | None) -> str:
    """How long, in words: "850 ms", "12 s", "3 min 5 s", "2 h 10 min", "4 d 3 h"."""
    if ms is None:
        return ""
    if ms < 1000:
        return f"{ms} ms"
    seconds = ms // 1000
    if seconds < 60:
        return f"{ms / 1000:.1f} s" if ms < 10_000 else f"{seconds} s"
    for size, name, rest, rest_name in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if seconds >= size:
            more = seconds % size // rest
            return f"{seconds // size} {name}" + (f" {more} {rest_name}" if more else "")
    return f"{seconds} s"
