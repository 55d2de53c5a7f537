"""Plan: which notices a parked action's terms call for, to whom and when."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from guardtier.errors import UnknownAction
from guardtier.policy.terms import Terms
from guardtier.state import State
from guardtier.store.records import Records

log = logging.getLogger(__name__)

LEAST_REMIND_SECONDS = 10.0  #: between two reminders, whatever the terms say

#: ``parked``: it waits from now on. ``extended``: its time has passed and it waits on.
#: ``edited``: an approver has edited it, and it waits as another action. ``escalated`` and
#: ``reminder`` follow by themselves.
Event = Literal["parked", "extended", "edited"]
What = Literal["parked", "extended", "edited", "escalated", "reminder", "test"]


class Notice(NamedTuple):
    """One thing to tell one channel. ``at`` is when its reason came about (ms), ``due`` when to tell it.

    ``number`` counts the steps of an escalation, and the reminders.
    """

    action_id: str
    channel: str
    what: What
    number: int
    at: int
    due: int

    @property
    def id(self) -> str:
        """The same for the same notice, however often it is queued or sent."""
        return f"notice:{self.action_id}:{self.at}:{self.what}:{self.number}:{self.channel}"

    def next_reminder(self, terms: Terms) -> Notice | None:
        """The reminder that follows this one; None where the terms want none."""
        if terms.remind_every is None:
            return None
        every = int(max(terms.remind_every, LEAST_REMIND_SECONDS) * 1000)
        number = self.number + 1 if self.what == "reminder" else 1
        return self._replace(what="reminder", number=number, due=self.due + every)


#: Queues one notice. Queuing it twice is queuing it once.
Put = Callable[[Notice], Awaitable[None]]


class _Posted(BaseModel):
    """The body of the outbox's op ``notice``."""

    model_config = ConfigDict(extra="forbid")

    event: Event
    at: int


def posted(terms: Terms, event: Event, at: int) -> tuple[tuple[str, bytes], ...]:
    """What goes to the outbox, so that a policy worker plans the notices; nothing where nobody is told."""
    if not terms.notify and not terms.escalate:
        return ()
    return (("notice", _Posted(event=event, at=at).model_dump_json().encode()),)


def planned(action_id: str, terms: Terms, event: Event, at: int) -> list[Notice]:
    """Every notice that follows from an event at ``at`` (ms): one for each channel and reason.

    Each channel's reminders begin when it is told first, and go on by themselves (``next_reminder``).
    """
    now = [Notice(action_id, channel, event, 0, at, at) for channel in dict.fromkeys(terms.notify)]
    if event != "parked":
        told = {notice.channel for notice in now}
        everyone = dict.fromkeys(channel for step in terms.escalate for channel in step.notify)
        later = [channel for channel in everyone if channel not in told]
        return now + [Notice(action_id, channel, event, 0, at, at) for channel in later]
    steps = [
        Notice(action_id, channel, "escalated", number, at, at + int(step.after * 1000))
        for number, step in enumerate(terms.escalate, 1)
        for channel in dict.fromkeys(step.notify)
    ]
    first: dict[str, Notice] = {}
    for notice in now + steps:
        first.setdefault(notice.channel, notice)
    reminders = [notice.next_reminder(terms) for notice in first.values()]
    return now + steps + [found for found in reminders if found is not None]


class Planning:
    """Has every notice queued that an action's terms call for: the outbox's op ``notice``."""

    def __init__(self, records: Records, put: Put) -> None:
        self._records = records
        self._put = put

    async def __call__(self, partition: int, action_id: str, body: bytes) -> None:
        """Raises what queuing raises: the entry comes again then, and what is queued stays queued once."""
        try:
            record = await self._records.get(action_id)
        except UnknownAction:
            return
        if record.state is not State.PARKED:
            return
        try:
            said, terms = _Posted.model_validate_json(body), Terms.read(record.terms)
        except ValidationError:
            log.exception("nobody is told of %s: what its notices are can't be read", action_id)
            return
        for notice in planned(action_id, terms, said.event, said.at):
            await self._put(notice)
