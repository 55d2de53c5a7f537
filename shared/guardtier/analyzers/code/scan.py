"""scan(report): Python that does not parse, or is too long to: a linear search that sees too much.

What a call is given can't be told here, so every literal of the text counts for every rule that the
text's words allow. Where there is too much of it even for that, it is HIGH.
"""

from __future__ import annotations

import re
from itertools import islice

import re2

from guardtier.analyzers.code.harm import harm_of, risk_at, shell_findings
from guardtier.analyzers.code.prefilter import seen
from guardtier.analyzers.code.rules import Call, load
from guardtier.analyzers.code.source import Report
from guardtier.analyzers.code.statements import sql_findings
from guardtier.analyzers.fields import Span
from guardtier.analyzers.gate import joined
from guardtier.risk import SecurityRisk

HIGH, MEDIUM = SecurityRisk.HIGH, SecurityRisk.MEDIUM

MAX_TEXT = 1 << 15  #: characters of different literals that are read as commands, and as SQL
MAX_PATHS = 2048  #: different paths that are looked up

#: Begins with one of two characters, which re looks for by themselves.
_LITERAL = re.compile(
    r"'(?:''((?>(?:(?!''').)*))'''|((?>(?:[^'\\\n]|\\.)*))')"
    r'|"(?:""((?>(?:(?!""").)*))"""|((?>(?:[^"\\\n]|\\.)*))")',
    re.DOTALL,
)
_JOINED = re.compile(r"(?P<q>['\"])\s*+\+\s*+(?P=q)")
_PATH = re.compile(r"(?:^|(?<=[\s=:,>]))(?:file:|~|\.{0,2}/)[^\s'\"]{1,512}")
_WORDY = re.compile(r"[A-Za-z]{2}|[/~*-]")
_HIDDEN_RUN = re2.compile(
    rb"\b(?:exec|eval|system|popen|Popen|run|call|loads)\s*\([^\n]{0,200}(?:b64decode|b32decode|decompress|fromhex|"
    rb"unhexlify|rot13|rot_13|urlopen|requests\.|recv\()"
)


def scan(report: Report) -> None:
    raw, words = seen(report.text)
    rules = _rules_in(words)
    if not rules:
        return
    if hidden := _HIDDEN_RUN.search(raw):
        report.add(
            "python.run.hidden", HIGH, "Runs what was encoded or fetched (ATT&CK T1027.010).", hidden.span()
        )
    calls = _calls({name for name, rule in rules if _is_said(rule)}, raw)
    for name, rule in rules:
        if name in calls and _is_said(rule):
            _add(report, rule, calls[name])
    literals = _literals(report.text)
    everywhere = (0, len(report.text))
    if any(rule.command or rule.argv for _, rule in rules):
        lines = _joined(report, "\n".join(literals) + "\n" + " ".join(literals))
        report.adopt(shell_findings(lines), everywhere)
    if any(rule.sql for _, rule in rules):
        report.adopt(sql_findings(_joined(report, ";\n".join(literals)), report.part), everywhere)
    effects = {effect for _, rule in rules for effect in (*rule.does, *(["write"] if rule.mode else []))}
    if effects:
        _add_paths(report, sorted(effects), literals)


def _literals(text: str) -> list[str]:
    """The different literals that may mean something; those with a plus between them are one."""
    found = dict.fromkeys(_LITERAL.findall(_JOINED.sub("", text)))
    return [literal for groups in found if _WORDY.search(literal := next(filter(None, groups), ""))]


def _rules_in(words: frozenset[str]) -> list[tuple[str, Call]]:
    """The rules whose words are all in the text."""
    plain = words | {word.removeprefix("=") for word in words}
    return [
        (name.rpartition(".")[2], rule)
        for name, rules in load().calls.items()
        if load().words_of(name) <= plain
        for rule in rules
        if plain.issuperset(rule.words)
    ]


def _is_said(rule: Call) -> bool:
    """Whether there is something to say of the call by itself."""
    if rule.when or rule.marked or rule.looped:
        return False
    return bool(rule.risk or rule.command or rule.argv or rule.code)


def _calls(names: set[str], raw: bytes) -> dict[str, Span]:
    """Where functions of these names are called first. Most are found by their bracket at once."""
    found: dict[str, Span] = {}
    others: list[str] = []
    for name in names:
        at = raw.find(f"{name}(".encode())
        before = raw[at - 1 : at]
        if at >= 0 and not (before.isalnum() or before == b"_"):
            found[name] = (at, at + len(name) + 1)
        else:
            others.append(name)
    patterns = [rf"\b{re2.escape(name)}\s*\(" for name in others]
    for at in (joined(patterns).Match(raw) or range(1, len(patterns) + 1)) if patterns else ():
        call = re2.search(patterns[at - 1].encode(), raw) if at else None
        if call is not None:
            found[others[at - 1]] = call.span()
    return found


def _add(report: Report, rule: Call, span: Span) -> None:
    """What the call is by itself."""
    if rule.risk is not None:
        report.add(rule.id or "python.call", rule.risk, rule.text, span)
    else:
        report.add("python.run.command", MEDIUM, "Runs another program or code (ATT&CK T1059).", span)


def _joined(report: Report, text: str) -> str:
    """As much of it as is read; what is more is said to be too much."""
    if len(text) > MAX_TEXT:
        _too_much(report)
    return text[:MAX_TEXT]


def _too_much(report: Report) -> None:
    message = "Runs commands, statements or file operations, and is too long for all of it to be followed."
    report.add("python.obscured.size", HIGH, f"{message} Split it up.", (0, len(report.text)))


def _add_paths(report: Report, effects: list[str], literals: list[str]) -> None:
    paths = dict.fromkeys(path for text in literals for path in _PATH.findall(text))
    if len(paths) > MAX_PATHS:
        _too_much(report)
    for path in islice(paths, MAX_PATHS):
        for effect in effects:
            if risk_at(effect, path) in (HIGH, MEDIUM):
                harm = harm_of(effect, path, "python")
                if report.full_of(harm.id):
                    continue
                at = max(report.text.find(path), 0)
                report.add(harm.id, harm.risk, harm.message, (at, at + len(path)))
