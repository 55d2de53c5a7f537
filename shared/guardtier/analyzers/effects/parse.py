"""Splits a command's words into options, their values, and operands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from guardtier.analyzers.effects.table import Node
from guardtier.analyzers.shell.model import Word

_CLUSTER = 64  #: letters; a longer run of them behind one dash only tells which letters it has


@dataclass(slots=True)
class Given:
    """A command line taken apart by what its program's entry says; ``nodes``: program, subcommand …"""

    nodes: list[Node]
    options: set[str]
    values: dict[str, list[Word]]
    operands: list[Word]


def parse(node: Node, args: Sequence[Word]) -> Given:
    given = Given([node], set(), {}, [])
    waits = bool(node.subs)  # for a subcommand
    words = iter(args)
    for word in words:
        text = word.text
        if text[:1] != "-" or text == "-":
            if waits:
                waits = _is_subcommand(given, text)
                if waits:
                    waits = bool(given.nodes[-1].subs)
                    continue
            given.operands.append(word)
        elif text == "--":
            given.operands.extend(words)
        elif len(text) == _LETTER:  # -n: most of what agents give
            given.options.add(text)
            if text in given.nodes[-1].takes and (value := next(words, None)) is not None:
                given.values.setdefault(text, []).append(value)
        elif waiting := _add_option(given, word, text):
            value = next(words, None)
            if value is not None:
                given.values.setdefault(waiting, []).append(value)
    return given


_LETTER = 2  #: characters of an option of one letter


def _is_subcommand(given: Given, text: str) -> bool:
    subs = given.nodes[-1].subs
    sub = subs.get(text) or subs.get("*")
    if sub is not None:
        given.nodes.append(sub)
    return sub is not None


def _add_option(given: Given, word: Word, text: str) -> str | None:
    """The option whose value is the next word; None where it takes none, or brings its own."""
    takes = given.nodes[-1].takes
    given.options.add(text)
    if text in takes:
        return text
    if text.startswith("--") or given.nodes[0].single_dash:
        name, equals, value = text.partition("=")
        if equals:
            given.options.add(name)
            given.values.setdefault(name, []).append(_part(word, value))
        return None
    return _add_cluster(given, word, text[1:], takes)


def _add_cluster(given: Given, word: Word, letters: str, takes: frozenset[str]) -> str | None:
    if len(letters) > _CLUSTER and not takes:
        given.options.update("-" + letter for letter in set(letters))
        return None
    for at, letter in enumerate(letters[:_CLUSTER], start=1):
        option = "-" + letter
        given.options.add(option)
        if option in takes:
            rest = letters[at:]
            if not rest:
                return option
            given.values.setdefault(option, []).append(_part(word, rest.removeprefix("=")))
            return None
    return None


def _part(word: Word, text: str) -> Word:
    return Word(text, word.span, word.known, word.quoted)
