"""Reach: whether a Python text can reach what its words allow, without parsing it.

The words of ``requests.get`` also stand in texts that say ``requests.Request`` and ``headers.get``.
Each check here mirrors what the parsed text would come to; where it can't tell, the answer is yes.
Measured on what coding agents run: 10 µs here save 500 µs of parsing in a fifth of those texts.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

import re2

from guardtier.analyzers.code.mention import Mention, all_are, before_of, has_mocks, is_part
from guardtier.analyzers.code.operations import SAME, canonical
from guardtier.analyzers.code.rules import load
from guardtier.analyzers.code.source import MAX_PARSED
from guardtier.analyzers.code.statements import statements
from guardtier.analyzers.lazy import lazy

_MAX_STATEMENTS = 16  #: different SQL statements that are looked at

_ESCAPED = re2.compile(rb"\\[xuUN0-7]")
_EXECUTE = re.compile(r"execute\b")
#: The method itself is replaced, or something of it is read; ``__call__`` begins with what this is not.
_NOT_CALLED = re.compile(r"[ \t]*=(?!=)|\.(?!_)\w")
#: One plain literal, and no more before the next argument.
_LITERAL = re.compile(
    r"\(\s*(?:'''(?P<a>(?:[^'\\]|'(?!''))*)'''|\"\"\"(?P<b>(?:[^\"\\]|\"(?!\"\"))*)\"\"\""
    r"|'(?P<c>[^'\\\n]*)'|\"(?P<d>[^\"\\\n]*)\")\s*[,)]"
)
#: Of ``A.objects.all().delete()``: what that gives is looked at one by one, or something is called on it.
_LOOPED = re.compile(r"\bfor \w+ in \w+\.$")
_CALLED_ON = re.compile(r"\(\)\.(\w+)\(")
_CLASS = re.compile(r"^[ \t]*class[ \t]+(\w+)", re.MULTILINE)
_IMPORT = re.compile(r"\bimport\b[^\n;(]*(?:\([^()]*)?")
_WORD = re.compile(r"\w+")
_OWNER = re.compile(r"[ \t]*(\w+)\.$")
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
        if not text.isascii() or len(text) > MAX_PARSED or "\r" in text or "\f" in text:
            return False
        return "\\" not in text or not _ESCAPED.search(text.encode())

    def uses(self, module: str) -> bool:
        """Whether something of the module that a rule is about may be used."""
        if module not in self._used:
            self._used[module] = not self._all(self._is_idle, module)
        return self._used[module]

    def names(self, name: str) -> bool:
        """Whether the name may stand in it by itself: neither as an attribute nor in prose."""
        return not self._all(lambda found: found.is_attribute or found.is_told, name)

    def says(self, name: str) -> bool:
        """Whether it is named at all, but for prose, comments and what tests replace."""
        return not self._all(
            lambda found: found.is_told or found.is_comment or self._is_patched(found), name
        )

    def leads(self, path: tuple[str, ...], of_own: bool) -> bool:
        """Whether ``*.a.b.c`` may be reached; ``of_own``: also of a class that the text defines."""
        return not self._all(lambda found: self._is_other(found, path[1:], of_own), path[0])

    def _all(self, harmless: Callable[[Mention], bool], name: str) -> bool:
        return self._clear and all_are(harmless, name, self._text)

    def executes(self) -> bool:
        """Whether SQL that may matter, or can't be told, is given to a method called ``execute``."""
        if not self._clear:
            return True
        texts: set[str] = set()
        for found in _EXECUTE.finditer(self._text):
            before = before_of(self._text, found.start())
            if before[-1:] == ".":
                literal = _LITERAL.match(self._text, found.end())
                if literal:
                    texts.add(next(text for text in literal.groups() if text is not None))
                elif not _NOT_CALLED.match(self._text, found.end()):
                    return True
            elif not is_part(before) and not _NO_METHOD.search(before):
                return True
        return len(texts) > _MAX_STATEMENTS or any(map(statements().suspects, texts))

    def _is_patched(self, found: Mention) -> bool:
        """Whether it is what a test replaces."""
        return found.is_patched and self._has_mocks

    @lazy
    def _has_mocks(self) -> bool:
        return has_mocks(self._text)

    def _is_idle(self, found: Mention) -> bool:
        """Whether it is imported, prose, or an attribute that no rule is about."""
        if found.is_comment:
            return True
        if "." not in found.dotted:
            return found.is_imported or found.is_prose or self._is_patched(found)
        return (not found.goes_on and not _is_ruled(found.dotted)) or self._is_patched(found)

    def _is_other(self, found: Mention, path: tuple[str, ...], of_own: bool) -> bool:
        """Whether it leads to something else, or nowhere."""
        _, *parts = found.dotted.split(".")
        if found.is_comment or not parts:
            return found.is_comment or found.is_told
        if found.goes_on:
            return False
        if tuple(parts[: len(path)]) != path[: len(parts)]:
            return True
        return len(parts) < len(path) and self._calls_other(found, path[len(parts)], of_own)

    def _calls_other(self, found: Mention, name: str, of_own: bool) -> bool:
        """Whether on what that gives something else is called at once, or it is the text's own class."""
        if found.after[:3] == "():" and _LOOPED.search(found.before):
            return True
        called = _CALLED_ON.match(found.after)
        if called is None or called[1] != name:
            return called is not None
        return not of_own and self._is_of_own_class(found)

    def _is_of_own_class(self, found: Mention) -> bool:
        owner = _OWNER.match(found.before)
        return owner is not None and owner[1] in self._own_classes

    @lazy
    def _own_classes(self) -> frozenset[str]:
        """The classes that it defines, and nothing of that name is imported."""
        statements = [found[0] for found in _IMPORT.finditer(self._text)]
        if any(one.endswith("\\") for one in statements):  # it goes on
            return frozenset()
        imported = {word for one in statements for word in _WORD.findall(one)}
        return frozenset(_CLASS.findall(self._text)) - imported


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
