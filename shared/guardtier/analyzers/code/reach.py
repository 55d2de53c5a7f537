"""Reach: whether a Python text can reach what its words allow, without parsing it.

The words of ``requests.get`` also stand in texts that say ``requests.Request`` and ``headers.get``.
Each check here mirrors what the parsed text would come to; where it can't tell, the answer is yes.
Measured on what coding agents run: 10 µs here save 500 µs of parsing in a fifth of those texts.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from typing import NamedTuple

import re2

from guardtier.analyzers.code.operations import SAME, canonical
from guardtier.analyzers.code.rules import load
from guardtier.analyzers.code.statements import statements
from guardtier.analyzers.lazy import lazy

_MAX_TEXT = 24 << 10  #: characters; longer texts are not parsed anyway
_MAX_MENTIONS = 100  #: of one module that are looked at
_MAX_STATEMENTS = 16  #: different SQL statements that are looked at

_ESCAPED = re2.compile(rb"\\[xuUN0-7]")
#: Words that code may have beside a name on the same line; any other word there is prose.
_CODE = "|".join([*keyword.kwlist, *keyword.softkwlist, "print", "exec"])

_EXECUTE = re.compile(r"execute\b")
#: One plain literal, and no more before the next argument.
_LITERAL = re.compile(
    r"\(\s*(?:'''(?P<a>(?:[^'\\]|'(?!''))*)'''|\"\"\"(?P<b>(?:[^\"\\]|\"(?!\"\"))*)\"\"\""
    r"|'(?P<c>[^'\\\n]*)'|\"(?P<d>[^\"\\\n]*)\")\s*[,)]"
)
#: What stands before a name that is no method.
_NO_METHOD = re.compile(r"\b(?:lambda|def|or|and|not|return)[ \t]+$")


class Reach:
    """One text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._used: dict[str, bool] = {}

    @lazy
    def _clear(self) -> bool:
        """Whether names stand in it as they are: Python compares them in NFKC, literals have escapes."""
        text = self._text
        if not text.isascii() or len(text) > _MAX_TEXT or "\r" in text or "\f" in text:
            return False
        return "\\" not in text or not _ESCAPED.search(text.encode())

    def uses(self, module: str) -> bool:
        """Whether something of the module that a rule is about may be used."""
        if module not in self._used:
            self._used[module] = not self._clear or not self._all(_is_idle, module)
        return self._used[module]

    def names(self, name: str) -> bool:
        """Whether the name may stand in it by itself: neither as an attribute nor in prose."""
        return not self._clear or not self._all(_is_no_name, name)

    def _all(self, harmless: Callable[[_Mention], bool], module: str) -> bool:
        found = list(islice(_mentions(module, self._text), _MAX_MENTIONS))
        return len(found) < _MAX_MENTIONS and all(map(harmless, found))

    def executes(self) -> bool:
        """Whether SQL that may matter, or can't be told, is given to a method called ``execute``."""
        if not self._clear:
            return True
        texts: set[str] = set()
        for found in _EXECUTE.finditer(self._text):
            before = _before(self._text, found.start())
            literal = _LITERAL.match(self._text, found.end())
            if before[-1:] == "." and literal:
                texts.add(next(text for text in literal.groups() if text is not None))
            elif not _PART.search(before) and not _NO_METHOD.search(before):
                return True
        return len(texts) > _MAX_STATEMENTS or any(map(statements().suspects, texts))


def _before(text: str, at: int) -> str:
    """What stands before it on its line; where that is cut, it begins like no word."""
    start = text.rfind("\n", 0, at) + 1
    return text[start:at] if at - start <= _AROUND else f".{text[at - _AROUND : at]}"


_AROUND = 80


@cache
def _dotted(module: str) -> re.Pattern[str]:
    """The module's name with the attributes that follow. It begins with what re finds fastest."""
    return re.compile(rf"{module}\b(?:\.\w+)*")


class _Mention(NamedTuple):
    """A module's name in a text: ``os.path.join``, what is before it on its line, and after."""

    dotted: str
    before: str
    after: str


def _mentions(module: str, text: str) -> Iterator[_Mention]:
    for found in _dotted(module).finditer(text):
        if (mention := _mention(text, found)) is not None:
            yield mention


def _mention(text: str, found: re.Match[str]) -> _Mention | None:
    start, end = found.span()
    before = _before(text, start)
    return None if _PART.search(before) else _Mention(found[0], before, text[end : end + _AROUND])


#: The name is the end of another one: ``my_os``, but not ``random._os``, nor behind ``\\n``.
_PART = re.compile(r"(?:^|[^\\])[A-Za-z0-9]_*$")
_IMPORTED_BEFORE = re.compile(r"\bimport[ \t]+(?:[A-Za-z]\w*[ \t]*,[ \t]*)*$")
_IMPORTED_AFTER = re.compile(r"[ \t]*(?:[,;\n]|\Z)")
_PROSE_BEFORE = re.compile(rf"(?:^|[^\w.])(?!(?:{_CODE})\b)[A-Za-z]\w*[ \t]+$")
_PROSE_AFTER = re.compile(rf"[ \t]+(?!(?:{_CODE})\b)[A-Za-z_]")
_GOES_ON = re.compile(r"\s*[.\\#=]|\s*\Z")


def _is_imported(found: _Mention) -> bool:
    return bool(_IMPORTED_BEFORE.search(found.before) and _IMPORTED_AFTER.match(found.after))


_CALLED = re.compile(r"\s*\(")  #: ``%time system('ls')`` is no prose


def _is_prose(found: _Mention) -> bool:
    return bool(_PROSE_AFTER.match(found.after) or _PROSE_BEFORE.search(found.before))


def _is_no_name(found: _Mention) -> bool:
    return found.before[-1:] == "." or (_is_prose(found) and not _CALLED.match(found.after))


def _is_idle(found: _Mention) -> bool:
    """Whether it is imported, prose, or an attribute that no rule is about."""
    if "." not in found.dotted:
        return _is_imported(found) or _is_prose(found)
    return not _GOES_ON.match(found.after) and not _is_ruled(found.dotted)


@cache
def _ruled() -> tuple[frozenset[str], frozenset[str]]:
    """What rules are about, and that with all that leads there, also by another name of it."""
    names = frozenset({*load().calls, *load().assigned})
    return names, frozenset(
        ".".join(name.split(".")[:length])
        for name in names.union(SAME)
        for length in range(1, name.count(".") + 2)
    )


def _is_ruled(dotted: str) -> bool:
    """Whether the dotted name leads to something that a rule is about, goes on from it, or is hidden."""
    names, leading = _ruled()
    dotted = canonical(dotted)
    parts = dotted.split(".")
    if dotted in leading or any(part in load().modules or part[:1] == "_" for part in parts[1:]):
        return True
    return any(".".join(parts[:length]) in names for length in range(1, len(parts)))
