"""Arguments: what a call is given, by position and by keyword, with stars expanded."""

from __future__ import annotations

import ast
import re
from collections.abc import Container
from itertools import islice

from guardtier.analyzers.code.fold import Folder
from guardtier.analyzers.code.items import spread
from guardtier.analyzers.code.names import Site
from guardtier.analyzers.code.rules import Call, Selectors
from guardtier.analyzers.code.value import HOLE, Const, Pairs, Value, as_text, known
from guardtier.analyzers.lazy import lazy

_MANY = 256
_ALL_BITS = 0o10000


class Arguments:
    """The values that a call is given. Each is folded when it is asked for: most rules look at one."""

    def __init__(self, node: ast.Call, folder: Folder) -> None:
        self._node = node
        self._folder = folder
        self._spread_out = _has_stars(node)

    @lazy
    def on(self) -> Value:
        return self._folder.receiver(self._node)

    @lazy
    def given(self) -> list[Value]:
        nodes = self._node.args[:_MANY]
        return spread([self._folder.value(arg) for arg in nodes], nodes)

    @lazy
    def named(self) -> dict[str, Value]:
        found: dict[str, Value] = {}
        for keyword in islice(self._node.keywords, _MANY):
            value = self._folder.value(keyword.value)
            if keyword.arg:
                found[keyword.arg] = value
                continue
            for const in value.consts:
                if isinstance(const, Pairs):
                    pairs = zip(const.keys, const, strict=False)
                    found |= {str(name): known(one).marked(value.marks) for name, one in pairs}
        return found

    @classmethod
    def passed_on(cls, node: ast.Call, folder: Folder) -> Arguments:
        """What a function that is itself an argument will be given: all the other arguments."""
        found = cls(node, folder)
        values = [*found.given, *found.named.values()]
        flat = tuple(item for value in values for const in value.consts for item in _flat(const))[:_MANY]
        marks = frozenset().union(*(value.marks for value in values))
        whole = tuple(const for value in values for const in value.consts if isinstance(const, tuple))
        everything = Value((*whole, *flat)[:_MANY], False, marks)
        found.given, found.named, found.on = [everything] * 4, {}, everything
        found._spread_out = True
        return found

    def at(self, selectors: Selectors) -> list[Value]:
        """The values that are selected; what is not given is left out."""
        found: list[Value] = []
        for selector in selectors:
            if selector == "self":
                found.append(self.on)
            elif self._spread_out:
                found += self._spread_at(selector)
            elif isinstance(selector, int):
                found += map(self._folder.value, self._node.args[selector : selector + 1])
            else:
                found += [
                    self._folder.value(one.value) for one in self._node.keywords if one.arg == selector
                ]
        return found

    def _spread_at(self, selector: int | str) -> list[Value]:
        if isinstance(selector, int):
            return self.given[selector : selector + 1]
        return [self.named[selector]] if selector in self.named else []

    @property
    def everything(self) -> list[Value]:
        return [*self.given, *self.named.values()]

    @property
    def marks(self) -> frozenset[str]:
        return self.on.marks.union(*(value.marks for value in self.everything))


def _has_stars(node: ast.Call) -> bool:
    for arg in node.args:
        if type(arg) is ast.Starred:
            return True
    for keyword in node.keywords:  # noqa: SIM110 - a generator would take twice as long
        if keyword.arg is None:
            return True
    return False


def _flat(const: Const) -> tuple[Const, ...]:
    return const if isinstance(const, tuple) else (const,)


def command_lines(value: Value) -> list[str]:
    """The command lines that a value is: a text, or a list of words; a hole becomes a variable."""
    return [line for const in value.consts if (line := command_line(const))]


def command_line(const: Const) -> str:
    if isinstance(const, tuple):
        return " ".join(
            _quoted(text if (text := as_text(word)) is not None else str(word)) for word in const
        )
    return (as_text(const) or "").replace(HOLE, "$unknown")


def _quoted(word: str) -> str:
    if word and all(char.isalnum() or char in "-_./=:,@%+" for char in word):
        return word
    for char in '\\"$`':
        word = word.replace(char, f"\\{char}")
    return f'"{word}"'.replace(HOLE, "$unknown")


def applies(rule: Call, site: Site, args: Arguments, again: Container[str]) -> bool:
    """Whether a rule for a function is about this call of it. ``again``: functions that call themselves."""
    if rule.looped and not (site.looped or site.function in again):
        return False
    if rule.marked and not args.marks & set(rule.marked):
        return False
    if not rule.tests and _TEST.match(site.function):
        return False
    if rule.bits and not any(
        isinstance(const, int) and 0 < const < _ALL_BITS and const & rule.bits
        for value in args.everything
        for const in value.consts
    ):
        return False
    return not (rule.when or rule.unless or rule.says) or _is_given(rule, args)


_TEST = re.compile(r"test_|set_?[Uu]p|tear_?[Dd]own")


def _is_given(rule: Call, args: Arguments) -> bool:
    every = args.everything
    given = {one for value in every for const in value.consts for one in _held(const)}
    given |= {value.origin for value in every}
    if rule.unless and given & set(rule.unless):
        return False
    if rule.when and not given & set(rule.when):
        return False
    return not rule.says or any(
        part in text for one in given if (text := as_text(one)) is not None for part in rule.says
    )


def _held(const: Const) -> list[Const]:
    """It, and all that it holds."""
    found: list[Const] = [const]
    for one in found:
        if isinstance(one, tuple) and len(found) < _MANY:
            found += one[:_MANY]
            found += one.keys[:_MANY] if isinstance(one, Pairs) else ()
    return found
