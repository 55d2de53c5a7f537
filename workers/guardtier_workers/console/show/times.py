"""Times for templates: moments as the page shows them before its script counts, spans in words."""

from __future__ import annotations

from datetime import UTC, datetime


def iso(ms: int) -> str:
    """For ``<time datetime>``. Milliseconds since 1970; what is no time is the epoch."""
    return _at(ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(ms: int) -> str:
    """``2026-11-21 16:20:11 UTC``."""
    return _at(ms).strftime("%Y-%m-%d %H:%M:%S UTC")


def clock_time(ms: int) -> str:
    """``16:20``, UTC."""
    return _at(ms).strftime("%H:%M")


def span_words(seconds: float) -> str:
    """``45 s``, ``4 min 10 s``, ``2 h 5 min``, ``3 d 4 h``; the largest two units."""
    whole = max(0, round(seconds))
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    found = []
    for unit, size in units:
        count, whole = divmod(whole, size)
        if count:
            found.append(f"{count} {unit}")
    return " ".join(found[:2]) or "0 s"


def _at(ms: int) -> datetime:
    try:
        return datetime.fromtimestamp(ms / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return datetime.fromtimestamp(0, UTC)
