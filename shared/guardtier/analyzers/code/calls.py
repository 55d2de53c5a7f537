"""Arguments: what a call is given, by position and by keyword, with stars expanded."""

from __future__ import annotations

import ast
import re
from collections.abc import Container
from itertools import islice

from guardtier.analyzers.code.fold import Folder
from guardtier.analyzers.code.names import Site
from guardtier.analyzers.code.rules import Call, Selectors
from guardtier.analyzers.code.value import HOLE, Const, Pairs, Value, as_text, known

_MANY = 256
_ALL_BITS = 0o10000


class Arguments:
    """The values that a call is given."""

    def __init__(self, node: ast.Call, folder: Folder) -> None:
        self.on = folder.receiver(node)
        self.given: list[Value] = []
        self.named: dict[str, Value] = {}
        for arg in islice(node.args, _MANY):
            value = folder.value(arg)
            if (
                isinstance(arg, ast.Starred)
                and len(value.consts) == 1
                and isinstance(value.consts[0], tuple)
            ):
                self.given.extend(known(item).marked(value.marks) for item in value.consts[0][:_MANY])
            else:
                self.given.append(value)
        for keyword in islice(node.keywords, _MANY):
            if keyword.arg:
                self.named[keyword.arg] = folder.value(keyword.value)
            elif isinstance(keyword.value, ast.Dict):
                self._spread(keyword.value, folder)
            else:
                for const in folder.value(keyword.value).consts:
                    if isinstance(const, Pairs):
                        self.named |= {
                            str(name): known(one) for name, one in zip(const.keys, const, strict=False)
                        }

    @classmethod
    def passed_on(cls, node: ast.Call, folder: Folder) -> Arguments:
        """What a function that is itself an argument will be given: all the other arguments."""
        found = cls(node, folder)
        values = [*found.given, *found.named.values()]
        flat = tuple(item for value in values for const in value.consts for item in _flat(const))[:_MANY]
        marks = frozenset().union(*(value.marks for value in values))
        everything = Value(flat, False, marks)
        found.given, found.named, found.on = [everything] * 4, {}, everything
        return found

    def _spread(self, node: ast.Dict, folder: Folder) -> None:
        for key, value in islice(zip(node.keys, node.values, strict=True), _MANY):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                self.named[key.value] = folder.value(value)

    def at(self, selectors: Selectors) -> list[Value]:
        """The values that are selected; what is not given is left out."""
        found = []
        for selector in selectors:
            if selector == "self":
                found.append(self.on)
            elif isinstance(selector, int):
                found.extend(self.given[selector : selector + 1])
            elif selector in self.named:
                found.append(self.named[selector])
        return found

    @property
    def everything(self) -> list[Value]:
        return [*self.given, *self.named.values()]

    @property
    def marks(self) -> frozenset[str]:
        return self.on.marks.union(*(value.marks for value in self.everything))


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
