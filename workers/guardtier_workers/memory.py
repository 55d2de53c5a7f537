"""Memory: makes the history that analyzers see, and writes actions and their outcomes down in it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import cast

import orjson
from pydantic import TypeAdapter

from guardtier.action import ActionEvent
from guardtier.analyzers.ensemble import EnsembleSecurityAnalyzer
from guardtier.analyzers.fields import strings_in
from guardtier.analyzers.flow.analyzer import FlowSecurityAnalyzer
from guardtier.analyzers.flow.labels import Labels
from guardtier.analyzers.flow.note import DIGITS, note_of
from guardtier.analyzers.flow.rulebook import Rulebook
from guardtier.analyzers.flow.values import MAX_PIECES, Fingerprints
from guardtier.analyzers.history import MAX_ENTRIES, Entry, History, How, Mark, Note, State
from guardtier.assessment import Finding
from guardtier.errors import GuardtierError
from guardtier.risk import SecurityRisk
from guardtier.settings import Settings
from guardtier.state import State as ActionState
from guardtier.store.connection import RedisError, connect
from guardtier.store.histories import Histories, Keep, Past, Remark, Stored
from guardtier_workers.keeper import Keeper

log = logging.getLogger(__name__)

_ENTRIES: TypeAdapter[tuple[Entry, ...]] = TypeAdapter(tuple[Entry, ...])
_MAY_BE_PARKED = frozenset({SecurityRisk.HIGH, SecurityRisk.UNKNOWN})
_REFUSED = frozenset({ActionState.REJECTED.value, ActionState.EXPIRED.value})


class Memory:
    """Reads and writes histories for one worker. ``recall`` never raises: what fails is ``unavailable``."""

    def __init__(
        self, settings: Settings, ensemble: EnsembleSecurityAnalyzer, keeper: Keeper | None = None
    ) -> None:
        self._keeper = keeper
        self._redis = connect(settings.redis_url)
        self.store = Histories(self._redis, keep_of(settings))
        self._seconds = settings.analyzer_seconds
        self._labels = _labels_of(ensemble)
        # A costly child may have rated an action higher than what is written down of it.
        self._may_be_parked = frozenset(SecurityRisk) if ensemble.has_costly else _MAY_BE_PARKED
        self._given_key = settings.history_key
        self._fingerprints: Fingerprints | None = None

    async def recall(
        self, action: ActionEvent, findings: tuple[Finding, ...], risk: SecurityRisk
    ) -> History:
        """The conversation's history, in which this action is written down from now on."""
        try:
            note = note_of(action, findings, risk, self._labels())
            async with asyncio.timeout(self._seconds):
                return await self._recalled(action, findings, note)
        except (TimeoutError, GuardtierError, RedisError) as error:
            log.warning("the history of a conversation of %s can't be read: %r", action.fleet, error)
        except Exception:
            log.exception("the history of a conversation of %s can't be read", action.fleet)
        return History(state="unavailable", findings=findings)

    async def catch_up(
        self, action: ActionEvent, rated: tuple[tuple[Finding, ...], SecurityRisk] | None
    ) -> None:
        """Write down an action whose history could not be read, or (``rated`` is None) that was never
        rated: it may still run, and what it does must not be missing. Never raises.
        """
        if action.conversation is None:
            return
        try:
            remark = _unread(action)
            if rated:
                remark = await self._kept(action, _remark(note_of(action, *rated, self._labels())))
            async with asyncio.timeout(self._seconds):
                await self.store.remember(action.fleet, action.conversation, action.agent, remark)
        except Exception as error:
            log.warning("action %s is missing in its conversation's history: %r", action.id, error)

    async def observe(
        self, action: ActionEvent, labels: dict[str, str], secrets: Iterable[str], *, more: bool = False
    ) -> None:
        """Write down what an outcome shows. ``more``: it held more secrets than these. Raises
        TierUnavailable where Redis refuses it.
        """
        if action.conversation is None or not labels:
            return
        prints = await self.fingerprints()
        values = [value for secret in secrets for value in prints.of_secret(secret)]
        async with asyncio.timeout(self._seconds):
            await self.store.observed(
                action.fleet, action.conversation, action.agent, action.id,
                labels=labels, secrets=values, more_secrets=more,
            )  # fmt: skip

    def note(self, action: ActionEvent, findings: tuple[Finding, ...], risk: SecurityRisk) -> Note:
        return note_of(action, findings, risk, self._labels())

    async def fingerprints(self) -> Fingerprints:
        """With the settings' key, else the one that the tier keeps in Redis."""
        if self._fingerprints is None:
            given = self._given_key
            key = given.get_secret_value().encode() if given else await self.store.fingerprint_key()
            self._fingerprints = Fingerprints(key)
        return self._fingerprints

    async def close(self) -> None:
        await self.store.close()
        await self._redis.aclose()

    async def _recalled(self, action: ActionEvent, findings: tuple[Finding, ...], note: Note) -> History:
        remark = await self._kept(action, _remark(note))
        past = await self.store.remember(action.fleet, action.conversation or "", action.agent, remark)
        entries = _entries(past)
        # Where this is delivered once more, what its first delivery wrote is no history. An id alone does
        # not tell: who asks may have used it before, for an action whose record is gone.
        own = next((one for one in entries if (one.id, one.digest) == (note.id, note.digest)), None)
        entries = tuple(entry for entry in entries if entry is not own)
        values, full = await self._values(action, again=own is not None) if past.secrets else ((), False)
        return History.model_construct(
            state=_state(past, action.id),
            labels=_marks(past.labels, own),
            total=past.total,
            this_minute=past.this_minute,
            entries=entries,
            downloads=_marks(past.downloads, own),
            downloads_full=past.downloads_full,
            values=values,
            values_full=full or past.secrets_full,
            rejected=await self._rejected(note, entries),
            findings=findings,
            now=note,
            now_ms=past.now_ms,
        )

    async def _kept(self, action: ActionEvent, remark: Remark) -> Remark:
        """Without the secrets of the action that it may quote. Where none can tell what is one, nothing is
        quoted: what the action does is remembered all the same.
        """
        keeping = await self._keeper.ready() if self._keeper else None
        if keeping is None:
            return remark
        try:
            entry, *words = keeping.words(action, [remark.entry.decode(), *remark.labels.values()])
        except Exception as error:
            log.warning("the history of action %s quotes nothing of it: %r", action.id, error)
            known = {k: v for k, v in orjson.loads(remark.entry).items() if k != "targets"}
            entry, words = orjson.dumps(known).decode(), [""] * len(remark.labels)
        return replace(remark, entry=entry.encode(), labels=dict(zip(remark.labels, words, strict=True)))

    async def _values(self, action: ActionEvent, *, again: bool) -> tuple[tuple[Mark, ...], bool]:
        """The actions in whose output something was that stands in this one; whether more stands in it
        than was compared.
        """
        prints = await self.fingerprints()
        mine = prints.of_text(field.text for field in strings_in(action.arguments))
        found = await self.store.read_before(action.fleet, action.conversation or "", sorted(mine))
        marks = {stored.id: _mark(stored) for stored in found.values()}
        values = tuple(mark for mark in marks.values() if not (again and mark.id == action.id))
        return values, len(mine) >= MAX_PIECES

    async def _rejected(self, note: Note, entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
        """Earlier actions that did the same and were refused. Their records are asked, seldom."""
        mine = set(note.keys)
        same = [one for one in entries if one.risk in self._may_be_parked and not mine.isdisjoint(one.keys)]
        if not same:
            return ()
        states = await self.store.states_of([one.id for one in same])
        return tuple(one for one in same if states.get(one.id) in _REFUSED)


def keep_of(settings: Settings) -> Keep:
    return Keep(
        int(settings.history_seconds * 1000), int(settings.inherit_seconds * 1000), entries=MAX_ENTRIES
    )


def _labels_of(ensemble: EnsembleSecurityAnalyzer) -> Callable[[], Labels]:
    """The labels of the flow analyzer, which may change; the package's where it is not configured."""
    books = [child.book for child in ensemble.analyzers if isinstance(child, FlowSecurityAnalyzer)]
    book = books[0] if books else Rulebook()
    return lambda: book.labels


def _remark(note: Note) -> Remark:
    body = {
        "id": note.id, "digest": note.digest, "tool": note.tool, "risk": note.risk.value,
        "labels": note.labels, "targets": note.targets, "findings": note.findings, "keys": note.keys,
    }  # fmt: skip
    return Remark(
        note.id, orjson.dumps({k: v for k, v in body.items() if v}), note.doing, note.fetches, note.runs
    )


def _unread(action: ActionEvent) -> Remark:
    """What is written down of an action that nobody could look at: with it the history is lost."""
    body = {"id": action.id, "digest": action.digest[:DIGITS], "tool": ""}
    return Remark(action.id, orjson.dumps(body), {"history.lost": ""})


def _marks(stored: Mapping[str, Stored], own: Entry | None) -> dict[str, Mark]:
    """Without those that the first delivery of this action set."""
    return {
        name: _mark(one)
        for name, one in stored.items()
        if own is None or (one.id, one.first_at) != (own.id, own.at)
    }


def _entries(past: Past) -> tuple[Entry, ...]:
    raw = b",".join(b'{"at":%d,%b' % (at, body[1:]) for at, body in past.entries)
    return _ENTRIES.validate_json(b"[" + raw + b"]") if raw else ()


def _state(past: Past, action_id: str) -> State:
    """``lost`` also where the action that met the loss is delivered once more."""
    lost = past.labels.get("history.lost")
    return "lost" if lost is not None and lost.id == action_id else cast(State, past.state)


def _mark(stored: Stored) -> Mark:
    return Mark.model_construct(
        id=stored.id,
        first_at=stored.first_at,
        last_at=stored.last_at,
        how=cast(How, stored.how),
        words=stored.words,
    )
