"""Parameters: what ``${…}`` comes to, operator by operator."""

from __future__ import annotations

from typing import Protocol

from guardtier.analyzers.shell.variables import (
    BREAK,
    UNKNOWN,
    Expansion,
    Variables,
    cased,
    cut_out,
    replaced,
    trimmed,
)

DEEPEST = 24  #: ``${a:-${b:-…}}``


class Expands(Protocol):
    """What this needs of the expander that it is part of."""

    text: str
    variables: Variables
    hidden: bool
    sliced: bool
    cut: bool

    def value(self, start: int, end: int) -> str: ...

    def inner_regions(self, start: int, end: int) -> None: ...


class Parameters:
    """Expands parameters for one expander."""

    def __init__(self, expander: Expands) -> None:
        self.expander = expander
        self.depth = 0

    def value(self, start: int, end: int, *, quoted: bool) -> str:
        """What stands between the braces, from ``start`` to ``end``."""
        expander = self.expander
        if self.depth >= DEEPEST:
            expander.cut = True
            expander.inner_regions(start, end)
            return UNKNOWN
        self.depth += 1
        found = self._operated(Expansion(expander.text, start, end), end, quoted=quoted)
        self.depth -= 1
        return found

    def _operated(self, found: Expansion, end: int, *, quoted: bool) -> str:
        value = self._subject(found, quoted=quoted)
        if not found.name:
            self.expander.inner_regions(found.operand, end)
        if not found.op or not found.name:
            return UNKNOWN if value is None else value
        if found.op == ":":
            return self._slice(found, value, end)
        operand = self.expander.value(found.operand, end)
        if found.op[-1] in "-=?+":
            return self._default(found, value, operand)
        return UNKNOWN if value is None else self._changed(found, value, operand)

    def _changed(self, found: Expansion, value: str, operand: str) -> str:
        """``${x#a}``, ``${x/a/b}``, ``${x^^}`` and their kin."""
        op = found.op
        if op[0] in "#%":
            return self._spelt(found, trimmed(value, op, operand))
        if op[0] == "/":
            return replaced(value, op, operand)
        return cased(value, op) if op[0] in "^," else value

    def _subject(self, found: Expansion, *, quoted: bool) -> str | None:
        array = self.expander.variables.arrays.get(found.name)
        if found.length:
            value = self.expander.variables.get(found.name)
            return UNKNOWN if value is None or UNKNOWN in value else str(len(value))
        if array is not None and found.index is not None:
            if found.index in ("@", "*"):
                return BREAK.join(array) if found.index == "@" or not quoted else " ".join(array)
            index = found.index.strip()
            return array[int(index)] if index.isdecimal() and int(index) < len(array) else UNKNOWN
        value = self.expander.variables.get(found.name)
        if value is None and array:
            value = array[0]
        if found.indirect and value is not None:
            return self.expander.variables.get(value)
        if value is None and found.name in ("@", "*") and not found.op:
            return UNKNOWN
        return value

    def _slice(self, found: Expansion, value: str | None, end: int) -> str:
        known = self.expander.variables.sliced(found.name)
        if known is not None:
            value = known
        where = self.expander.value(found.operand, end)
        if value is None:
            return UNKNOWN
        self.expander.sliced = True
        return self._spelt(found, cut_out(value, where))

    def _spelt(self, found: Expansion, value: str) -> str:
        """A character or two out of ``$PATH`` only spells something."""
        if (
            self.expander.variables.is_slice_of_known(found.name)
            and 0 < len(value) <= 2
            and UNKNOWN not in value
        ):
            self.expander.hidden = True
        return value

    def _default(self, found: Expansion, value: str | None, operand: str) -> str:
        op = found.op
        if op[-1] == "+":
            if value is None:
                return UNKNOWN
            return "" if value == "" and op == ":+" else operand
        if value is None or (value == "" and op[0] == ":"):
            if op[-1] == "?":
                return UNKNOWN
            if op[-1] == "=":
                self.expander.variables.set(found.name, operand)
            return operand
        return value
