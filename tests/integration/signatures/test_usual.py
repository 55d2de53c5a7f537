"""An agent with keys believes what the tier signed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from guardtier import GuardClient, Outcome, Verdict
from guardtier.blocking import BlockingGuardClient
from guardtier.errors import (
    AlreadyRedeemed,
    StaleVerdict,
    UnknownKey,
)
from guardtier.keyfile import Key
from guardtier.store.keys import Keys
from guardtier.verifying import ENV, Verifier
from sealed import HOUR_MS, KeyFolder, clock, now_ms
from tier import Tier, high, low

KEYS = Keys(0)


async def test_a_release_is_signed_and_believed(tier: Tier, client: GuardClient, folder: KeyFolder) -> None:
    action = low()

    verdict = await client.check(action)

    assert verdict.allowed
    assert verdict.seal.startswith(folder.keys[0].id + ".")
    assert verdict.valid_until == verdict.decided_at + 300_000
    assert (await tier.record(verdict.id)).verdict == verdict


async def test_a_verdict_is_looked_at_once_more_before_a_late_run(
    tier: Tier, client: GuardClient, folder: KeyFolder
) -> None:
    verdict = await client.check(low())
    client.still_good(verdict)
    tier.client().still_good(verdict)

    late = Verifier(file=folder.public, clock=clock(HOUR_MS))
    with pytest.raises(StaleVerdict, match="ask again"):
        tier.client(verdict_keys=late).still_good(verdict)
    over = verdict.model_copy(update={"valid_until": verdict.decided_at - HOUR_MS})
    with pytest.raises(StaleVerdict):  # without keys, the time counts as well
        tier.client().still_good(over)
    with pytest.raises(UnknownKey):  # its key was taken away meanwhile
        tier.client(verdict_keys=[Key.new().public]).still_good(verdict)


async def test_an_approval_is_signed_and_runs_once(tier: Tier, client: GuardClient) -> None:
    action = high()
    asking = asyncio.create_task(client.check(action))
    (parked,) = await tier.parked()
    await tier.approver().approve(parked.id)

    assert (await asking).outcome is Outcome.APPROVED
    with pytest.raises(AlreadyRedeemed):
        await client.redeem(action)


async def test_a_rejection_and_an_expiry_are_signed(tier: Tier, client: GuardClient) -> None:
    rejected = asyncio.create_task(client.check(high("a")))
    (parked,) = await tier.parked()
    await tier.approver().reject(parked.id, reason="no")
    assert (await rejected).outcome is Outcome.REJECTED

    expired = asyncio.create_task(client.check(high("b")))
    (parked,) = await tier.parked()
    past = now_ms() - 1000
    await tier.redis.zadd(KEYS.parked, {parked.id: past})
    await tier.redis.hset(KEYS.action(parked.id), "deadline", past)
    await tier.steward().expire_due(0)
    assert (await expired).outcome is Outcome.EXPIRED


async def test_an_approvers_edit_and_a_halt_are_signed(tier: Tier, folder: KeyFolder) -> None:
    client = tier.client(verdict_keys=folder.public, accept_edits=True)
    edited = asyncio.create_task(client.check(high("a", security_risk="HIGH")))
    (parked,) = await tier.parked()
    await tier.approver().edit(parked.id, {"command": "ls"})
    verdict = await edited
    assert verdict.allowed
    assert verdict.arguments == {"command": "ls"}

    halted = asyncio.create_task(client.check(high("b")))
    await tier.parked()
    await tier.operator().halt("web", reason="stop", reject_parked=True)
    assert (await halted).outcome is Outcome.REJECTED


async def test_what_is_told_again_keeps_its_seal(
    tier: Tier, client: GuardClient, folder: KeyFolder
) -> None:
    action = low()
    first = await client.check(action)

    again = tier.client(verdict_keys=folder.public)

    assert await again.check(action.model_copy(update={"id": first.id})) == first
    assert (await again.poll(first.id)).verdict == first


async def test_an_agent_without_threads_of_asyncio_verifies_too(tier: Tier, folder: KeyFolder) -> None:
    def ask(keys: Path) -> Verdict:
        with BlockingGuardClient(tier.url, fleet="web", verdict_keys=keys) as blocking:
            return blocking.check(low(), timeout=90)

    assert (await asyncio.to_thread(ask, folder.public)).allowed
    folder.keys = [Key.new()]
    other = folder.public.with_name("other.json")
    folder.public.rename(other)
    folder.write()
    with pytest.raises(UnknownKey):
        await asyncio.to_thread(ask, folder.public)


async def test_the_keys_come_from_the_environment(
    tier: Tier, folder: KeyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENV, str(folder.public))
    assert (await tier.client().check(low())).seal

    monkeypatch.setenv(ENV, Key.new().public)
    with pytest.raises(UnknownKey):
        await tier.client().check(low())
