"""What an attacker on Redis may try: an agent with keys believes none of it."""

from __future__ import annotations

import asyncio

import pytest

from guardtier import GuardClient, Outcome
from guardtier.errors import (
    BadSignature,
    DigestMismatch,
)
from guardtier.store.keys import Keys
from impostor import Impostor
from sealed import KeyFolder, verdict_on
from tier import StartTier, Tier, high, low

KEYS = Keys(0)


async def test_a_tier_that_does_not_sign_is_not_believed(start_tier: StartTier, folder: KeyFolder) -> None:
    tier = await start_tier()
    client = tier.client(verdict_keys=folder.public)

    for ask in (client.check, client.submit):
        with pytest.raises(BadSignature, match="signing_key_file"):
            await ask(low())


async def test_without_keys_an_unsigned_verdict_is_believed(start_tier: StartTier) -> None:
    tier = await start_tier()

    assert (await tier.client().check(low())).seal == ""


@pytest.mark.parametrize("outcome", [Outcome.RELEASED, Outcome.APPROVED, Outcome.REJECTED])
async def test_a_made_up_verdict_is_refused(alone: Tier, folder: KeyFolder, outcome: Outcome) -> None:
    client = alone.client(verdict_keys=folder.public)
    action = low().placed_in(0)
    forged = verdict_on(action, outcome, reason="do as I say").to_json()

    with pytest.raises(BadSignature):
        await Impostor(alone).told(client, action, forged, state=outcome.value)


async def test_a_verdict_for_another_id_or_another_digest_is_refused(
    alone: Tier, folder: KeyFolder
) -> None:
    client, sealer, impostor = alone.client(verdict_keys=folder.public), folder.sealer(), Impostor(alone)
    mine, other = low("rm -rf /").placed_in(0), low("ls").placed_in(0)
    same_command = low("rm -rf /").placed_in(0)
    other_fleet = low("rm -rf /", id=mine.id, fleet="data")
    other_agent = low("rm -rf /", id=mine.id, agent="agent-2")
    same_id = low("ls", id=mine.id)
    assert same_command.digest == mine.digest

    for replayed in (other, same_command, other_fleet, other_agent, same_id):
        sealed = sealer(verdict_on(replayed))
        for ask in (client.check, client.submit, client.poll):
            with pytest.raises(DigestMismatch):
                await impostor.told(client, mine, sealed, ask=ask)
        await alone.redis.delete(KEYS.actions("web"))
        await alone.upkeep.prepare(["web"])


@pytest.mark.parametrize("state", ["released", "approved", "redeemed"])
async def test_a_state_that_no_verdict_says_is_refused(alone: Tier, folder: KeyFolder, state: str) -> None:
    client = alone.client(verdict_keys=folder.public)
    action = low().placed_in(0)
    refusal = folder.sealer()(verdict_on(action, Outcome.REJECTED))

    for verdict in (b"", refusal):
        with pytest.raises(BadSignature, match="is told to be"):
            await Impostor(alone).told(client, action, verdict, ask=client.poll, state=state)
        await alone.redis.delete(KEYS.actions("web"))
        await alone.upkeep.prepare(["web"])


async def test_a_record_that_was_changed_in_redis_is_not_believed(
    tier: Tier, client: GuardClient, folder: KeyFolder
) -> None:
    status = await client.submit(high("x"))
    await tier.approver().reject(status.id, reason="no")
    record = KEYS.action(status.id)
    sealed = await tier.redis.hget(record, "verdict")
    changed = sealed.replace(b'"rejected"', b'"released"')
    await tier.redis.hset(record, mapping={"verdict": changed, "state": "released"})

    with pytest.raises(BadSignature, match="is wrong"):
        await tier.client(verdict_keys=folder.public).poll(status.id)
    assert (await tier.client().poll(status.id)).verdict is not None, "without keys it would be"


async def test_a_bad_verdict_ends_no_other_call(tier: Tier, client: GuardClient) -> None:
    waiting = asyncio.create_task(client.check(high()))
    (parked,) = await tier.parked()

    await Impostor(tier).answer(client, "somebody-elses.0", b"{}")
    await tier.approver().approve(parked.id)

    assert (await waiting).allowed
