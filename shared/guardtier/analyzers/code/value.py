"""Value: what is known of a Python expression without running it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

#: Stands in a text for a part that can't be told, as in the words of a shell command.
HOLE = "\x00"
MAX_CHOICES = 256  #: alternatives of one expression that are kept

Const = str | bytes | int | float | bool | None | tuple["Const", ...]


class Pairs(tuple["Const", ...]):
    """A dictionary: the tuple of its values, each under the key of the same place."""

    keys: tuple[Const, ...]

    def __new__(cls, keys: Iterable[Const], values: Iterable[Const]) -> Pairs:
        made = super().__new__(cls, values)
        made.keys = tuple(keys)
        return made

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pairs) and self.keys == other.keys and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash((self.keys, tuple(self)))

    def under(self, key: Const) -> tuple[Const, ...]:
        """The values that the key may have; the last one counts."""
        return tuple([value for its, value in zip(self.keys, self, strict=False) if its == key][-1:])


class Value(NamedTuple):
    """``consts`` are the alternatives, ``whole`` says that there are no others.

    ``origin`` is the dotted name of the module, class or function that it is, or of the class that it
    is an instance of where ``instance``. ``marks``: see :data:`guardtier.analyzers.code.rules.Mark`;
    ``many`` says that there are more alternatives than are kept. A tuple: a third of the time to make.
    """

    consts: tuple[Const, ...] = ()
    whole: bool = False
    marks: frozenset[str] = frozenset()
    origin: str = ""
    instance: bool = False

    @property
    def texts(self) -> list[str]:
        """Its alternatives that are texts; bytes are shown as the text that they encode."""
        return [text for const in self.consts if (text := as_text(const)) is not None]

    def marked(self, marks: Iterable[str]) -> Value:
        return Value(self.consts, self.whole, self.marks | frozenset(marks), self.origin, self.instance)


NOTHING = Value()


def known(*consts: Const) -> Value:
    return Value(consts, True)


def named(origin: str) -> Value:
    """A module, class or function."""
    return Value(origin=origin)


def either(values: Iterable[Value]) -> Value:
    """What may be any of these."""
    values = tuple(values)
    if len(values) == 1 and len(values[0].consts) < 2 and (values[0].origin or not values[0].instance):
        return values[0]
    consts: dict[tuple[str, Const], None] = {}
    marks: frozenset[str] = NOTHING.marks
    whole, origin, instance = bool(values), "", False
    for those, certain, theirs, name, made in values:
        for const in those:
            consts[type(const).__name__, const] = None
        if theirs:
            marks |= theirs
        whole = whole and certain
        if name and not origin:
            origin, instance = name, made
    kept = tuple([const for _, const in consts])
    if len(kept) > MAX_CHOICES:
        return Value(kept[:MAX_CHOICES], False, marks | {"many"}, origin, instance)
    return Value(kept, whole, marks, origin, instance)


def as_text(const: Const) -> str | None:
    if isinstance(const, str):
        return clean(const)
    return const.decode("utf-8", "replace") if isinstance(const, bytes) else None


def clean(text: str) -> str:
    """The text with a ``?`` for each lone surrogate, as long as before: RE2 and Python take no other."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def size(const: Const) -> int:
    """Characters or items, for budgets."""
    return len(const) if type(const) in _SIZED else 1  # type: ignore[arg-type]


_SIZED = frozenset({str, bytes, tuple, Pairs})
