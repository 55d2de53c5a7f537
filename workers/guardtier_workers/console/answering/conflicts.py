"""Conflicts: why an answer did not count, by what stands now: who was quicker, what changed."""

from __future__ import annotations

import logging

from redis.exceptions import RedisError

from guardtier.errors import DigestMismatch, EditRefused, GuardtierError, GuardTimeout, WrongState
from guardtier.look import Me
from guardtier.policy.tally import read_votes
from guardtier.state import State
from guardtier.store.keys import Keys
from guardtier.store.records import Record
from guardtier_workers.clock import now_ms
from guardtier_workers.console.answering.looking import partition_in, seen_by
from guardtier_workers.console.answering.outcome import outcome_words
from guardtier_workers.console.answering.words import span
from guardtier_workers.console.console import Console

log = logging.getLogger(__name__)

_EXPLAINED = (WrongState, DigestMismatch, GuardTimeout)
SCRIPT_MS = 20  #: a script's TIME may be so much later than the entry that it adds
LINES = 100  #: of the audit stream, from the edit on, in which its author is looked for


async def explained(error: GuardtierError, console: Console, me: Me, action_id: str) -> GuardtierError:
    """The error as it is to be told: of the same kind, with what stands now where that says more."""
    if not isinstance(error, _EXPLAINED) and not _is_rated(error):
        return error
    try:
        record = await seen_by(me, console, action_id)
        words = await _words(error, console, record, me)
    except (GuardtierError, RedisError, OSError) as trouble:
        log.debug("no more is known of %s: %s", action_id, trouble)
        return error
    return type(error)(words, field=error.field, limit=error.limit)


def _is_rated(error: GuardtierError) -> bool:
    return isinstance(error, EditRefused) and error.field == "edit"


async def _words(error: GuardtierError, console: Console, record: Record, me: Me) -> str:
    now = now_ms()
    ended = outcome_words(record, now)
    if isinstance(error, GuardTimeout):
        return f"{error.message}. {ended or _said_so_far(record, me)}"
    if isinstance(error, EditRefused):
        return f"{error.message[:1].upper()}{error.message[1:]}."
    if ended:
        return f"{_own(record, me)}{ended} Your answer did not count."
    if isinstance(error, DigestMismatch) and error.field == "digest":
        return await _changed(console, record, me, now)
    return _late(record, now) if error.field == "deadline" else error.message


async def _changed(console: Console, record: Record, me: Me, now: int) -> str:
    if not record.revised_at:
        said = "Your answer was about another call than the one that waits here"
        return f"{said}, and did not count: look at it again."
    who = await _editor(console, record)
    by = "You have" if who == me.name else f"{who or 'Another approver'} has"
    return (
        f"{by} changed what it would run, {span(now - record.revised_at)} ago, after you looked. Your "
        "answer was about what stood there before, and did not count: look at it again."
    )


def _late(record: Record, now: int) -> str:
    late = now - (record.deadline or now)
    if late > 0:
        return f"Its deadline passed {span(late)} ago: no answer counts any more. Yours did not either."
    return "Its deadline had passed, and it has been given more time since: look at it again."


def _own(record: Record, me: Me) -> str:
    decided = record.verdict.decided_by if record.verdict is not None else ()
    return "You have answered it already. " if me.principal in decided else ""


def _said_so_far(record: Record, me: Me) -> str:
    """Of an answer whose fate was not told: whether it is among those that count."""
    if record.state is not State.PARKED:
        return ""
    try:
        votes = read_votes(record.votes)
    except ValueError:
        return "It still waits."
    own = next(
        (one for one in votes if one.principal == me.principal and one.digest == record.digest), None
    )
    return f"It still waits; your answer “{own.choice.value}” counts." if own else "It still waits."


async def _editor(console: Console, record: Record) -> str:
    """Whose edit stands; "" where the audit stream does not say it any more."""
    audit = Keys(partition_in(record.id, console)).audit
    since = max(0, record.revised_at - SCRIPT_MS)
    lines = await console.redis.xrange(audit, min=str(since), count=LINES)
    for _, fields in lines:
        if fields.get(b"id") == record.id.encode() and fields.get(b"event") == b"edited":
            return str(fields.get(b"by", b"").decode(errors="replace"))
    return ""
