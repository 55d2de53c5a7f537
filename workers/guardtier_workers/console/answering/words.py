"""Words: times, names and numbers as sentences have them."""

from __future__ import annotations

from collections.abc import Sequence

_UNITS = ((86_400_000, "day"), (3_600_000, "hour"), (60_000, "minute"), (1000, "second"))
_ORDINALS = ("1st", "2nd", "3rd")


def span(milliseconds: float) -> str:
    """``4 minutes 10 seconds``: the two largest units; less than a second is said so."""
    left, said = max(int(milliseconds), 0), []
    for size, name in _UNITS:
        number, left = divmod(left, size)
        if number:
            said.append(counted(number, name))
        elif said:
            break
        if len(said) == 2:
            break
    return " ".join(said) or "less than a second"


def counted(number: int, noun: str) -> str:
    """``1 approval``, ``2 approvals``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def ordinal(number: int) -> str:
    """``2nd``; of 1 to 20, which is as many as an action can wait for."""
    return _ORDINALS[number - 1] if number <= len(_ORDINALS) else f"{number}th"


def together(names: Sequence[str]) -> str:
    """``alice, bob and carol``."""
    *first, last = names or ("nobody",)
    return f"{', '.join(first)} and {last}" if first else last
