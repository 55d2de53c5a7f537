"""Evidence: one action as a person has to see it before they answer: what will run, and why it waits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from guardtier.action import ActionEvent, ToolAnnotations
from guardtier.assessment import Finding
from guardtier.errors import InvalidAction
from guardtier.redacted import has_marks
from guardtier.store.records import Record
from guardtier_workers.console.show.diff import Changed, changes
from guardtier_workers.console.show.folding import ROOM, SHORT, WHOLE, folded
from guardtier_workers.console.show.hidden import Count, hidden_in
from guardtier_workers.console.show.marked import Mark, Piece
from guardtier_workers.console.show.reasons import (
    Claim,
    Reason,
    Said,
    claim_of,
    marks_in,
    numbered,
    reasons_of,
    votes_of,
)
from guardtier_workers.console.show.values import MOST, Leaf, as_json, leaves_of, text_at

#: What findings call the texts beside the arguments, and what the page does.
_WORDS: Final = {"tool_name": "tool", "summary": "summary", "thought": "thought"}
_HINTS: Final = (
    ("readOnlyHint", "changes nothing", "changes things"),
    ("destructiveHint", "may destroy", "destroys nothing"),
    ("idempotentHint", "may be run twice", "is not the same when it is run twice"),
    ("openWorldHint", "reaches the outside", "stays inside"),
)


@dataclass(frozen=True, slots=True)
class Text:
    """An untrusted text. ``name`` asks for what is folded of it; ``lines`` counts line breaks, plus one."""

    name: str
    label: str
    kind: str
    pieces: list[Piece]
    length: int
    lines: int
    notes: tuple[int, ...] = ()  #: findings about it that have no span


@dataclass(frozen=True, slots=True)
class Evidence:
    """``action`` is None where it can't be read: then nothing is approved, and ``raw`` is what came."""

    action: ActionEvent | None
    arguments: list[Text] = field(default_factory=list)
    more: int = 0  #: values that stand in the JSON alone
    tool: Text | None = None
    said: list[Text] = field(default_factory=list)  #: the agent's words: summary, thought
    reasons: list[Reason] = field(default_factory=list)
    votes: list[Said] = field(default_factory=list)
    claim: Claim | None = None
    hints: list[str] = field(default_factory=list)
    title: str = ""  #: what the tool calls itself
    hidden: list[Count] = field(default_factory=list)
    changed: list[Changed] = field(default_factory=list)  #: by an approver's edit
    changed_more: int = 0  #: changes that are not shown
    raw: list[Piece] = field(default_factory=list)
    redacted: bool = False  #: marks stand in the place of secrets


def evidence_of(record: Record, original: bytes = b"") -> Evidence:
    """``original``: what the agent asked for, where an approver has edited it."""
    findings = numbered(record.assessment)
    votes = votes_of(record.assessment)
    try:
        action = record.action
    except InvalidAction:
        return Evidence(None, reasons=reasons_of(findings, {}), votes=votes, raw=folded(_raw(record)))
    texts = texts_of(action)
    leaves, more = leaves_of(action.arguments)
    leaves += _pointed_at(action, leaves, findings)
    changed, changed_more = _changed(action, original)
    shown = {name: _text(name, label, text, record) for name, (label, text) in texts.items()}
    return Evidence(
        action,
        arguments=_leaves(leaves, record),
        more=more - max(0, len(leaves) - MOST),
        tool=shown["tool"],
        said=[shown[name] for name in ("summary", "thought") if texts[name][1]],
        reasons=reasons_of(findings, _by_path(leaves, texts)),
        votes=votes,
        claim=claim_of(action.security_risk, record.assessment.risk),
        hints=_hints(action.annotations),
        title=(action.annotations.title or "") if action.annotations else "",
        hidden=hidden_in([*(text for _, text in texts.values()), *_strings(action.arguments)]),
        changed=changed,
        changed_more=changed_more,
        redacted=has_marks(record.event),
    )


def texts_of(action: ActionEvent) -> dict[str, tuple[str, str]]:
    """What stands beside the arguments: by its name, its label and its text."""
    return {
        "tool": ("tool", action.tool_name),
        "summary": ("summary", action.summary),
        "thought": ("thought", action.thought),
    }


def full_text(record: Record, name: str) -> tuple[str, frozenset[str]] | None:
    """The text of that name and the paths that findings name it with; None where there is none."""
    if not record.is_readable:
        return (_raw(record), frozenset()) if name == "raw" else None
    action = record.action
    if name == "json":
        return as_json(action.arguments), frozenset()
    texts = texts_of(action)
    if name in texts:
        return texts[name][1], _paths_of(name)
    leaves, _ = leaves_of(action.arguments)
    leaves += _pointed_at(action, leaves, numbered(record.assessment))
    leaf = next((one for one in leaves if name == f"value-{one.number}"), None)
    return (leaf.text, leaf.paths) if leaf else None


def _pointed_at(
    action: ActionEvent, leaves: Sequence[Leaf], findings: Sequence[tuple[int, Finding]]
) -> list[Leaf]:
    """The values beyond those that are shown anyway which findings point at: none of them is left out."""
    known = {path for leaf in leaves for path in leaf.paths}
    paths = dict.fromkeys(finding.field for _, finding in findings if finding.field not in known)
    texts = ((path, text_at(action.arguments, path)) for path in paths if path)
    found = [(path, text) for path, text in texts if text is not None]
    return [
        Leaf(len(leaves) + at, path.removeprefix("arguments."), frozenset([path]), "string", text)
        for at, (path, text) in enumerate(found)
    ]


def marks_of(record: Record, text: str, paths: frozenset[str]) -> list[Mark]:
    """The spans that findings have in a text of these paths, the riskiest first."""
    return marks_in(text, paths, numbered(record.assessment))


def _raw(record: Record) -> str:
    return record.event.decode(errors="backslashreplace")


def _paths_of(name: str) -> frozenset[str]:
    return frozenset(path for path, called in _WORDS.items() if called == name)


def _text(name: str, label: str, text: str, record: Record) -> Text:
    marks = marks_of(record, text, _paths_of(name))
    return Text(name, label, "string", folded(text, marks), len(text), text.count("\n") + 1)


def _leaves(leaves: Sequence[Leaf], record: Record) -> list[Text]:
    """As wholes while there is room: a megabyte in many values would be a page that nobody can open."""
    found, room = [], ROOM
    for leaf in leaves:
        shown = min(len(leaf.text), WHOLE)
        found.append(_leaf(leaf, record, WHOLE if shown <= room else SHORT))
        room -= min(shown, room)
    return found


def _leaf(leaf: Leaf, record: Record, whole: int) -> Text:
    numbers = numbered(record.assessment)
    marks = marks_in(leaf.text, leaf.paths, numbers) if leaf.kind == "string" else []
    marked = {mark.number for mark in marks}
    notes = tuple(number for number, one in numbers if one.field in leaf.paths and number not in marked)
    lines = leaf.text.count("\n") + 1
    name = f"value-{leaf.number}"
    return Text(name, leaf.label, leaf.kind, folded(leaf.text, marks, whole), len(leaf.text), lines, notes)


def _by_path(leaves: list[Leaf], texts: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    found = {path: leaf.text for leaf in reversed(leaves) if leaf.kind == "string" for path in leaf.paths}
    return found | {path: texts[name][1] for path, name in _WORDS.items()}


def _strings(value: Any) -> list[str]:
    """Every string in a value, keys as well."""
    found: list[str] = []
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            found += one
        children = one.values() if isinstance(one, dict) else one
        found += [child for child in children if isinstance(child, str)]
        waiting += [child for child in children if isinstance(child, dict | list)]
    return found


def _hints(annotations: ToolAnnotations | None) -> list[str]:
    """What the tool says of itself, in words."""
    if annotations is None:
        return []
    said = ((getattr(annotations, name), yes, no) for name, yes, no in _HINTS)
    return [yes if value else no for value, yes, no in said if value is not None]


def _changed(action: ActionEvent, original: bytes) -> tuple[list[Changed], int]:
    if not original:
        return [], 0
    try:
        asked = ActionEvent.from_json(original)
    except InvalidAction:
        return [], 0
    return changes(asked.arguments, action.arguments)
