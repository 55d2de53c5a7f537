"""Names of programs and paths that are written with look-alike letters of another script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import re2

from guardtier.analyzers.text.fields import Text
from guardtier.analyzers.text.normal import alike, fold
from guardtier.analyzers.text.places import Place
from guardtier.analyzers.text.re2set import Source, compiled
from guardtier.analyzers.text.rules import read_own
from guardtier.assessment import Finding
from guardtier.risk import SecurityRisk

_RUNS = frozenset({Place.NAME, Place.PARSED, Place.ARGUMENT})
#: Cyrillic, Armenian, Cherokee: scripts in which nobody writes single letters into a Latin word.
_FOREIGN = re.compile("[\u0400-\u052f\u0531-\u0587\u13a0-\u13fd]")
_LATIN = re.compile("[A-Za-z]")
_PLAIN = r"A-Za-z0-9_.\-/~+"  #: what names and paths are made of
_DELIMITER = r"""[\x00-\x20"'`;|&(){}<>$=,]"""
_DELIMITERS = bytes(range(0x21)) + b"\"'`;|&(){}<>$=,"
_BLANK = bytes.maketrans(_DELIMITERS, b" " * len(_DELIMITERS))
_COMMAND = r"(?:\A|[\n;|&({`]|\b(?:sudo|env|exec|nohup|command|time|xargs|then|do|else)[ \t])[ \t]*"
_LARGEST = 200_000  #: instructions; the classes hold 2,400 characters


class _Says(NamedTuple):
    id: str
    risk: SecurityRisk
    shown: str


_POSES = _Says(
    "text.homoglyph",
    SecurityRisk.HIGH,
    "Holds a name written with look-alike letters of another script: it is not what it reads as. "
    "(ATT&CK T1036)",
)
_MIXED = _Says(
    "text.homoglyph",
    SecurityRisk.MEDIUM,
    "Holds a word that mixes letters of two scripts which look alike. (ATT&CK T1036)",
)


class _Shapes(NamedTuple):
    """Patterns that match a word and what delimits it. Measured: a group for the word takes RE2 300 ms
    where the word is a megabyte, and 3 ms without."""

    command: re2._Regexp  #: a word with a look-alike where a command begins
    mixed: re2._Regexp  #: a word with both Latin and foreign letters
    programs: frozenset[str]


@cache
def _shapes() -> _Shapes:
    letters = re.escape("".join(sorted(alike())))
    foreign = re.escape("".join(sorted(filter(_FOREIGN.match, alike()))))
    inside = f"[{_PLAIN}{letters}]"
    both = f"(?:[A-Za-z]{inside}*[{foreign}]|[{foreign}]{inside}*[A-Za-z])"
    command = rf"{_COMMAND}[{_PLAIN}]*[{letters}]{inside}*(?:{_DELIMITER}|\z)"
    mixed = rf"(?:\A|{_DELIMITER}){inside}*{both}{inside}*(?:{_DELIMITER}|\z)"
    return _Shapes(
        compiled(Source("homoglyphs", command), largest=_LARGEST),
        compiled(Source("homoglyphs", mixed), largest=_LARGEST),
        frozenset(read_own("homoglyphs.toml")["programs"]),
    )


def homoglyphs_in(text: Text) -> Iterator[Finding]:
    """One finding, the worst. Call it for text that is not ASCII."""
    if alike().isdisjoint(text.normal.chars):
        return
    data = text.raw.encode("utf-8", "replace")
    found = _program(text, data) or _path_or_word(text, data)
    if found:
        yield found


def _program(text: Text, data: bytes) -> Finding | None:
    """A word where a command begins that reads as a well-known program and is not its name."""
    known: dict[bytes, bool] = {}
    for word, start, end in _words(_shapes().command, data):
        if word not in known:
            name = fold(word.decode("utf-8", "replace")).rpartition("/")[2]
            known[word] = name in _shapes().programs
        if known[word] and (found := _finding(_POSES, text, data, start, end)):
            return found
    return None


def _path_or_word(text: Text, data: bytes) -> Finding | None:
    """A path in which the scripts mix, else the first word in which they do."""
    first: Finding | None = None
    for word, start, end in _words(_shapes().mixed, data):
        if word.startswith((b"/", b"~/", b"./", b"../")) and _mixes(word.decode("utf-8", "replace")):
            found = _finding(_POSES, text, data, start, end)
            if found:
                return found
        first = first or _finding(_MIXED, text, data, start, end)
    return first


def _words(pattern: re2._Regexp, data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Each word that matches; the delimiter behind one is the delimiter before the next."""
    at = 0
    while match := pattern.search(data, at):
        first, last = match.span()
        end = first + len(data[first:last].rstrip(_DELIMITERS))
        word = data[first:end].translate(_BLANK).rpartition(b" ")[2]
        start = end - len(word)
        yield word, start, end
        at = end


def _mixes(path: str) -> bool:
    return any(_FOREIGN.search(step) and _LATIN.search(step) for step in path.split("/"))


def _finding(says: _Says, text: Text, data: bytes, start: int, end: int) -> Finding | None:
    first = len(data[:start].decode("utf-8", "replace"))
    last = first + len(data[start:end].decode("utf-8", "replace"))
    index = text.index_at(first)
    if text.parts[index].place not in _RUNS:
        return None
    offset = text.starts[index]
    return text.finding(says, index, first - offset, last - offset)
