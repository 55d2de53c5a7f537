"""Which words of a command a rule speaks of (``on``), and whether its conditions hold."""

from __future__ import annotations

from collections.abc import Sequence

from guardtier.analyzers.effects.find import handed_on
from guardtier.analyzers.effects.parse import Given
from guardtier.analyzers.effects.table import CompiledRule
from guardtier.analyzers.effects.targets import UNKNOWN_PART, place_of
from guardtier.analyzers.shell.model import Command, Word


def holds(rule: CompiledRule, command: Command, given: Given) -> bool:
    """Whether all conditions of the rule hold for this command line."""
    options, operands = given.options, given.operands
    if (
        (rule.bare is not None and rule.bare is bool(operands))
        or (rule.when is not None and not rule.when.holds(options, operands))
        or (rule.also is not None and not rule.also.holds(options, operands))
        or (rule.unless is not None and rule.unless.holds(options, operands))
        or (rule.piped is not None and rule.piped is not is_piped(command))
    ):
        return False
    for option, pattern in rule.value:
        values = given.values.get(option)
        if values is None or not any(pattern.full(word.text) for word in values):
            return False
    return rule.shallow or _patterns_hold(rule, command, given)


def is_piped(command: Command) -> bool:
    """Whether something else writes what the command reads from its standard input."""
    return (
        command.piped_from is not None
        or command.body is not None
        or any(redirect.kind in ("read", "heredoc", "herestring") for redirect in command.redirects)
    )


def _patterns_hold(rule: CompiledRule, command: Command, given: Given) -> bool:
    if rule.into and not _goes_into(command, rule.into):
        return False
    if rule.context and not all(getattr(command.context, name) for name in rule.context):
        return False
    if (rule.fed is not None or rule.carrying) and not _holds_inside(rule, command, given):
        return False
    if rule.first is not None and not (given.operands and rule.first.full(given.operands[0].text)):
        return False
    if rule.operand is not None and not any(rule.operand.full(word.text) for word in given.operands):
        return False
    return rule.args is None or rule.args.found(" ".join([word.text for word in command.args]))


def _holds_inside(rule: CompiledRule, command: Command, given: Given) -> bool:
    """What is asked of the input, and of operands that can't be told."""
    if rule.fed is not None and (command.body is None or not rule.fed.found(command.body)):
        return False
    return not rule.carrying or any(UNKNOWN_PART in w.text and type(w) is Word for w in given.operands)


def _goes_into(command: Command, places: frozenset[str]) -> bool:
    return any(
        redirect.kind in ("write", "append")
        and redirect.fd in (None, 1)
        and redirect.target is not None
        and place_of(redirect.target.text).name in places
        for redirect in command.redirects
    )


def selected(selectors: Sequence[str], command: Command, given: Given) -> list[Word]:
    if len(selectors) == 1 and (operands := _OPERANDS.get(selectors[0])) is not None:
        return given.operands[operands]
    words: list[Word] = []
    for selector in selectors:
        operands = _OPERANDS.get(selector)
        words += given.operands[operands] if operands is not None else _others(selector, command, given)
    return words


def _others(selector: str, command: Command, given: Given) -> Sequence[Word]:
    if selector.startswith("-"):
        return given.values.get(selector, ())
    if selector.endswith("="):
        return [
            Word(word.text[len(selector) :], word.span, word.known)
            for word in given.operands
            if word.text.startswith(selector)
        ]
    if selector == "found":
        return handed_on(command)
    if (make := _MADE.get(selector)) is not None:
        return make(given)
    if selector == "cwd":
        return [Word(".", command.span)]
    return ()


def _inside(given: Given) -> list[Word]:
    """``tar -C DIR -c a b``: ``DIR/a``, ``DIR/b``."""
    entered = [*given.values.get("-C", ()), *given.values.get("--directory", ())][-1:]
    return [
        Word(f"{directory.text.rstrip('/')}/{word.text}", word.span, word.known)
        for directory in entered
        for word in given.operands
        if word.text[:1] not in "/~$"
    ]


def _kept_names(given: Given) -> list[Word]:
    """``cp a b DIR/``: ``DIR/a``, ``DIR/b``; nothing where the last operand looks like a file."""
    operands = given.operands
    if len(operands) < _PAIR:
        return []
    into = operands[-1].text
    if "." in into.rpartition("/")[2].strip("."):
        return []
    return [
        Word(f"{into.rstrip('/')}/{word.text.rstrip('/').rpartition('/')[2]}", word.span, word.known)
        for word in operands[:-1]
    ]


_MADE = {"inside": _inside, "into": _kept_names}
_PAIR = 2  #: operands: a source and a target
_OPERANDS = {
    "all": slice(None),
    "first": slice(1),
    "second": slice(1, 2),
    "last": slice(-1, None),
    "rest": slice(1, None),
    "init": slice(-1),
}
