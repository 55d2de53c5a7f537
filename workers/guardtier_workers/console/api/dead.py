"""``/dead``: what no worker could handle, and trying it again."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from guardtier.look import Me
from guardtier.policy.halts import MAX_REASON
from guardtier.store.dead import LETTER, DeadLetter
from guardtier_workers.console.api.endpoint import Call, Endpoint
from guardtier_workers.console.query import Query

SHOWN = 4_000  #: characters of a payload


class Letter(BaseModel):
    """``stream``: what it was work of; ``op``: what was asked there. ``at`` in ms since 1970.

    ``fleet``: null where it can't be told any more. ``payload`` is untrusted, and cut; ``size``
    are the bytes of all of it. ``why_not``: why it
    can't be tried again; null where it can.
    """

    letter: str
    at: int
    id: str
    fleet: str | None
    stream: str
    op: str
    why: str
    payload: str
    size: int
    why_not: str | None


class Letters(BaseModel):
    """The newest first. A page may be empty and not the last: ``after`` is null only there."""

    letters: list[Letter]
    after: str | None


class LettersAfter(Query):
    after: Annotated[str, StringConstraints(pattern=LETTER)] | None = None
    limit: int = Field(default=20, ge=1, le=100)


class RetryWanted(BaseModel):
    """``reason`` is kept on the audit stream."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, StringConstraints(max_length=MAX_REASON)] = ""


class Retried(BaseModel):
    """``entry``: what it is as work, once more."""

    letter: str
    entry: str


async def list_dead(call: Call) -> Letters:
    page = await call.console.ops.readings.dead_page(
        lambda one: is_shown(one, call.visitor.me), after=call.query.after or "", limit=call.query.limit
    )
    return Letters(letters=[letter_view(one) for one in page.letters], after=page.after)


async def retry_dead(call: Call) -> Retried:
    letter = call.path("letter")
    return Retried(letter=letter, entry=await call.tier.retry_dead(letter, reason=call.body.reason))


def is_shown(letter: DeadLetter, me: Me) -> bool:
    """One whose fleet can't be told is for those who see every fleet."""
    return me.sees(letter.fleet or "*")


def letter_view(one: DeadLetter) -> Letter:
    return Letter(
        letter=one.name,
        at=one.at,
        id=one.id,
        fleet=one.fleet,
        stream=one.stream,
        op=one.op,
        why=one.why,
        payload=one.payload.decode(errors="backslashreplace")[:SHOWN],
        size=one.size,
        why_not=one.why_not or None,
    )


ENDPOINTS = (
    Endpoint(
        "GET", "/dead", list_dead, Letters, "What no worker could handle", query=LettersAfter, tag="workers"
    ),
    Endpoint(
        "POST", "/dead/{letter}/retry", retry_dead, Retried, "Try a dead letter again",
        body=RetryWanted, tag="workers", parameters={"letter": LETTER},
    ),
)  # fmt: skip
