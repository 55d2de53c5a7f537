"""The entries of ``data/*.toml``, compiled once into what rating needs, found by a program's name."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib.resources import files

import re2

from guardtier.analyzers.effects.pattern import Pattern
from guardtier.analyzers.effects.rate import sentence
from guardtier.analyzers.effects.schema import Effect, Family, Program, Rule
from guardtier.analyzers.shell.model import Word
from guardtier.risk import SecurityRisk

_NOT_PROGRAMS = ("places.toml", "hosts.toml", "matrix.toml", "variables.toml", "calls.toml")
_SAYS_LITTLE = "Runs {}, which may change things"
_REMEMBERED = 256  #: characters of all options of a command: what is kept is bounded
NAME_MAX = 255  #: characters: no file's name is longer
_VERSION = re.compile(r"@.*\Z|-?\d[\d.]*\Z|\.exe\Z", re.DOTALL)


@dataclass(slots=True, frozen=True)
class AnyOf:
    """Options and operand patterns, one of which must be given."""

    options: frozenset[str]
    prefixes: tuple[str, ...] = ()
    operand: Pattern | None = None

    def holds(self, options: Set[str], operands: Sequence[Word]) -> bool:
        if options:
            if not self.options.isdisjoint(options):
                return True
            if self.prefixes:
                for option in options:
                    if option.startswith(self.prefixes):
                        return True
        if self.operand is not None:
            for word in operands:
                if self.operand.full(word.text):
                    return True
        return False


@dataclass(slots=True)
class CompiledRule:
    """A rule as the engine reads it; None is "doesn't matter"."""

    does: Effect | None
    on: tuple[str, ...]
    place: frozenset[str]
    when: AnyOf | None
    also: AnyOf | None
    unless: AnyOf | None
    value: tuple[tuple[str, Pattern], ...]
    first: Pattern | None
    operand: Pattern | None
    args: Pattern | None
    context: tuple[str, ...]
    piped: bool | None
    bare: bool | None
    carrying: bool
    fed: Pattern | None
    into: frozenset[str]
    only: bool
    risk: SecurityRisk | None
    id: str
    message: str
    changes: bool  #: whether it says what the program changes; then the program's own risk doesn't count
    shallow: bool  #: no condition on the text of operands, nor on what stands around the command

    def may_hold(self, options: frozenset[str]) -> bool:
        """Whether these options leave it open, whatever the operands are."""
        if self.unless is not None and self.unless.holds(options, ()):
            return False
        for one in (self.when, self.also):
            if one is not None and one.operand is None and not one.holds(options, ()):
                return False
        for option, _ in self.value:  # noqa: SIM110 - a generator would take twice as long
            if option not in options:
                return False
        return True

    def is_settled_by(self, options: frozenset[str]) -> bool:
        """Whether, where it may hold, nothing else is to be asked."""
        asked = (self.when, self.also)
        return (
            self.shallow
            and not self.value
            and self.piped is None
            and self.bare is None
            and (self.unless is None or self.unless.operand is None)
            and all(one is None or one.holds(options, ()) for one in asked)
        )


@dataclass(slots=True, eq=False)
class Node:
    """A program or subcommand, compiled. ``risk`` and ``privileged`` are inherited by subcommands."""

    name: str
    takes: frozenset[str] = frozenset()
    recursive: frozenset[str] = frozenset()
    rules: tuple[CompiledRule, ...] = ()
    subs: dict[str, Node] = field(default_factory=dict)
    single_dash: bool = False
    risk: SecurityRisk | None = None
    privileged: SecurityRisk = SecurityRisk.HIGH
    id: str = ""
    message: str = ""


def rules_with(node: Node, options: frozenset[str]) -> Sequence[tuple[CompiledRule, bool]]:
    """The rules of a node that may hold with these options, and whether nothing else is to be asked.

    Agents give few programs few different options. Measured: 3 µs a command less than to ask each rule.
    """
    if len("".join(options)) <= _REMEMBERED:
        return _remembered(node, options)
    return [(rule, False) for rule in node.rules if rule.may_hold(options)]


@lru_cache(maxsize=1024)
def _remembered(node: Node, options: frozenset[str]) -> tuple[tuple[CompiledRule, bool], ...]:
    return tuple([(rule, rule.is_settled_by(options)) for rule in node.rules if rule.may_hold(options)])


def lookup(program: str) -> Node | None:
    """The entry of a program by name; ``python3.11`` and ``python@3`` are found as ``python``."""
    entry = table().get(program)
    if entry is not None:
        return entry
    versioned = program[-1:].isdigit() or "@" in program or program.endswith(".exe")
    named = versioned and len(program) <= NAME_MAX
    return table().get(_VERSION.sub("", program)) if named else None


@cache
def table() -> dict[str, Node]:
    nodes: dict[str, Node] = {}
    for file in sorted(files(__package__).joinpath("data").iterdir(), key=lambda file: file.name):
        if file.name.endswith(".toml") and file.name not in _NOT_PROGRAMS:
            _add_family(nodes, file.name, file.read_text(encoding="utf-8"))
    return nodes


def _add_family(nodes: dict[str, Node], name: str, text: str) -> None:
    family = Family.model_validate(tomllib.loads(text))
    for program in family.program:
        node = compiled(program, name.removesuffix(".toml"))
        for alias in program.names:
            nodes.setdefault(alias, node)  # tests/unit/effects/test_data.py: none stands there twice


def compiled(program: Program, family: str) -> Node:
    """An entry with all of its subcommands."""
    name = program.names[0]
    node = Node(name, id=f"shell.program.{_slug(name)}", message=sentence(_SAYS_LITTLE.format(name), None))
    return _filled(node, program, family)


def _filled(node: Node, program: Program, family: str) -> Node:
    node.takes |= frozenset(program.takes)
    node.recursive |= frozenset(program.recursive)
    node.single_dash |= program.single_dash
    node.rules = (*node.rules, *_rules_of(program, family))
    if program.risk is not None:
        node.risk = SecurityRisk(program.risk)
    if program.privileged != "HIGH":
        node.privileged = SecurityRisk(program.privileged)
    node.id = program.id or node.id
    if program.message:
        node.message = sentence(program.message, program.attack, program.fix)
    for sub in program.sub:
        for names in sub.names:
            _filled(_place_for(node, names.split()), sub, family)
    if node.risk is None and node.rules and not any(rule.changes for rule in node.rules):
        node.risk = SecurityRisk.LOW
    _hand_down(node)
    return node


def _place_for(node: Node, words: list[str]) -> Node:
    for word in words:
        node = node.subs.setdefault(word, Node(f"{node.name} {word}"))
    return node


def _hand_down(node: Node) -> None:
    for sub in node.subs.values():
        sub.id = sub.id or node.id
        sub.message = sub.message or node.message
        sub.takes |= node.takes
        sub.recursive |= node.recursive
        if sub.risk is None:
            sub.risk, sub.privileged = node.risk, node.privileged
        _hand_down(sub)


def _rules_of(program: Program, family: str) -> Iterable[CompiledRule]:
    for does, on in program.effects.items():
        yield compiled_rule(Rule(does=does, on=on), program, family)
    for rule in program.rule:
        yield compiled_rule(rule, program, family)


def compiled_rule(rule: Rule, program: Program, family: str) -> CompiledRule:
    return CompiledRule(
        does=rule.does,
        on=tuple(rule.on),
        place=frozenset(rule.place),
        when=_given(rule.when),
        also=_given(rule.also),
        unless=_given(rule.unless),
        value=tuple((option, Pattern(f"(?s:{text})")) for option, text in rule.value.items()),
        first=_pattern(rule.first),
        operand=_pattern(rule.operand),
        args=_pattern(rule.args),
        context=tuple(rule.context),
        piped=rule.piped,
        bare=rule.bare,
        carrying=rule.carrying,
        fed=_pattern(rule.fed),
        into=frozenset(rule.into),
        only=rule.only,
        risk=SecurityRisk(rule.risk) if rule.risk else None,
        id=rule.id or _id_of(rule, program, family),
        message=sentence(rule.message or _SAYS_LITTLE.format(program.names[0]), rule.attack, rule.fix),
        changes=rule.risk is not None
        or rule.does not in (None, "read", "collect", "discover", "single_out"),
        shallow=not (
            rule.carrying
            or rule.fed
            or rule.first
            or rule.operand
            or rule.args
            or rule.context
            or rule.into
        ),
    )


def _id_of(rule: Rule, program: Program, family: str) -> str:
    return f"shell.{rule.does}" if rule.does else f"shell.{_slug(family)}.{_slug(program.names[0])}"


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "program"


def _given(words: list[str]) -> AnyOf | None:
    if not words:
        return None
    globs = [word for word in words if not word.startswith("-")]
    operand = _pattern("|".join(_glob(glob) for glob in globs)) if globs else None
    options = [word for word in words if word.startswith("-")]
    prefixes = tuple(word[:-1] for word in options if word.endswith("*"))
    return AnyOf(frozenset(options), prefixes, operand)


def _glob(glob: str) -> str:
    return ".*".join(re2.escape(part).replace(r"\?", ".") for part in glob.split("*"))


def _pattern(text: str | None) -> Pattern | None:
    return Pattern(f"(?s:{text})") if text is not None else None
