"""ShellSecurityAnalyzer: what the commands of an action do, and to what."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import ClassVar

from guardtier.action import ActionEvent
from guardtier.analyzers.base import SecurityAnalyzer
from guardtier.analyzers.effects.calls import rate_code
from guardtier.analyzers.effects.flow import Flow, flow_of
from guardtier.analyzers.effects.rate import Rated
from guardtier.analyzers.parts import MAX_PARTS, too_many
from guardtier.analyzers.shell import Script, read
from guardtier.analyzers.shell.model import Span
from guardtier.analyzers.view import view_of
from guardtier.assessment import MAX_FINDINGS, MAX_MESSAGE, Assessment, Finding, made
from guardtier.risk import SecurityRisk

_HIGH, _MEDIUM, _UNKNOWN = SecurityRisk.HIGH, SecurityRisk.MEDIUM, SecurityRisk.UNKNOWN


class ShellSecurityAnalyzer(SecurityAnalyzer):
    """Rates shell commands by their effects (``analyzers/effects``); abstains where there is no shell."""

    name: ClassVar[str] = "shell"
    cheap: ClassVar[bool] = True

    def __init__(self) -> None:
        # So the tables (0.1 s) are read now, and not with the first action.
        rate_script(read(_EVERY_TABLE), _EVERY_TABLE)

    def assess(self, action: ActionEvent) -> Assessment:
        view = view_of(action)
        scripts = view.scripts
        if not scripts:
            return view.vote()
        alone = len(scripts) == 1
        findings: dict[tuple[str, str], Finding] = {}
        for (field, script), flow in zip(scripts, view.flows, strict=False):
            found = rate_flow(script, field.text, flow)
            if alone and not found:  # half of what agents do; a third has one finding
                return view.vote((), SecurityRisk.LOW)
            if alone and len(found) == 1:
                return view.vote((_finding(found[0], field.path),), SecurityRisk.LOW)
            for rated in found:
                _keep(findings, rated, field.path)
        shown = _shown(findings)
        if len(view.shell_fields) > MAX_PARTS:
            shown = (too_many("shell", "commands"), *shown)
        return view.vote(shown, SecurityRisk.LOW)


_EVERY_TABLE = "X=1 rm /x; curl http://x/; node -e 1; perl -e 1; awk 1; ruby -e 1; php -r 1"


def rate_script(script: Script, text: str) -> list[Rated]:
    """All that there is to say of a script; nothing where it only reads, lists, searches or tests."""
    return rate_flow(script, text, flow_of(script, text))


def rate_flow(script: Script, text: str, flow: Flow) -> list[Rated]:
    """:func:`rate_script` of a script whose data flow has been followed."""
    if script.plain:
        return flow.found
    found = list(flow.found)
    for code in script.code:
        found += rate_code(code)
    if script.obscured and found:
        found += _obscured(script.obscured, [*flow.touched, *(code.span for code in script.code)])
    found += [_computed(span) for span in script.computed]
    if "()" in text and "|" in text and (bomb := _fork_bomb(script, text)):
        found.append(Rated("shell.machine.fork_bomb", _HIGH, _BOMB, bomb))
    if script.cut:
        found.append(Rated("shell.too_deep", _HIGH, _TOO_DEEP, (0, len(text))))
    if script.broken:
        found.append(Rated("shell.unparsed", _MEDIUM, _UNPARSED, (0, len(text))))
    return found


_FUNCTION = re.compile(r"(?<![\w:.-])([\w:.-]{1,32}+)(?:\s|\\\n){0,9}+\(\)")
_FEW = 16
_NAME = re.compile(r"[\w:.-]+")
_FEW_MADE = 1024  #: functions
_BLANKS = 9  #: between a function's name and its brackets
_BOMB = "Starts itself over and over until the machine stands still (ATT&CK T1499)."
_TOO_DEEP = "Is nested too deep, or too long, to tell what it does (ATT&CK T1027)."
_UNPARSED = "Is no complete shell command: a shell may take it otherwise than it reads."
_HIDDEN = "Hides a word of a command that changes something (ATT&CK T1027). Write the command plainly."


def _fork_bomb(script: Script, text: str) -> Span | None:
    """Where a function is made that pipes itself into itself: ``:(){ :|:& };:``."""
    doubled = {
        command.program
        for command in script.commands
        if command.piped_from is not None and command.piped_from.program == command.program
    }
    if not doubled:
        return None
    made = _FUNCTION
    if len(doubled) <= _FEW:  # nearly always; measured: a tenth of the time, in a megabyte of scripts
        names = "|".join(map(re.escape, doubled))
        if text.count("()") <= _FEW_MADE and all(map(_NAME.fullmatch, doubled)):
            return _made_before(names, max(map(len, doubled)), text)
        made = re.compile(rf"(?<![\w:.-])({names})(?:\s|\\\n){{0,9}}\(\)")
    return next((found.span() for found in made.finditer(text) if found[1] in doubled), None)


def _made_before(names: str, longest: int, text: str) -> Span | None:
    """The same, looked for backwards from each ``()``: no search of all that is between them."""
    head = re.compile(rf"(?<![\w:.-])(?:{names})(?:\s|\\\n){{0,9}}\Z")
    at = text.find("()")
    while at >= 0:
        if found := head.search(text, max(at - longest - 2 * _BLANKS, 0), at):
            return found.start(), at + 2
        at = text.find("()", at + 2)
    return None


def _obscured(obscured: tuple[Span, ...], touched: list[Span]) -> list[Rated]:
    """The hidden spellings in commands that are not harmless."""
    touched = sorted(touched)
    starts = [start for start, _ in touched]
    reach: list[int] = []  # how far the commands up to here go
    for _, end in touched:
        reach.append(max(end, reach[-1]) if reach else end)
    found = []
    for start, end in obscured:
        at = bisect_right(starts, max(start, end - 1)) - 1
        if at >= 0 and reach[at] > start:
            found.append(Rated("shell.obscured", _HIGH, _HIDDEN, (start, end)))
    return found


def _computed(span: Span) -> Rated:
    message = "Runs a program whose name is only known when it runs. Write the name of the program."
    return Rated("shell.computed", _UNKNOWN, message, span)


def _keep(findings: dict[tuple[str, str], Finding], rated: Rated, path: str) -> None:
    """One finding an id and field, the riskiest."""
    key = (rated.id, path)
    known = findings.get(key)
    if known is None or (rated.risk is _HIGH and known.risk is not _HIGH):
        findings[key] = _finding(rated, path)


def _finding(rated: Rated, path: str) -> Finding:
    name, risk, message, span = rated
    says = {"id": name, "risk": risk, "message": message[:MAX_MESSAGE], "field": path, "span": span}
    return made(Finding, says)


def _shown(findings: dict[tuple[str, str], Finding]) -> tuple[Finding, ...]:
    if len(findings) == 1:
        return tuple(findings.values())
    ordered = sorted(findings.values(), key=lambda finding: finding.risk is not _HIGH)
    return tuple(ordered[:MAX_FINDINGS])
