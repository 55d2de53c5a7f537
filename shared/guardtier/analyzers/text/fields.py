"""The strings of an action, each with its path, as two texts: what runs, and what is merely said."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate
from typing import Any, NamedTuple, Protocol

from guardtier.action import ActionEvent
from guardtier.analyzers.gate import BETWEEN, GATE
from guardtier.analyzers.parts import CodePart
from guardtier.analyzers.text.normal import Folded
from guardtier.analyzers.text.parts import KEY_SHOWN, Part, Parts, Path, cut, shown
from guardtier.analyzers.text.places import Place, Places, only_parsed
from guardtier.analyzers.view import view_of
from guardtier.assessment import Finding
from guardtier.risk import SecurityRisk

_PLAIN_KEY = 15  #: an ASCII identifier up to this long holds nothing that could be found
_UNASKED = frozenset({-1})


class Says(Protocol):
    """What a finding says."""

    @property
    def id(self) -> str: ...
    @property
    def risk(self) -> SecurityRisk: ...
    @property
    def shown(self) -> str: ...


class Text:
    """Strings of an action as one text. Where each of them stood is found out when it is asked."""

    __slots__ = ("_hits", "_lower", "_normal", "_parts", "_place", "_raw", "_starts", "asked", "strings")

    def __init__(self, strings: list[str], place: Callable[[], Parts]) -> None:
        self.strings = strings
        #: What somebody has found in it, and who, so that others need not look again.
        self.asked: tuple[object, object] | None = None
        self._place = place
        self._parts: Parts | None = None
        self._starts: list[int] | None = None
        self._normal: Folded | None = None
        self._lower: Folded | None = None
        self._hits: frozenset[int] | None = _UNASKED
        self._raw: str | None = None

    def concerns(self, admitted: frozenset[int]) -> bool:
        """Whether one of these patterns of the :data:`GATE` is in it, as far as that can be told."""
        hits = self._hits
        if hits is _UNASKED:
            raw = self.raw
            data = raw.encode().lower() if raw.isascii() else self.lower.data
            hits = self._hits = GATE.hits(data)
        return hits is None or not hits.isdisjoint(admitted)

    @property
    def parts(self) -> Parts:
        """The strings with their paths. Measured: as long to make as all of a clean text's search."""
        if self._parts is None:
            self._parts = self._place()
        return self._parts

    @property
    def normal(self) -> Folded:
        """For patterns that tell cases apart."""
        if self._normal is None:
            self._normal = Folded(self.strings, BETWEEN)
        return self._normal

    @property
    def lower(self) -> Folded:
        """For patterns that don't, which are written in lower case."""
        if self._lower is None:
            self._lower = self.normal.lowered()
        return self._lower

    @property
    def raw(self) -> str:
        """All of it as it was sent."""
        if self._raw is None:
            self._raw = BETWEEN.join(self.strings)
        return self._raw

    @property
    def starts(self) -> list[int]:
        """Where each part begins in :attr:`raw`."""
        if self._starts is None:
            sizes = (len(string) + len(BETWEEN) for string in self.strings)
            self._starts = list(accumulate(sizes, initial=0))[:-1]
        return self._starts

    def index_at(self, place: int) -> int:
        """Which part this character of :attr:`raw` belongs to."""
        return max(bisect_right(self.starts, place) - 1, 0)

    def finding(self, rule: Says, index: int, start: int, end: int) -> Finding:
        """A finding in this part; without a span where the part is not the field's own text."""
        part = self.parts[index]
        path, span = part.path, (start, end) if part.exact else None
        if part.text is path.key:  # what was found may be a secret, so the key is not spelled out
            path = Path(cut(part.text, KEY_SHOWN), path.parent)
        return Finding(id=rule.id, risk=rule.risk, message=rule.shown, field=shown(path), span=span)


class Texts:
    """The two texts of an action. Made by :func:`texts_of`."""

    __slots__ = ("_only_parsed", "_places", "action", "foreign", "runs", "said")

    def __init__(self, action: ActionEvent) -> None:
        self.action = action
        self._places: Places | None = None
        self._only_parsed: bool | None = None
        #: Code that no parser of ours reads; found by ``foreign.py`` when it is first asked for.
        self.foreign: tuple[CodePart, ...] | None = None
        self.runs = Text(_strings(action), self._parts)
        #: Summary and thought, what never runs; None where there are none.
        self.said = _said(action) if action.summary or action.thought else None

    @property
    def places(self) -> Places:
        if self._places is None:
            self._places = Places.of(self.action)
        return self._places

    @property
    def only_parsed(self) -> bool:
        """Whether nothing runs but commands and code, which other analyzers parse."""
        if self._only_parsed is None:
            self._only_parsed = only_parsed(self.action, view_of(self.action).tool)
        return self._only_parsed

    def _parts(self) -> Parts:
        parts = Parts(Part(_TOOL_NAME, self.action.tool_name, Place.NAME))
        _collect(self.action.arguments, self.places, parts)
        return parts


_TOOL_NAME = Path("tool_name")
_ARGUMENTS = Path("arguments")


def _strings(action: ActionEvent) -> list[str]:
    """The strings of an action exactly as :func:`_collect` finds them, without their paths."""
    strings = [action.tool_name]
    waiting: list[Any] = []
    for key, value in action.arguments.items():
        if not _is_plain(key):
            strings.append(key)
        if type(value) is str:
            strings.append(value)
        elif isinstance(value, dict | list) and value:
            waiting.append(value)
            _drain(waiting, strings)
    return strings


def _drain(waiting: list[Any], strings: list[str]) -> None:
    """Empties the stack of values, the last first."""
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            strings.append(value)
        elif isinstance(value, _Key):
            strings.append(value.key)
        elif isinstance(value, list):
            if all(type(child) is str for child in value):
                strings += value
                if len(value) > 1:
                    strings.append(" ".join(value))
            else:
                waiting.extend(reversed(value))
        elif isinstance(value, dict):
            for key in reversed(value):
                waiting.append(value[key])
                if not _is_plain(key):
                    waiting.append(_Key(key))


class _Key(NamedTuple):
    """A key on the stack of values."""

    key: str


def _said(action: ActionEvent) -> Text:
    said = [("summary", action.summary), ("thought", action.thought)]
    first, *others = [Part(Path(name), text, Place.SAID) for name, text in said if text]

    def place() -> Parts:
        parts = Parts(first)
        for part in others:
            parts.add(part)
        return parts

    return Text([first.text, *(part.text for part in others)], place)


def _collect(arguments: dict[str, Any], places: Places, parts: Parts) -> None:
    """Every string in the arguments, in document order; without recursion, since JSON may be deep."""
    waiting: list[tuple[Path, Any, Place]] = [
        (Path(key, _ARGUMENTS), arguments[key], places.of_key(key)) for key in reversed(arguments)
    ]
    while waiting:
        path, value, place = waiting.pop()
        if type(path.key) is str and not _is_plain(path.key):
            parts.add(Part(path, path.key, place, exact=False))
        if isinstance(value, str):
            parts.add(Part(path, value, place))
        elif isinstance(value, dict):
            waiting.extend(
                (Path(key, path), value[key], places.inside(place, key)) for key in reversed(value)
            )
        elif isinstance(value, list):
            if all(type(child) is str for child in value):
                parts.add_list(path, value, place)
            else:
                waiting.extend((Path(at, path), value[at], place) for at in reversed(range(len(value))))


def _is_plain(key: str) -> bool:
    return len(key) <= _PLAIN_KEY and key.isascii() and key.isidentifier()


_last: Texts | None = None


def texts_of(action: ActionEvent) -> Texts:
    """The texts of an action; the children of an ensemble, which ask in turn, share one."""
    global _last  # noqa: PLW0603 - one slot is all it takes: the children ask one after another
    found = _last
    if found is None or found.action is not action:
        found = _last = Texts(action)
    return found
