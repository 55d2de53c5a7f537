"""Reasons: why an action is rated as it is: findings, each child's vote, the agent's claim against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from guardtier.assessment import Assessment, ChildVote, Finding
from guardtier.risk import SecurityRisk
from guardtier_workers.console.show.marked import Mark, Piece, pieces, within_line

_ORDER: Final = {SecurityRisk.HIGH: 0, SecurityRisk.UNKNOWN: 1, SecurityRisk.MEDIUM: 2, SecurityRisk.LOW: 3}
QUOTED: Final = 160  #: characters of what a finding points at
AROUND: Final = 24  #: before and behind it
SHORT: Final = 160  #: characters of a text that one takes in at a glance: nothing of it is quoted


@dataclass(frozen=True, slots=True)
class Reason:
    """One finding. ``where`` says in words what it points at; ``quote`` is that, with what is around."""

    number: int
    risk: SecurityRisk
    id: str
    message: str
    where: str
    quote: tuple[Piece, ...]
    is_marked: bool  #: whether the page shows its span


@dataclass(frozen=True, slots=True)
class Said:
    """One child's vote. ``milliseconds`` that it took; ``words`` where it was not asked or decided."""

    child: str
    risk: SecurityRisk
    milliseconds: float
    words: str
    is_skipped: bool


@dataclass(frozen=True, slots=True)
class Claim:
    """What the agent's model says of its own call, against the rating."""

    claimed: SecurityRisk
    rated: SecurityRisk
    words: str
    is_lower: bool


def numbered(assessment: Assessment) -> list[tuple[int, Finding]]:
    """The findings, the riskiest first, counted from 1."""
    ordered = sorted(assessment.findings, key=lambda finding: _ORDER[finding.risk])
    return list(enumerate(ordered, 1))


def marks_in(text: str, paths: frozenset[str], findings: Sequence[tuple[int, Finding]]) -> list[Mark]:
    """The findings' spans in a text of these paths. What lies outside the text is left out."""
    found = []
    for number, finding in findings:
        if finding.field in paths and finding.span is not None:
            start, end = max(0, finding.span[0]), min(len(text), finding.span[1])
            if start < end:
                found.append(Mark(number, finding.risk.value, start, end))
    return found


def reasons_of(findings: Sequence[tuple[int, Finding]], texts: Mapping[str, str]) -> list[Reason]:
    """``texts``: by the path that findings name them with."""
    return [_reason(number, finding, texts) for number, finding in findings]


def _reason(number: int, finding: Finding, texts: Mapping[str, str]) -> Reason:
    text = texts.get(finding.field or "")
    start, end = finding.span or (0, 0)
    start, end = max(0, start), min(end, len(text or ""))
    is_marked = text is not None and start < end
    quote: tuple[Piece, ...] = ()
    if text is not None and is_marked and len(text) > SHORT:
        quote = _quote(text, number, finding, start, end)
    where = _where(finding, text, start, end)
    return Reason(number, finding.risk, finding.id, finding.message, where, quote, is_marked)


def _quote(text: str, number: int, finding: Finding, start: int, end: int) -> tuple[Piece, ...]:
    until = min(end, start + QUOTED)
    mark = Mark(number, finding.risk.value, start, until)
    found = list(pieces(text, [mark], max(0, start - AROUND), min(len(text), until + AROUND)))
    before = [Piece("…")] if start > AROUND else []
    after = [Piece("…")] if until < end or until + AROUND < len(text) else []
    return (*before, *map(within_line, found), *after)


def _where(finding: Finding, text: str | None, start: int, end: int) -> str:
    if finding.field is None:
        return "the action as a whole"
    place = finding.field.removeprefix("arguments.")
    if finding.span is None:
        return place
    if text is None:
        return f"{place}, which is not shown by itself"
    if start >= end:
        return f"{place}, at characters that it does not have"
    if end - start == 1:
        return f"{place}, character {end:,}"
    return f"{place}, characters {start + 1:,} to {end:,}"


def votes_of(assessment: Assessment) -> list[Said]:
    """The riskiest first."""
    ordered = sorted(assessment.votes, key=lambda vote: (vote.skipped, _ORDER[vote.risk]))
    return [
        Said(vote.child, vote.risk, vote.us / 1000, _vote_words(vote, assessment), vote.skipped)
        for vote in ordered
    ]


def _vote_words(vote: ChildVote, assessment: Assessment) -> str:
    if vote.skipped:
        return "not asked: others had said HIGH"
    if vote.risk is assessment.risk:
        return "the rating"
    return "can't tell" if vote.risk is SecurityRisk.UNKNOWN else "lower than the rating"


def claim_of(claimed: SecurityRisk, rated: SecurityRisk) -> Claim:
    """In words."""
    unknown = SecurityRisk.UNKNOWN
    is_lower = unknown not in (claimed, rated) and claimed < rated
    if claimed is unknown:
        words = "The agent's model claims nothing about the risk."
    elif rated is unknown:
        words = f"The agent's model claims {claimed.value}; the tier can't tell."
    elif is_lower:
        words = f"The agent's model claims {claimed.value}; the tier rates it {rated.value}."
    elif claimed is rated:
        words = f"The agent's model claims {claimed.value} as well."
    else:
        words = f"The agent's model claims {claimed.value}, more than the tier finds."
    return Claim(claimed, rated, words, is_lower)
