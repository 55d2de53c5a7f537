"""The answers stream: whoever can write to it can still not approve."""

from __future__ import annotations

from collections.abc import Callable
from time import time
from typing import Any

import pytest

from guardtier import State
from guardtier.answer import Answer, Choice, key_of
from guardtier.errors import GuardtierError, InvalidAction, InvalidAnswer, NotAuthorized, UnknownAction
from guardtier.store.keys import Keys
from guardtier.store.records import Record
from tier import Tier, high
from waiting import until

KEYS = Keys(0)
Fields = dict[str, Any]
MINUTES = 60_000


async def parked(tier: Tier) -> Record:
    return await tier.record((await tier.client().submit(high())).id)


def answer(tier: Tier, record: Record, name: str = "alice", **changes: Any) -> Fields:
    """A genuine answer's entry."""
    said = Answer(
        **{
            "id": record.id,
            "client": "forger",
            "approver": name,
            "choice": Choice.APPROVE,
            "digest": record.digest,
            "at": int(time() * 1000),
        }
        | changes
    )
    return said.to_fields(said.proof(key_of(tier.token_of(name))))


async def told(tier: Tier, entry: bytes) -> GuardtierError:
    """What the sender of this entry is told."""

    async def found() -> GuardtierError | None:
        for _, fields in await tier.redis.xrange(KEYS.told("forger")):
            if fields.get(b"entry") == entry and b"error" in fields:
                return GuardtierError.from_json(fields[b"error"])
        return None

    error: GuardtierError = await until(found)
    return error


#: What is done to a genuine approval before it is sent, and how it is refused.
FORGERIES: dict[str, tuple[Callable[[Fields], Fields], type[GuardtierError], str]] = {
    "no proof": (lambda f: without(f, "proof"), NotAuthorized, "approver"),
    "an empty proof": (lambda f: f | {"proof": ""}, NotAuthorized, "approver"),
    "a made-up proof": (lambda f: f | {"proof": "0" * 64}, NotAuthorized, "approver"),
    "a proof that is no ASCII": (lambda f: f | {"proof": "é" * 64}, NotAuthorized, "approver"),
    "another choice": (lambda f: f | {"choice": "reject"}, NotAuthorized, "approver"),
    "another reason": (lambda f: f | {"reason": "ok"}, NotAuthorized, "approver"),
    "another name": (lambda f: f | {"approver": "bob"}, NotAuthorized, "approver"),
    "another time": (lambda f: f | {"at": str(int(f["at"]) + 1)}, NotAuthorized, "approver"),
    "another digest": (lambda f: f | {"digest": "0" * 64}, NotAuthorized, "approver"),
    "no choice": (lambda f: without(f, "choice"), InvalidAnswer, "choice"),
    "an unknown choice": (lambda f: f | {"choice": "maybe"}, InvalidAnswer, "choice"),
    "a bad digest": (lambda f: f | {"digest": "xyz"}, InvalidAnswer, "digest"),
    "no time": (lambda f: f | {"at": "now"}, InvalidAnswer, "at"),
    "a time above 64 bits": (lambda f: f | {"at": "9" * 30}, InvalidAction, "answer"),
    "a field too much": (lambda f: f | {"sudo": "yes"}, InvalidAnswer, "sudo"),
    "a long reason": (lambda f: f | {"reason": "x" * 4001}, InvalidAnswer, "reason"),
    "no UTF-8": (lambda f: f | {"reason": b"\xff"}, InvalidAnswer, "answer"),
    "no id": (lambda f: without(f, "id"), InvalidAnswer, "id"),
    "a bad id": (lambda f: f | {"id": "a:b"}, InvalidAnswer, "id"),
}


def without(fields: Fields, name: str) -> Fields:
    return {key: value for key, value in fields.items() if key != name}


@pytest.mark.parametrize("how", FORGERIES)
async def test_a_forged_answer_is_refused_told_and_audited(tier: Tier, how: str) -> None:
    forge, kind, field = FORGERIES[how]
    record = await parked(tier)
    tier.approver("alice"), tier.approver("bob")

    entry = await tier.redis.xadd(KEYS.answers, forge(answer(tier, record)))
    error = await told(tier, entry)

    assert (type(error), error.field) == (kind, field)
    await tier.idle()
    assert (await tier.record(record.id)).state is State.PARKED
    (line,) = [found for found in await tier.audit() if found.get("entry") == entry.decode()]
    assert (line["event"], line["stream"]) == ("answer_refused", KEYS.answers)
    assert (await tier.approver("alice").approve(record.id)).allowed  # it still serves


@pytest.mark.parametrize("minutes", [-11, 11])
async def test_an_answer_of_another_time_is_refused(tier: Tier, minutes: int) -> None:
    record = await parked(tier)
    tier.approver("alice")
    at = int(time() * 1000) + minutes * MINUTES

    error = await told(tier, await tier.redis.xadd(KEYS.answers, answer(tier, record, at=at)))

    assert isinstance(error, NotAuthorized)
    assert (error.field, error.limit) == ("at", 10)


async def test_a_proof_is_of_no_use_for_another_action(tier: Tier) -> None:
    seen, other = await parked(tier), await parked(tier)
    tier.approver("alice")
    stolen = answer(tier, seen) | {"id": other.id}

    error = await told(tier, await tier.redis.xadd(KEYS.answers, stolen))

    assert isinstance(error, NotAuthorized)
    assert (await tier.record(other.id)).state is State.PARKED


async def test_an_answer_sent_twice_counts_once(tier: Tier) -> None:
    record = await parked(tier)
    tier.approver("alice")
    genuine = answer(tier, record)

    sent = [await tier.redis.xadd(KEYS.answers, genuine) for _ in range(2)]

    async def told_of_both() -> bool:
        replies = await tier.redis.xrange(KEYS.told("forger"))
        return [fields[b"entry"] for _, fields in replies if b"verdict" in fields] == sent

    await until(told_of_both)
    assert (await tier.events(record.id)).count("approved") == 1


async def test_an_answer_of_another_partition_finds_nothing(tier: Tier) -> None:
    record = await parked(tier)
    tier.approver("alice")

    error = await told(tier, await tier.redis.xadd(KEYS.answers, answer(tier, record, id="elsewhere.7")))

    assert isinstance(error, UnknownAction)


async def test_who_cannot_be_told_leaves_a_dead_letter(tier: Tier) -> None:
    record = await parked(tier)
    tier.approver("alice")

    await tier.redis.xadd(KEYS.answers, answer(tier, record) | {"client": "a:b"})

    ((_, dead),) = await until(lambda: tier.redis.xrange(KEYS.dead))
    assert dead[b"why"] == b"the sender can't be told"
    await tier.idle()
    assert (await tier.events(record.id))[-1] == "answer_refused"
