"""Rates one command: its entry in the table, what its redirects and variables do, where all that leads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from guardtier.analyzers.effects.parse import Given, parse
from guardtier.analyzers.effects.rate import Rated, rated, risk_of, sentence, shown, target_of
from guardtier.analyzers.effects.select import holds, selected
from guardtier.analyzers.effects.table import CompiledRule, Node, lookup, rules_with
from guardtier.analyzers.effects.targets import place_of
from guardtier.analyzers.effects.variables import rate_variable
from guardtier.analyzers.shell.model import Command, Redirect, Word
from guardtier.analyzers.shell.wrappers import program_of
from guardtier.risk import SecurityRisk

LOW, MEDIUM, HIGH = SecurityRisk.LOW, SecurityRisk.MEDIUM, SecurityRisk.HIGH

#: What one must not lose: read by one command and sent by the next, it is leaving.
SENSITIVE = frozenset(
    [
        "credentials",
        "browser",
        "history",
        "environ",
        "memory",
        "secrets",
        "personal",
        "home",
        "root",
        "auth",
    ]
    + ["accounts", "mail"]
)
_HARMLESS_ALONE = frozenset({"--help", "--version", "-V", "--usage"})
#: Tools that are known by their name, whatever interpreter they are given to.
_ATTACKS = ("shell.attack", "shell.credentials.attack_tool", "shell.mine")
_OWN_SYSTEM = frozenset({"unknown", "library"})
_ASSIGNING = frozenset({"export", "declare", "typeset", "readonly", "local", "set", "setenv"})


@dataclass(slots=True)
class Done:
    """What a command did, for the data flow: its effects, each with its words; and in which directory."""

    command: Command
    program: str
    cwd: str
    effects: dict[str, list[Word]]
    sensitive: bool = False

    def note(self, effect: str, words: list[Word]) -> None:
        known = self.effects.get(effect)
        self.effects[effect] = words if known is None else known + words


def rate_command(
    command: Command, program: str, cwd: str, found: list[Rated], fed: list[Word] | None = None
) -> Done:
    """Adds what there is to say of this command. ``fed``: the operands that xargs or find hand it."""
    done = Done(command, program, cwd, {})
    if command.assignments:
        for name, word in command.assignments:
            _add_variable(name, word.text, word.span, found)
    if command.redirects:
        for redirect in _redirected(command.redirects, fed) if fed else command.redirects:
            _rate_redirect(redirect, cwd, found, done)
    if program:
        _rate_program(command, program, cwd, found, done, fed)
    return done


def _add_variable(name: str, value: str, span: tuple[int, int], found: list[Rated]) -> None:
    result = rate_variable(name, value, span)
    if result is not None:
        found.append(result)


def _redirected(redirects: tuple[Redirect, ...], fed: list[Word]) -> Iterator[Redirect]:
    """``find … -exec sh -c ': > {}'``: one for each that find hands on."""
    for redirect in redirects:
        target = redirect.target
        if target is None or "{}" not in target.text:
            yield redirect
        else:
            yield from (replace(redirect, target=word) for word in _handed([target], fed))


def _rate_redirect(redirect: Redirect, cwd: str, found: list[Rated], done: Done) -> None:
    target = redirect.target
    if target is None or redirect.kind in ("heredoc", "herestring"):
        return
    if redirect.kind == "dup" and (target.text.isdigit() or target.text in ("-", "")):
        return
    effect = "read" if redirect.kind == "read" else "write"
    risk = _rate_word(effect, target, cwd, done, found)
    if risk is MEDIUM and effect == "read" and target.text.startswith("/dev/") and runs_input(done.command):
        _rate_word("execute", target, cwd, done, found)  # ``bash < /dev/tcp/…``
    done.note(effect, [target])


def runs_input(command: Command) -> bool:
    """Whether the program is a shell or an interpreter."""
    entry = program_of(command.program)
    return entry is not None and bool(entry.stdin) and entry.stdin != "sql"


def _rate_word(effect: str, word: Word, cwd: str, done: Done, found: list[Rated]) -> SecurityRisk:
    """One effect on one target, as the matrix has it."""
    place = target_of(effect, word.text, cwd)
    risk = risk_of(effect, place.name)
    if (
        risk is MEDIUM
        and done.command.context.privileged
        and place.name in _OWN_SYSTEM
        and effect != "read"
    ):
        risk = HIGH
    if effect in ("read", "collect", "credentials") and place.name in SENSITIVE:
        done.sensitive = True
    if risk is not LOW:
        found.append(rated(effect, place, word.text, word.span, risk))
    return risk


def _rate_program(
    command: Command, program: str, cwd: str, found: list[Rated], done: Done, fed: list[Word] | None
) -> None:
    node = lookup(program)
    if node is None:
        _rate_unknown(command, cwd, found, done)
        return
    if command.name is not None and "/" in command.name.text:
        _note_path(command.name, cwd, found, done)
    given = parse(node, command.args)
    if fed:
        given.operands = _handed(given.operands, fed)
    if len(command.args) == 1 and command.args[0].text in _HARMLESS_ALONE:
        return
    if program in _ASSIGNING:
        for word in given.operands:
            name, _, value = word.text.partition("=")
            _add_variable(name, value, word.span, found)
    before = len(found)
    if _apply_rules(given, command, cwd, found, done, before):
        return
    _add_base(given.nodes[-1], command, found)


def _note_path(name: Word, cwd: str, found: list[Rated], done: Done) -> None:
    """``/tmp/ls`` has the name of a program of the table, and may be any program."""
    place = place_of(name.text, cwd).name
    if place not in ("system", "library"):
        done.note("execute", [name])
        if place not in ("workspace", "homework"):
            _rate_word("execute", name, cwd, done, found)


def _handed(operands: list[Word], fed: list[Word]) -> list[Word]:
    """``{}`` replaced by what find or xargs put there; at the end where there is no ``{}``."""
    if not any("{}" in word.text for word in operands):
        return operands + fed
    handed: list[Word] = []
    for word in operands:
        if "{}" in word.text:
            handed.extend(Word(word.text.replace("{}", new.text), word.span, new.known) for new in fed)
        else:
            handed.append(word)
    return handed


def _apply_rules(
    given: Given, command: Command, cwd: str, found: list[Rated], done: Done, before: int
) -> bool:
    """Whether some rule said what the program changes."""
    decided = False
    options = frozenset(given.options)
    for node in reversed(given.nodes):
        for rule, settled in rules_with(node, options):
            if not settled and not holds(rule, command, given):
                continue
            if rule.only:
                del found[before:]
                _apply(rule, command, cwd, given, found, done)
                return True
            decided |= _apply(rule, command, cwd, given, found, done)
    return decided


def _apply(
    rule: CompiledRule, command: Command, cwd: str, given: Given, found: list[Rated], done: Done
) -> bool:
    """Whether it says what the program changes."""
    does = rule.does
    words = selected(rule.on, command, given) if rule.on else []
    if rule.place:
        words = [w for w in words if target_of(does or "read", w.text, cwd).name in rule.place]
    if rule.on and not words and "stdin" not in rule.on:
        return False
    if does is not None:
        done.note(does, words)
        done.sensitive |= does == "credentials"
    if rule.risk is not None:
        _add_fixed(rule, command, words, found)
    elif does is not None and (words or not rule.on):
        deep = does == "read" and not given.nodes[-1].recursive.isdisjoint(given.options)
        effect = "collect" if deep else does
        for word in words:
            _rate_word(effect, word, cwd, done, found)
            if effect == "execute":
                _rate_script_file(word, command, found)
        if not words:
            found.append(rated(effect, place_of("."), command.program, command.span, risk_of(effect, "")))
    return rule.changes


def _rate_script_file(word: Word, command: Command, found: list[Rated]) -> None:
    """``bash x.sh``: what the table says of x.sh itself, or that it runs with root's rights."""
    name = word.text.rpartition("/")[2]
    node = lookup(name) or lookup(name.rpartition(".")[0])
    if node is not None and node.id.startswith(_ATTACKS):
        _add_base(node, command, found)
    elif command.context.privileged:
        text = sentence(f"Runs a script with root's rights: {shown(word.text)}", "T1548.003")
        found.append(Rated("shell.escalate.script", HIGH, text, word.span))


def _add_fixed(rule: CompiledRule, command: Command, words: list[Word], found: list[Rated]) -> None:
    risk = rule.risk
    if risk is None or risk is LOW:
        return
    span = words[0].span if words else command.span
    found.append(Rated(rule.id, risk, rule.message, span))


def _add_base(node: Node, command: Command, found: list[Rated]) -> None:
    """No rule said what it changes: the program's own risk."""
    risk = node.risk or MEDIUM
    if risk is MEDIUM and command.context.privileged:
        risk = node.privileged
    if risk is LOW:
        return
    text = node.message
    if risk is HIGH and node.risk is not HIGH:
        text = f"With root's rights: {text[:1].lower()}{text[1:]}"
    found.append(Rated(node.id, risk, text, command.span))


_MINES = "Is given the options of a miner, whatever the program is called (ATT&CK T1496)."
_MINING = re.compile(
    r"--(?:donate-level|nicehash|rig-id|randomx-\w+|cpu-max-threads-hint)(?:=|\Z)|--(?:algo|coin)=(?:rx/|randomx|cn[/-]|kawpow|etc?hash"
    r"|autolykos|verushash|ghostrider|argon2/|astrobwt|beamhash|octopus|progpow|monero|ravencoin)"
)
_POOL = "Works for a pool of miners, whatever the program is called (ATT&CK T1496)."


def _rate_unknown(command: Command, cwd: str, found: list[Rated], done: Done) -> None:
    """A program that the table doesn't have: MEDIUM, HIGH with root's rights or given credentials."""
    name = command.name
    assert name is not None  # noqa: S101 - narrowed by the caller
    if "/" in name.text:
        done.note("execute", [name])
        if risk_of("execute", place_of(name.text, cwd).name) is HIGH:
            _rate_word("execute", name, cwd, done, found)
    for word in command.args:
        if "/" in word.text or word.text[:1] in ".~":
            text = word.text.rpartition("=")[2] if "=" in word.text else word.text.lstrip("@<")
            if risk_of("read", place_of(text, cwd).name) is HIGH:
                _rate_word("read", Word(text, word.span), cwd, done, found)
            if word.text.startswith("stratum+"):
                found.append(Rated("shell.mine.pool", HIGH, _POOL, word.span))
        if word.text.startswith("--") and _MINING.match(word.text):
            found.append(Rated("shell.mine.pool", HIGH, _MINES, word.span))
    risk = HIGH if command.context.privileged else MEDIUM
    what = "a program that the table doesn't know" + (", with root's rights" if risk is HIGH else "")
    text = f"Runs {shown(name.text)}, {what}"
    attack = "T1548.003" if risk is HIGH else None
    found.append(Rated("shell.program.unknown", risk, sentence(text, attack), command.span))
    _rate_handed_over(command, cwd, found)


def _rate_handed_over(command: Command, cwd: str, found: list[Rated]) -> None:
    """``tool run -- rm -rf /etc``: what stands behind the dashes, where the table knows it, is run."""
    args = command.args
    at = next((index for index, word in enumerate(args) if word.text == "--"), len(args))
    if at + 1 >= len(args):
        return
    program = args[at + 1].text.rpartition("/")[2]
    if lookup(program) is not None:
        inner = replace(command, name=args[at + 1], args=args[at + 2 :], redirects=(), assignments=())
        rate_command(inner, program, cwd, found)
