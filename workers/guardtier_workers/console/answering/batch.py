"""Batch: what the same answer to many actions would do, each of them shown as a whole before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from guardtier.answer import Choice
from guardtier.look import Me
from guardtier.risk import SecurityRisk
from guardtier.store.records import Record
from guardtier_workers.console.answering.before import Before, Offer, before
from guardtier_workers.console.show.evidence import Evidence, Text, evidence_of
from guardtier_workers.console.show.folding import WHOLE
from guardtier_workers.console.show.reasons import Reason

REASONS = 3  #: that are shown of one
AT_ONCE = 20  #: records read in one go: each may have 1 MiB
TOOL, LABEL = 80, 120  #: characters of a tool's name and of an argument's that the preview shows

PIECES = 20_000  #: of marked text on one page, 150 bytes each: plain text has one a line
CROWDED = "There is no room to show it beside the others: answer fewer at once, or this one by itself."
TOO_LONG = "It is too long to be shown here as a whole: approve it by itself."
GONE = "It does not wait any more, or is none of your fleets'."


@dataclass(frozen=True, slots=True)
class Preview:
    """One of many: no more of it than is shown, since 200 records with 1 MiB each are 1 GiB in memory.

    ``risk`` is None where there is nothing to show of it, ``tool`` where it can't be read. ``more``
    values are left out.
    """

    id: str
    digest: str
    offer: Offer
    risk: SecurityRisk | None = None
    fleet: str = ""
    tool: str | None = None
    agent: str = ""
    arguments: Sequence[Text] = ()
    more: int = 0
    reasons: Sequence[Reason] = ()
    reason_required: bool = False
    shown: str = ""  #: what an answer names, beside the digest


def preview(record: Record, me: Me, choice: Choice) -> Preview:
    """What the answer would do to this one. What is not shown as a whole is not approved from here."""
    found: Before = before(record, me)
    evidence = evidence_of(record)
    offer = found.approve if choice is Choice.APPROVE else found.reject
    if choice is Choice.APPROVE and offer.can and not _is_whole(evidence):
        offer = Offer(offer.words, TOO_LONG, offer.decides)
    action = evidence.action
    return Preview(
        record.id,
        record.digest,
        offer,
        risk=record.assessment.risk,
        fleet=record.fleet,
        tool=action.tool_name if action else None,
        agent=action.agent if action else "",
        arguments=evidence.arguments,
        more=evidence.more,
        reasons=evidence.reasons[:REASONS],
        reason_required=found.reason_required,
        shown=record.shown,
    )


class Room:
    """What one page can show. What comes when it is full is left out, and says so."""

    def __init__(self) -> None:
        self._left = PIECES

    def fitted(self, one: Preview) -> Preview:
        pieces = sum(len(text.pieces) for text in one.arguments)
        if pieces > self._left:
            return replace(one, arguments=(), more=0, reasons=(), offer=Offer(one.offer.words, CROWDED))
        self._left -= pieces
        return one


def gone(action_id: str) -> Preview:
    """Of an id that stands for nothing which this visitor sees."""
    return Preview(action_id, "", Offer(why_not=GONE))


def chunks(ids: Sequence[str]) -> list[Sequence[str]]:
    return [ids[at : at + AT_ONCE] for at in range(0, len(ids), AT_ONCE)]


def _is_whole(evidence: Evidence) -> bool:
    texts = evidence.arguments
    is_named = evidence.tool is not None and evidence.tool.length <= TOOL
    is_labelled = all(len(text.label) <= LABEL for text in texts)
    return is_named and is_labelled and not evidence.more and sum(text.length for text in texts) <= WHOLE
