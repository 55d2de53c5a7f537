"""Bad input: told with the field that is wrong, audited, out of the way; the worker serves on."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson
import pytest

from guardtier.canonical import MAX_NESTING, MAX_PAYLOAD
from guardtier.errors import (
    ActionConflict,
    GuardtierError,
    InvalidAction,
    UnknownAction,
    UnknownFleet,
)
from guardtier.store.keys import Keys
from tier import Tier, high, low
from waiting import until

KEYS = Keys(0)
ID = "a1.0"
LONG = "k" * 100_000


class Case(NamedTuple):
    """What is changed of a good request, and the error that its sender is told."""

    changes: dict[str, Any]
    kind: type[GuardtierError]
    field: str
    limit: int | str | None = None


def body(**changes: Any) -> bytes:
    """A good payload but for the changes."""
    return orjson.dumps(orjson.loads(low(id=ID).to_json()) | changes)


def raw(text: bytes) -> bytes:
    """A payload whose arguments are these bytes."""
    return body(arguments="HERE").replace(b'"HERE"', text)


def invalid(field: str, limit: int | str | None = None, **changes: Any) -> Case:
    return Case(changes, InvalidAction, field, limit)


CASES: dict[str, Case] = {
    # what is no JSON, or is read differently by different parsers
    "no JSON": invalid("payload", payload=b'{"id":'),
    "an empty payload": invalid("payload", payload=b""),
    "no object": invalid("payload", payload=b"[]"),
    "null": invalid("payload", payload=b"null"),
    "two values": invalid("payload", payload=body() + b"{}"),
    "invalid UTF-8": invalid("payload", payload=body(summary="HERE").replace(b"HERE", b"\xff\xfe")),
    "UTF-16": invalid("payload", payload=body().decode().encode("utf-16")),
    "a byte order mark": invalid("payload", payload=b"\xef\xbb\xbf" + body()),
    "a lone surrogate": invalid("payload", payload=raw(rb'{"a":"\ud800"}')),
    "a duplicate key": invalid("agent", payload=body().replace(b"{", b'{"agent":"b",', 1)),
    "a duplicate argument": invalid("a", payload=raw(b'{"a":1,"a":2}')),
    "an escaped duplicate": invalid("a", payload=raw(rb'{"a":1,"\u0061":2}')),
    "NaN": invalid("payload", payload=raw(b'{"a":NaN}')),
    "infinity": invalid("payload", payload=raw(b'{"a":Infinity}')),
    "a float out of range": invalid("payload", payload=raw(b'{"a":1e999}')),
    "65 bits": invalid("payload", 64, payload=raw(b'{"a":18446744073709551616}')),
    "10,000 digits": invalid("payload", payload=raw(b'{"a":' + b"9" * 10_000 + b"}")),
    # limits
    "above 1 MiB": invalid("payload", MAX_PAYLOAD, payload=body(summary="x" * MAX_PAYLOAD)),
    "65 levels": invalid("payload", MAX_NESTING, payload=raw(b"[" * 64 + b"]" * 64)),
    "100,000 levels": invalid("payload", payload=raw(b"[" * 100_000 + b"]" * 100_000)),
    "a long tool name": invalid("tool_name", 256, payload=body(tool_name="t" * 257)),
    # the model
    "a number as agent": invalid("agent", payload=body(agent=7)),
    "an empty agent": invalid("agent", "^[!-~]{1,128}$", payload=body(agent="")),
    "a list as arguments": invalid("arguments", payload=body(arguments=[])),
    "an unknown risk": invalid("security_risk", payload=body(security_risk="NONE")),
    "an unknown field": invalid("sudo", payload=body(sudo=True)),
    "an unknown field, long": invalid(LONG[:256], payload=body(**{LONG: 1})),
    "an unknown hint": invalid("annotations.trustMe", payload=body(annotations={"trustMe": True})),
    "a word as hint": invalid(
        "annotations.readOnlyHint", payload=body(annotations={"readOnlyHint": "yes"})
    ),
    "no tool name": invalid("tool_name", payload=orjson.dumps({"id": ID, "fleet": "web", "agent": "a"})),
    # the envelope
    "no payload": invalid("payload", payload=None),
    "another id inside": invalid("id", payload=body(id="b2.0")),
    "no id": invalid("id", 0, id=None),
    "an id without partition": invalid("id", 0, id="a1", payload=body(id="a1")),
    "an id of another partition": invalid("id", 0, id="a1.7", payload=body(id="a1.7")),
    "an id that is a key": invalid("id", 0, id="a:b.0"),
    "an id with a line break": invalid("id", 0, id="a1.0\n"),
    "an id that is no UTF-8": invalid("id", 0, id=b"\xff\xfe.0"),
    "a long id": invalid("id", 0, id="a" * 100_000),
    "an unknown operation": invalid("op", op="delete"),
    "an operation that is no UTF-8": invalid("op", op=b"\xff"),
    "a redeem without token": invalid("token", op="redeem"),
    "a redeem with a bad token": invalid("token", op="redeem", token="a:b"),
    "an action of another fleet": Case({"payload": body(fleet="ops")}, UnknownFleet, "fleet"),
    "a poll for nothing": Case({"op": "poll"}, UnknownAction, "id"),
    "a redeem of nothing": Case({"op": "redeem", "token": "t"}, UnknownAction, "id"),
}


def request(**changes: Any) -> dict[str, Any]:
    """A good request but for the changes; None leaves a field out."""
    good = {"op": "submit", "id": ID, "client": "raw-1", "payload": body()}
    return {name: value for name, value in (good | changes).items() if value is not None}


async def told(tier: Tier, entry: bytes, reply: str) -> GuardtierError:
    """The error that the sender of this entry is told."""

    async def found() -> GuardtierError | None:
        for _, fields in await tier.redis.xrange(reply):
            if fields.get(b"entry") == entry:
                return GuardtierError.from_json(fields[b"error"])
        return None

    error: GuardtierError = await until(found)
    return error


async def refusal(tier: Tier, entry: bytes) -> dict[str, str]:
    """The audit line about this entry, once nothing is pending any more; the tier serves on."""
    await tier.idle()
    refused = [line for line in await tier.audit() if "error" in line]
    (line,) = [line for line in refused if line["entry"] == entry.decode()]
    assert (await tier.client().check(low())).allowed
    return line


@pytest.mark.parametrize("name", CASES)
async def test_a_bad_request_is_told_with_its_field_and_audited(tier: Tier, name: str) -> None:
    case = CASES[name]
    stream = KEYS.actions("web")

    entry = await tier.redis.xadd(stream, request(**case.changes))
    error = await told(tier, entry, KEYS.reply("web", "raw-1"))

    assert (type(error), error.field, error.limit) == (case.kind, case.field, case.limit)
    line = await refusal(tier, entry)
    assert (line["event"], line["by"], line["stream"]) == ("refused", "web/raw-1", stream)
    assert orjson.loads(line["error"])["code"] == case.kind.code
    assert len(line["id"]) <= 80
    assert await tier.redis.xlen(KEYS.dead) == 0
    assert not await tier.redis.exists(KEYS.action(ID))


@pytest.mark.parametrize("client", [None, "", "a:b", "c\n", "x" * 65, b"\xff"], ids=repr)
async def test_who_cannot_be_told_leaves_a_dead_letter(tier: Tier, client: Any) -> None:
    entry = await tier.redis.xadd(KEYS.actions("web"), request(client=client))

    line = await refusal(tier, entry)

    error = GuardtierError.from_json(line["error"].encode())
    assert (type(error), error.field, error.limit) == (InvalidAction, "client", 64)
    ((_, dead),) = await tier.redis.xrange(KEYS.dead)
    assert (dead[b"why"], dead[b"payload"]) == (b"the sender can't be told", body())
    assert not await tier.redis.exists(KEYS.action(ID))


async def test_a_known_id_with_another_digest_is_a_conflict(tier: Tier) -> None:
    stream, reply = KEYS.actions("web"), KEYS.reply("web", "raw-1")
    await tier.redis.xadd(stream, request())
    await tier.idle()
    before = await tier.record(ID)

    entry = await tier.redis.xadd(stream, request(payload=body(tool_name="other")))

    error = await told(tier, entry, reply)
    assert (type(error), error.field) == (ActionConflict, "id")
    assert (await refusal(tier, entry))["id"] == ID
    assert await tier.record(ID) == before


async def test_a_crowd_of_bad_requests_is_told_one_by_one(tier: Tier) -> None:
    entries = {
        name: await tier.redis.xadd(KEYS.actions("web"), request(**case.changes))
        for name, case in CASES.items()
    }

    assert (await tier.client().check(low())).allowed
    for name, entry in entries.items():
        assert type(await told(tier, entry, KEYS.reply("web", "raw-1"))) is CASES[name].kind
    await tier.idle()


# -- strays ------------------------------------------------------------------------------------


async def test_a_stray_is_told_that_its_fleet_is_unknown(tier: Tier) -> None:
    entry = await tier.redis.xadd(KEYS.strays, request(fleet="nobody"))

    error = await told(tier, entry, KEYS.reply("nobody", "raw-1"))

    assert (type(error), error.field) == (UnknownFleet, "fleet")
    assert "'nobody'" in error.message
    line = await refusal(tier, entry)
    assert (line["by"], line["stream"]) == ("nobody/raw-1", KEYS.strays)


@pytest.mark.parametrize("fleet", ["web", "a:b", None, "", b"\xff"], ids=repr)
async def test_a_stray_never_speaks_to_somebody_elses_client(tier: Tier, fleet: Any) -> None:
    entry = await tier.redis.xadd(KEYS.strays, request(fleet=fleet))

    line = await refusal(tier, entry)

    assert orjson.loads(line["error"])["code"] == "unknown_fleet"
    assert not await tier.redis.keys("gt:{0}:reply:*raw-1")
    assert await tier.redis.xlen(KEYS.dead) == 1


# -- the client says it first ------------------------------------------------------------------


async def test_the_client_refuses_what_is_too_large_or_too_deep(tier: Tier) -> None:
    deep: Any = []
    for _ in range(MAX_NESTING):
        deep = [deep]
    client = tier.client()

    with pytest.raises(InvalidAction) as large:
        await client.check(low("x" * MAX_PAYLOAD))
    with pytest.raises(InvalidAction) as nested:
        await client.check(low(arguments={"deep": deep}))

    assert (large.value.field, large.value.limit) == ("payload", MAX_PAYLOAD)
    assert (nested.value.field, nested.value.limit) == ("payload", MAX_NESTING)
    assert await tier.audit() == []


async def test_what_is_just_within_the_limits_is_served(tier: Tier) -> None:
    deep: Any = []
    for _ in range(MAX_NESTING - 3):  # with the list itself, the arguments and the action
        deep = [deep]
    nested = low(arguments={"deep": deep})
    room = MAX_PAYLOAD - len(low("", id="a" * 24 + ".0").to_json())
    large = low("x" * room, id="b" * 24 + ".0")
    assert len(large.to_json()) == MAX_PAYLOAD

    assert (await tier.client().check(nested)).allowed
    assert (await tier.client().check(large)).allowed


async def test_bad_requests_do_not_disturb_who_waits(tier: Tier) -> None:
    client = tier.client(client_id="raw-1")
    submitted = await client.submit(high(id=ID))

    for case in CASES.values():
        await tier.redis.xadd(KEYS.actions("web"), request(**case.changes))
    await tier.idle()

    assert await client.poll(submitted.id) == submitted
