"""Mentions: where a name stands in a Python text that is not parsed, and where it only seems to be used.

What is found harmless here would be no use of the name in the parsed text either; where it can't be
told, it is no harmless one.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from typing import NamedTuple

_MAX_MENTIONS = 100  #: of one name that are looked at
_AROUND = 80  #: characters of its line that are looked at, on either side

#: Words that code may have beside a name on the same line; any other word there is prose.
_CODE = "|".join([*keyword.kwlist, *keyword.softkwlist, "print", "exec"])

#: The name is the end of another one: ``my_os``, but not ``random._os``, nor behind ``\\n``.
_PART = re.compile(r"(?:^|[^\\])[A-Za-z0-9]_*$")
_IMPORTED_BEFORE = re.compile(r"\bimport[ \t]+(?:[A-Za-z]\w*[ \t]*,[ \t]*)*$")
_IMPORTED_AFTER = re.compile(r"[ \t]*(?:[,;\n]|\Z)")
_PROSE_BEFORE = re.compile(rf"(?:^|[^\w.])(?!(?:{_CODE})\b)[A-Za-z]\w*[ \t]+$")
_PROSE_AFTER = re.compile(rf"[ \t]+(?!(?:{_CODE})\b)[A-Za-z_]")
_CALLED = re.compile(r"\s*\(")  #: ``%time system('ls')`` is no prose
_GOES_ON = re.compile(r"\s*[.\\#=]|\s*\Z")
_COMMENT = re.compile(r"[ \t]*#")
#: ``patch("requests.get")``, up to the name; and where ``patch`` and ``mock`` come from, by no other name.
_PATCHED = re.compile(r"(?:^|[^\w.])(?:(?:unittest\.)?mock\.)?patch\(\s*(['\"])(?:\w+\.)*$")
_MOCK_IMPORT = re.compile(
    r"[ \t]*(?:from unittest(?:\.mock)? import (?:\w+[ \t]*,[ \t]*)*|(?:from|import) unittest\.)$"
)
_DEFINED = re.compile(r"\b(?:def|class)[ \t]+$")


class Mention(NamedTuple):
    """A name in a text: ``os.path.join``, what is before it on its line, and after."""

    dotted: str
    before: str
    after: str

    @property
    def is_attribute(self) -> bool:
        return self.before[-1:] == "."

    @property
    def goes_on(self) -> bool:
        """Whether it may be longer than ``dotted``, or is assigned to."""
        return _GOES_ON.match(self.after) is not None

    @property
    def is_imported(self) -> bool:
        return bool(_IMPORTED_BEFORE.search(self.before) and _IMPORTED_AFTER.match(self.after))

    @property
    def is_prose(self) -> bool:
        return bool(_PROSE_AFTER.match(self.after) or _PROSE_BEFORE.search(self.before))

    @property
    def is_told(self) -> bool:
        """Whether it stands in prose, and nothing is called."""
        return self.is_prose and not _CALLED.match(self.after)

    @property
    def is_comment(self) -> bool:
        """Whether its line is a comment, also one within a text; nothing of that is ever run as it is."""
        return _COMMENT.match(self.before) is not None

    @property
    def is_patched(self) -> bool:
        """Whether it is all of what is given to ``patch``: ``patch("requests.get")``."""
        quoted = _PATCHED.search(self.before)
        return quoted is not None and self.after[:1] == quoted[1]


def has_mocks(text: str) -> bool:
    """Whether ``patch`` and ``mock`` are those of unittest wherever they stand."""
    return all(all_are(_is_mock, name, text) for name in ("patch", "mock"))


def _is_mock(found: Mention) -> bool:
    if found.is_comment or _MOCK_IMPORT.match(found.before):
        return True
    return found.dotted != "mock" and found.after[:1] == "(" and not _DEFINED.search(found.before)


def all_are(harmless: Callable[[Mention], bool], name: str, text: str) -> bool:
    """Whether each is so; of more than are looked at, none."""
    found = list(islice(mentions(name, text), _MAX_MENTIONS))
    return len(found) < _MAX_MENTIONS and all(map(harmless, found))


def mentions(name: str, text: str) -> Iterator[Mention]:
    """Where it stands, but for where it is the end of another name."""
    for found in _dotted(name).finditer(text):
        start, end = found.span()
        before = before_of(text, start)
        if not is_part(before):
            yield Mention(found[0], before, text[end : end + _AROUND])


def is_part(before: str) -> bool:
    """Whether what follows is the end of another name."""
    return _PART.search(before) is not None


def before_of(text: str, at: int) -> str:
    """What stands before it on its line; where that is cut, it begins like no word and no comment."""
    start = text.rfind("\n", 0, at) + 1
    return text[start:at] if at - start <= _AROUND else f".{text[at - _AROUND : at]}"


@cache
def _dotted(name: str) -> re.Pattern[str]:
    """The name with the attributes that follow. It begins with what re finds fastest."""
    return re.compile(rf"{name}\b(?:\.\w+)*")
