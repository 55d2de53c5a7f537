"""Redaction: no secret of an action is left in Redis once it is rated, and nothing gets easier by that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from editing import parked
from guardtier import State
from guardtier.errors import EditRefused
from guardtier.policy.grants import Remember
from guardtier.redacted import Fingerprinter, has_marks, marks_in
from guardtier.store.keys import HistoryKeys, Keys
from tier import Tier, high, low, submitted
from waiting import until

KEYS = Keys(0)
TOKEN = "ghp_" + "0a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5F6g7H"
StartWhole = Callable[..., Awaitable[Tier]]
COMMAND = f"curl -H 'Authorization: token {TOKEN}' https://api.github.com"
KEY = "a key for tests of fingerprints"
MARK = Fingerprinter(KEY.encode()).mark("web", "github_token", TOKEN)
WHOLE = {"analyzers": ("shell", "secrets", "injection", "flow", "llm"), "history_key": KEY}


@pytest.fixture
async def start_whole(redis_url: str, tmp_path: Path) -> AsyncIterator[StartWhole]:
    """Starts a tier with analyzers that look, not claims alone."""
    async with AsyncExitStack() as parts:

        async def start(**settings: Any) -> Tier:
            tier = await parts.enter_async_context(Tier(redis_url, tmp_path, **WHOLE | settings))
            await tier.analyzer()
            await tier.policy()
            return tier

        yield start


async def everything(redis: Redis) -> str:
    """All that stands in Redis, as text."""
    found: list[Any] = []
    async for key in redis.scan_iter(count=1000):
        match await redis.type(key):
            case b"string":
                found.append(await redis.get(key))
            case b"hash":
                found.append(await redis.hgetall(key))
            case b"list":
                found.append(await redis.lrange(key, 0, -1))
            case b"stream":
                found.append(await redis.xrange(key))
            case b"zset":
                found.append(await redis.zrange(key, 0, -1))
            case b"set":
                found.append(await redis.smembers(key))
    return repr(found)


async def test_of_a_secret_only_its_rule_and_a_fingerprint_stay(start_whole: StartWhole) -> None:
    tier = await start_whole()
    action = high(COMMAND, conversation="c1", summary=f"ask with {TOKEN}", thought=f"{TOKEN} is known")
    client, alice = tier.client(), tier.approver()
    waiting = asyncio.create_task(client.check(action, timeout=90))
    (record,) = await tier.parked()

    await alice.approve(record.id, reason=f"use {TOKEN} for it")
    verdict = await waiting

    assert verdict.allowed
    assert verdict.digest == action.digest
    assert record.action.arguments["command"] == COMMAND.replace(TOKEN, MARK)
    assert record.digest == action.digest
    assessed = (await tier.audit(record.id))[0]
    assert assessed["redacted"] == MARK
    await until(lambda: gone(tier.redis))  # the last of what was handled goes within a second
    assert set(marks_in(verdict.reason)) == set(marks_in(MARK))


async def test_findings_still_point_at_what_they_are_about(start_whole: StartWhole) -> None:
    tier = await start_whole()

    await tier.client().submit(high(f"export T={TOKEN} && rm -rf /etc"))

    (record,) = await tier.parked()
    command = str(record.action.arguments["command"])
    spans = {one.id: command[slice(*one.span)] for one in record.assessment.findings if one.span}
    assert spans["secrets.present"] == MARK
    assert spans["shell.delete.system"] == "/etc"


async def test_what_can_not_be_read_leaves_no_secret_either(start_whole: StartWhole) -> None:
    tier = await start_whole()
    await tier.redis.xadd(
        KEYS.actions("web"),
        {"op": "submit", "id": "bad.0", "client": "bad client!", "payload": '{"id": "' + TOKEN},
    )

    async def is_told() -> bool:
        return bool(await tier.redis.xlen(KEYS.dead))

    await until(is_told)
    assert TOKEN not in await everything(tier.redis)


@pytest.mark.parametrize(
    ("found", "instead"),
    [
        (b'"arguments":{', b'"arguments":{"%b":1,"%b":2,' % (2 * (TOKEN.encode(),))),
        (b'"fleet"', b'"%b":1,"fleet"' % TOKEN.encode()),
    ],
    ids=["stands twice", "is no field"],
)
async def test_a_refusal_names_no_field_that_is_a_secret(
    start_whole: StartWhole, found: bytes, instead: bytes
) -> None:
    tier = await start_whole()
    action = low("ls").placed_in(0)
    payload = action.to_json().replace(found, instead, 1)

    await tier.redis.xadd(KEYS.actions("web"), submitted(action) | {"payload": payload})

    async def refused() -> str:
        return next((line["error"] for line in await tier.audit(action.id)), "")

    assert set(marks_in(await until(refused))) == set(marks_in(MARK))
    await until(lambda: gone(tier.redis))


async def test_an_edit_that_can_not_be_read_leaves_no_secret(start_whole: StartWhole) -> None:
    tier = await start_whole()
    await tier.redis.xadd(
        KEYS.answers,
        {"op": "edit", "id": "x.0", "client": "c1", "request": f'{{"{TOKEN}":1,"{TOKEN}":2}}'},
    )

    async def refused() -> list[str]:
        return [line["error"] for line in await tier.audit("x.0")]

    assert has_marks((await until(refused))[0])
    await until(lambda: gone(tier.redis))


async def test_an_edit_that_keeps_a_placeholder_is_refused(start_whole: StartWhole) -> None:
    tier = await start_whole()
    asked = await parked(tier, command=COMMAND)
    shown = (await tier.record(asked.id)).action.arguments["command"]

    with pytest.raises(EditRefused, match="does not have the secret"):
        await tier.approver().edit(asked.id, {"command": shown + " -v"})
    await tier.approver().edit(asked.id, {"command": "ls ~/.ssh"})

    assert (await asked.waiting).apply(asked.action).arguments == {"command": "ls ~/.ssh"}


async def test_an_edit_that_brings_a_secret_is_refused_and_not_kept(start_whole: StartWhole) -> None:
    tier = await start_whole()
    asked = await parked(tier)

    with pytest.raises(EditRefused, match="holds a secret"):
        await tier.approver().edit(asked.id, {"command": f"ls {TOKEN}"})

    await until(lambda: gone(tier.redis))
    assert (await tier.record(asked.id)).state is State.PARKED
    asked.waiting.cancel()


async def gone(redis: Redis) -> bool:
    return TOKEN[:12] not in await everything(redis)


async def test_an_agent_that_comes_back_is_given_no_arguments_that_it_can_not_run(
    start_whole: StartWhole,
) -> None:
    tier = await start_whole()
    client = tier.client()
    submitted = await client.submit(high(COMMAND))

    (found,) = await client.pending("agent-1")

    assert (found.id, found.action, found.digest) == (submitted.id, None, high(COMMAND).digest)


async def test_an_approval_is_remembered_for_the_same_secret_alone(start_whole: StartWhole) -> None:
    tier = await start_whole()
    client, alice = tier.client(), tier.approver()
    waiting = asyncio.create_task(client.check(high(COMMAND), timeout=90))
    (record,) = await tier.parked()
    await alice.approve(record.id, remember=Remember(pattern="exact", scope="agent"))
    await waiting
    await until(lambda: alice.grants("web"))

    assert (await client.submit(high(COMMAND))).state is State.RELEASED
    for other in (COMMAND.replace(TOKEN, TOKEN[:-1] + "Z"), COMMAND.replace(TOKEN, MARK)):
        assert (await client.submit(high(other))).state is State.PARKED


async def test_reasons_of_halts_and_edits_hold_no_secret(start_whole: StartWhole) -> None:
    tier = await start_whole()
    olga = tier.operator()
    await olga.halt("web", reason=f"{TOKEN} leaked")
    await olga.resume("web", reason=f"{TOKEN} is revoked")

    (line,) = [one for one in await tier.audit() if one["event"] == "halted"]
    assert line["reason"] == f"{MARK} leaked"

    await until(lambda: gone(tier.redis))


async def test_the_first_action_of_a_tier_without_an_analyzer_of_secrets_is_redacted_too(
    start_whole: StartWhole,
) -> None:
    tier = await start_whole(analyzers=("shell",))

    submitted = await tier.client().submit(low(f"echo {TOKEN}"))

    assert (await tier.record(submitted.id)).action.arguments == {"command": f"echo {MARK}"}


async def test_it_can_be_switched_off(start_whole: StartWhole) -> None:
    tier = await start_whole(redact=False)

    submitted = await tier.client().submit(low(COMMAND, conversation="c1"))

    record = await tier.record(submitted.id)
    assert record.action.arguments == {"command": COMMAND}
    assert not has_marks(record.event)


async def test_too_much_to_redact_is_parked_with_nothing_but_that(tier: Tier) -> None:
    many = " ".join(f"ghp_{n:04d}{TOKEN[8:]}" for n in range(300))

    submitted = await tier.client().submit(low(f"echo {many}"))

    assert submitted.state is State.PARKED
    record = await tier.record(submitted.id)
    assert record.assessment.findings[0].id == "redaction.withheld"
    assert set(record.action.arguments) == {"withheld"}


async def test_what_is_withheld_is_in_its_conversations_history(start_whole: StartWhole) -> None:
    tier = await start_whole()
    many = " ".join(f"ghp_{n:04d}{TOKEN[8:]}" for n in range(300))

    await tier.client().submit(low(f"cat ~/.ssh/id_rsa; echo {many}", conversation="c1"))

    history = await tier.redis.hgetall(HistoryKeys("web").history("c1"))
    assert b"l:secret.read" in history
    assert b"l:history.lost" not in history
