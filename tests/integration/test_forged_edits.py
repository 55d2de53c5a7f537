"""Edits on the answers stream: whoever can write to it can still change nothing."""

from __future__ import annotations

from collections.abc import Callable
from time import time
from typing import Any

import orjson
import pytest

from guardtier import State
from guardtier.answer import key_of
from guardtier.errors import (
    DigestMismatch,
    EditRefused,
    GuardtierError,
    InvalidAction,
    InvalidAnswer,
    NotAuthorized,
    UnknownAction,
)
from guardtier.policy.edit import EditRequest
from guardtier.store.keys import Keys
from guardtier.store.records import Record
from tier import Tier, high
from waiting import until

KEYS = Keys(0)
Fields = dict[str, Any]
MINUTES = 60_000
NOWHERE = f"{'a' * 24}.0"


async def parked(tier: Tier) -> Record:
    return await tier.record((await tier.client(accept_edits=True).submit(high())).id)


def edit(tier: Tier, record: Record, name: str = "alice", **changes: Any) -> Fields:
    """A genuine edit's entry."""
    said = EditRequest(
        **{
            "id": record.id,
            "client": "forger",
            "approver": name,
            "digest": record.digest,
            "arguments": {"command": "ls"},
            "at": int(time() * 1000),
        }
        | changes
    )
    return said.to_fields(said.proof(key_of(tier.token_of(name))))


def within(fields: Fields, **changes: Any) -> Fields:
    return fields | {"request": orjson.dumps(orjson.loads(fields["request"]) | changes)}


async def told(tier: Tier, entry: bytes) -> GuardtierError:
    async def found() -> GuardtierError | None:
        for _, fields in await tier.redis.xrange(KEYS.told("forger")):
            if fields.get(b"entry") == entry and b"error" in fields:
                return GuardtierError.from_json(fields[b"error"])
        return None

    error: GuardtierError = await until(found)
    return error


#: What is done to a genuine edit before it is sent, and how it is refused.
FORGERIES: dict[str, tuple[Callable[[Fields], Fields], type[GuardtierError]]] = {
    "no proof": (lambda f: f | {"proof": ""}, NotAuthorized),
    "a made-up proof": (lambda f: f | {"proof": "0" * 64}, NotAuthorized),
    "other arguments": (lambda f: within(f, arguments={"command": "rm -rf /"}), NotAuthorized),
    "another approver": (lambda f: within(f, approver="bob"), NotAuthorized),
    "another digest": (lambda f: within(f, digest="0" * 64), NotAuthorized),
    "another time": (lambda f: within(f, at=1), NotAuthorized),
    "another reason": (lambda f: within(f, reason="ok"), NotAuthorized),
    "the id of another": (lambda f: f | {"id": NOWHERE}, InvalidAnswer),
    "arguments that are a list": (lambda f: within(f, arguments=[1]), InvalidAnswer),
    "no arguments": (lambda f: within(f, arguments=None), InvalidAnswer),
    "a field too much": (lambda f: within(f, sudo=True), InvalidAnswer),
    "another op": (lambda f: within(f, op="configure"), InvalidAnswer),
    "no JSON": (lambda f: f | {"request": b"{"}, InvalidAction),
    "no request": (lambda f: f | {"request": b""}, InvalidAction),
    "a key twice": (
        lambda f: f | {"request": f["request"].replace(b'{"command"', b'{"command":"ls","command"')},
        InvalidAction,
    ),
    "too deep": (
        lambda f: f | {"request": f["request"].replace(b'"ls"', b"[" * 70 + b"]" * 70)},
        InvalidAction,
    ),
    "too long": (lambda f: within(f, arguments={"x": "y" * 2**20}), InvalidAction),
}


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_a_forged_edit_changes_nothing(tier: Tier, forgery: str) -> None:
    tier.approver()
    record = await parked(tier)
    forge, error = FORGERIES[forgery]

    entry = await tier.redis.xadd(KEYS.answers, forge(edit(tier, record)))

    assert type(await told(tier, entry)) is error
    after = await tier.record(record.id)
    assert (after.state, after.digest, after.edit) == (State.PARKED, record.digest, b"")
    assert [line["event"] for line in await tier.audit() if "refused" in line["event"]] == ["edit_refused"]


async def test_an_edit_of_yesterday_or_of_what_is_no_more_is_refused(tier: Tier) -> None:
    tier.approver()
    record = await parked(tier)
    now = int(time() * 1000)

    for changes, error in [
        ({"at": now - 11 * MINUTES}, NotAuthorized),
        ({"at": now + 11 * MINUTES}, NotAuthorized),
        ({"digest": "0" * 64}, DigestMismatch),
        ({"id": NOWHERE}, UnknownAction),
        ({"id": NOWHERE.replace(".0", ".1")}, UnknownAction),
    ]:
        entry = await tier.redis.xadd(KEYS.answers, edit(tier, record, **changes))
        assert type(await told(tier, entry)) is error


async def test_the_refusal_names_who_claims_to_have_asked(tier: Tier) -> None:
    tier.approver()
    record = await parked(tier)
    await tier.redis.hdel(KEYS.action(record.id), "accepts")

    entry = await tier.redis.xadd(KEYS.answers, edit(tier, record))

    assert isinstance(await told(tier, entry), EditRefused)
    assert (await tier.audit(record.id))[-1]["by"] == "alice"
