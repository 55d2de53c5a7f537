"""Reads the shell line of an action as grants look at it: simple commands of plain words, nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from guardtier.action import ActionEvent
from guardtier.analyzers.effects.engine import Done
from guardtier.analyzers.effects.parse import parse
from guardtier.analyzers.effects.table import lookup
from guardtier.analyzers.fields import Span
from guardtier.analyzers.shell import Command, Script
from guardtier.analyzers.view import View
from guardtier.policy.covering import MOST_COMMANDS, Said, is_plain_path
from guardtier.policy.grants import digest_of_call

#: What may be done to a path that a grant leaves open. Not ``execute``: another file is another program.
_TO_PATHS = frozenset({"read", "collect", "write", "delete", "permissions", "ownership"})
_NOTHING = frozenset({"nothing"})
_BUILDS = "shell.build"  #: the table's entry of programs that build or run a project

LONGEST = 4_096  #: characters; a longer text is never plain, and is not read


@dataclass(frozen=True, slots=True)
class Line:
    """``key`` is the name of the argument that holds the commands, ``rest`` the digest of all else."""

    key: str
    rest: str
    commands: tuple[Said, ...]


def line_of(action: ActionEvent) -> Line | None:
    """The one shell line of an action; None where it has none, or where it is more than plain commands.

    More than plain is all that is computed, substituted, expanded, redirected or wrapped (``$(…)``, ``*``,
    ``>``, ``sudo``, ``sh -c``, a loop): only the exact same action can be remembered of that.
    """
    view = View(action)
    fields = view.shell_fields
    if view.kind != "shell" or len(fields) != 1:
        return None
    (field,) = fields
    if len(field.text) > LONGEST:
        return None
    key = field.path.partition(".")[2]
    if not field.exact or action.arguments.get(key) != field.text:
        return None
    ((_, script),) = view.scripts
    if not script.plain or not 0 < len(script.commands) <= MOST_COMMANDS:
        return None
    rest = {name: value for name, value in action.arguments.items() if name != key}
    commands = _said(script, field.text, view.flows[0].done)
    if commands is None:
        return None
    return Line(key, digest_of_call(action.tool_name, rest), commands)


def _said(script: Script, text: str, done: list[Done]) -> tuple[Said, ...] | None:
    if [one.command for one in done] != list(script.commands):
        return None
    found: list[Said] = []
    end = 0
    for command, effects in zip(script.commands, done, strict=True):
        if command.name is None or command.assignments or command.redirects:
            return None
        join = _join(text[end : command.span[0]])
        end = command.span[1]
        words = (command.name.text, *(word.text for word in command.args))
        if not found and join not in ("", "\n"):
            return None
        found.append(Said(join if found else "", words, _paths(command, effects)))
    if _join(text[end:]) not in ("", "\n", ";"):  # after ``&&`` a shell waits for what it gets next
        return None
    return tuple(found)


def _join(between: str) -> str:
    """What joins two commands, without the spaces and line ends that mean nothing beside it."""
    sign = between.replace("\\\n", "").replace(" ", "").replace("\t", "")
    return sign.strip("\n") or sign[:1]


def _paths(command: Command, done: Done) -> frozenset[int]:
    """Which words are paths that are read or changed, and nothing else.

    Not the values of options: ``psql -f x.sql`` runs what it reads. Nor what is given to programs that
    build or run a project: ``java -jar``, ``cmake`` and ``gunicorn`` run it, or what lies there.
    """
    node = lookup(command.program)
    if node is not None and node.id == _BUILDS:
        return frozenset()
    operands = {word.span for word in parse(node, command.args).operands} if node is not None else set()
    used: dict[Span, set[str]] = {}
    for effect, words in done.effects.items():
        for word in words:
            used.setdefault(word.span, set()).add(effect)
    return frozenset(
        at
        for at, word in enumerate(command.args, start=1)
        if word.span in operands
        and word.known
        and is_plain_path(word.text)
        and used.get(word.span, _NOTHING) <= _TO_PATHS
    )
