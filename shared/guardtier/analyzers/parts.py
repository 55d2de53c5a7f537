"""CodePart: code in one language, and where it stands in an action."""

from __future__ import annotations

from typing import Final, NamedTuple

from guardtier.analyzers.fields import Field, Span
from guardtier.analyzers.shell import Context
from guardtier.analyzers.shell.model import PLAIN
from guardtier.assessment import Finding
from guardtier.risk import SecurityRisk

#: Commands, statements, paths or addresses of one action that are rated, at 50 to 130 µs each. A megabyte
#: holds 70,000: with more than these the action is HIGH, and the rest is not looked at.
MAX_PARTS: Final = 1000


class CodePart(NamedTuple):
    """Code in one language. ``span`` is where it stands in ``field.text``.

    ``written`` says that the action only writes it to a file; it does not run it.
    """

    field: Field
    text: str
    span: Span
    context: Context = PLAIN
    written: bool = False

    def place(self, start: int, end: int) -> Span | None:
        """A span in ``text`` as a finding gives it: in the field, the whole part where it differs."""
        first, last = self.span
        if last - first == len(self.text):
            return self.field.place(first + start, first + end)
        return self.field.place(first, last)


def too_many(analyzer: str, what: str) -> Finding:
    """Where an action holds more than :data:`MAX_PARTS`; ``what`` they are, in plain words."""
    message = f"Holds more {what} than are read ({MAX_PARTS:,}). Split it up."
    return Finding(id=f"{analyzer}.too_many", risk=SecurityRisk.HIGH, message=message)
