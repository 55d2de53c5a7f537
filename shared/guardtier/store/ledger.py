"""Ledger: the record of every action. The only writer of state; each method is one atomic script.

``decisions.py`` and ``answers.py`` have the methods of the second stage and of the approvers, ``edits.py``
those of what approvers change, ``looks.py`` what they are shown, ``halts.py`` those that stop what is new.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import time

from guardtier.action import ActionEvent
from guardtier.assessment import Assessment
from guardtier.errors import GuardtierError
from guardtier.store.answers import Answers
from guardtier.store.decisions import Circumstances, Decision, Decisions
from guardtier.store.delivery import Delivery
from guardtier.store.edits import Edits
from guardtier.store.files import PolicyFiles
from guardtier.store.halts import Halts
from guardtier.store.looks import Looks
from guardtier.store.scripting import Retention, Transition
from guardtier.store.turning import TurnAway

__all__ = ["Circumstances", "Decision", "Ledger", "Retention", "Transition"]


class Ledger(Decisions, Answers, Edits, PolicyFiles, Halts, Looks, TurnAway):
    """The transitions of one partition, sent through one pipe."""

    async def assess(
        self,
        delivery: Delivery,
        *,
        client: str,
        action: ActionEvent,
        event: bytes,
        assessment: Assessment,
        dead_letter: str = "",
        redacted: str = "",
        rules: str = "",
        shown: str = "",
    ) -> Transition:
        """Record the rating of a new action, or answer one that is known.

        ``conflict`` where the id is known under another digest, ``ahead`` where its entry is dated to come:
        refuse it then. ``dead_letter`` says why a copy goes to the dead letters. ``redacted`` are the marks
        of what ``event`` does not hold: the entry, which does, goes, and the audit stream shows them.
        ``rules`` are those of the marks, and ``shown`` is the SHA-256 of ``event``: policies see both.
        """
        keys, fleet = self._keys, delivery.fleet or ""
        return await self._run(
            "assess",
            [
                keys.action(delivery.id),
                delivery.stream,
                keys.assessed,
                keys.audit,
                keys.reply(fleet, client),
                keys.dead,
                keys.open(fleet, action.agent),
            ],
            [
                delivery.group,
                delivery.entry,
                delivery.id,
                fleet,
                client,
                action.agent,
                action.digest,
                event,
                assessment.to_json(),
                assessment.risk.value,
                self._keep.record_ms,
                self._keep.reply_ms,
                dead_letter,
                action.tool_name,
                action.conversation or "",
                _accepts(delivery),
                redacted,
                rules,
                shown,
                "1" if _seems_ahead(delivery) else "",
            ],
        )

    async def redeem(
        self, delivery: Delivery, *, client: str, agent: str, conversation: str, token: str
    ) -> Transition:
        """Use an approval: ``unknown``, ``wrong``, ``edited``, ``halted`` where it can't be: refuse it.

        ``agent`` and ``conversation`` are the record's own; ``more`` is the halt that stands.
        """
        keys, fleet = self._keys, delivery.fleet or ""
        return await self._run(
            "redeem",
            [
                keys.action(delivery.id),
                delivery.stream,
                keys.audit,
                keys.reply(fleet, client),
                keys.open(fleet, agent),
                keys.halts,
            ],
            [
                delivery.group,
                delivery.entry,
                delivery.id,
                fleet,
                token,
                self._keep.reply_ms,
                agent,
                conversation,
                _accepts(delivery),
            ],
        )

    async def poll(self, delivery: Delivery, *, client: str, agent: str, conversation: str) -> Transition:
        """Tell a client what stands, and later what comes; ``unknown``: refuse it then."""
        keys, fleet = self._keys, delivery.fleet or ""
        return await self._run(
            "poll",
            [keys.action(delivery.id), delivery.stream, keys.reply(fleet, client), keys.halts],
            [
                delivery.group,
                delivery.entry,
                delivery.id,
                fleet,
                client,
                self._keep.reply_ms,
                agent,
                conversation,
            ],
        )

    async def observe(self, delivery: Delivery, *, client: str) -> Transition:
        """Tell a client that its report was taken; ``unknown`` or ``wrong`` where the action never ran."""
        keys, fleet = self._keys, delivery.fleet or ""
        return await self._run(
            "observe",
            [keys.action(delivery.id), delivery.stream, keys.reply(fleet, client)],
            [delivery.group, delivery.entry, delivery.id, fleet, self._keep.reply_ms],
        )

    async def listed(
        self, delivery: Delivery, *, client: str, agent: str, listing: bytes, over: Sequence[str]
    ) -> Transition:
        """Tell a client what is open of an agent; the ids in ``over`` leave the list."""
        keys, fleet = self._keys, delivery.fleet or ""
        return await self._run(
            "list",
            [
                delivery.stream,
                keys.reply(fleet, client),
                keys.open(fleet, agent),
                keys.listings(fleet),
                *map(keys.action, over),
            ],
            [delivery.group, delivery.entry, delivery.id, listing, self._keep.reply_ms, *over],
        )

    async def refuse(
        self,
        delivery: Delivery,
        error: GuardtierError,
        *,
        event: str = "refused",
        reply: str | None,
        sender: str = "",
        dead_letter: str = "",
        payload: bytes | None = None,
        wipe: bool = False,
    ) -> Transition:
        """Answer a request with an error. ``reply`` is the sender's stream; None: nobody to tell.

        ``payload`` is what a dead letter keeps, where not what came. ``wipe``: the entry goes, as one with
        an output always does.
        """
        keys = [delivery.stream, self._keys.audit, self._keys.dead]
        output = delivery.fields.get(b"op") == b"observe"  # it may hold a secret, and goes nowhere
        kept = delivery.fields.get(b"payload", b"") if payload is None else payload
        return await self._run(
            "refuse",
            [*keys, reply] if reply else keys,
            [
                delivery.group,
                delivery.entry,
                delivery.id[:80],
                event,
                sender[:160],
                error.to_json(),
                self._keep.reply_ms,
                dead_letter,
                kept if dead_letter and not output else b"",
                "1" if output or wipe else "",
            ],
        )

    async def done(
        self, delivery: Delivery, *, dead_letter: str = "", says: Sequence[str | bytes] = ()
    ) -> Transition:
        """Acknowledge an entry of the outbox. ``dead_letter`` says why it was given up, ``says`` is what
        goes to the audit stream: an event, then pairs of field and value.
        """
        body = delivery.fields.get(b"body", b"")
        return await self._run(
            "done",
            [delivery.stream, self._keys.dead, self._keys.audit],
            [delivery.group, delivery.entry, delivery.id, dead_letter, body, *says],
        )

    async def retry(
        self, delivery: Delivery, *, letter: str, fleet: str | None, by: str, reason: str, told: str
    ) -> Transition:
        """Do once more what stood in the outbox: the dead letter of this entry goes, its approver is told.

        ``unknown`` where there is no such letter, ``wrong`` where it is none of the outbox.
        """
        keys = self._keys
        return await self._run(
            "retry",
            [delivery.stream, keys.dead, keys.outbox, keys.audit, keys.told(told)],
            [
                delivery.group,
                delivery.entry,
                delivery.id,
                letter,
                fleet or "*",
                by,
                reason,
                self._keep.reply_ms,
            ],
        )

    async def revoked(
        self, delivery: Delivery, *, fleet: str, grant: str, approver: str, told: str
    ) -> Transition:
        """Tell an approver that a grant is revoked; the audit stream shows it once."""
        keys = self._keys
        return await self._run(
            "revoked",
            [delivery.stream, keys.audit, keys.told(told)],
            [
                delivery.group,
                delivery.entry,
                delivery.id,
                fleet,
                grant,
                approver,
                self._keep.reply_ms,
            ],
        )


def _seems_ahead(delivery: Delivery) -> bool:
    """Whether its entry is dated ahead by our clock; that may be wrong, so the script asks the server's."""
    return int(delivery.entry.partition("-")[0]) > time() * 1000 + 30_000


def _accepts(delivery: Delivery) -> str:
    """What the asking client takes besides its own action: ``edit``, or nothing."""
    return "edit" if delivery.fields.get(b"accepts") == b"edit" else ""
