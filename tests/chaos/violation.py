"""Violation: one promise that was broken, by its kind; and which column of the table a kind counts in."""

from __future__ import annotations

from dataclasses import dataclass

#: Something was asked, decided, answered or written down, and is not there any more.
LOST = frozenset(
    {
        "no-end",
        "unanswered",
        "undecided",
        "overdue",
        "parked-unlisted",
        "record-missing",
        "told-not-recorded",
        "answer-lost",
        "redeemed-unused",
        "chain-gap",
        "order-lost",
        "order-forgotten",
    }
)
#: Something happened twice that happens once.
DOUBLE = frozenset({"assessed-twice", "ended-twice", "entry-twice", "told-two", "ran-twice"})


@dataclass(frozen=True, slots=True)
class Violation:
    """``kind`` is a slug, ``id`` the action's, ``text`` says what was seen."""

    kind: str
    id: str
    text: str = ""

    @property
    def column(self) -> str:
        """``lost``, ``double`` or ``wrong``."""
        return "lost" if self.kind in LOST else "double" if self.kind in DOUBLE else "wrong"

    def __str__(self) -> str:
        return f"{self.kind} {self.id}: {self.text}"
