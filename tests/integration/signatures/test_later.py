"""A signed approval is redeemed later, in its time; the tier's keys change."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from guardtier import ActionEvent, GuardClient, State
from guardtier.errors import (
    AlreadyRedeemed,
    ConfigError,
    StaleVerdict,
)
from guardtier.keyfile import Key
from guardtier.store.keys import Keys
from guardtier.verifying import Verifier
from guardtier_workers.policy import PolicyWorker
from guardtier_workers.steward import Steward
from impostor import Impostor
from sealed import HOUR_MS, KeyFolder, ago, clock, now_ms, verdict_on
from tier import StartTier, Tier, high, low
from waiting import until

KEYS = Keys(0)


async def _approved(tier: Tier, folder: KeyFolder) -> ActionEvent:
    """An action that was approved while nobody waited for it."""
    status = await tier.client(verdict_keys=folder.public).submit(action := high())
    await tier.approver().approve(status.id)
    return action.model_copy(update={"id": status.id})


# -- an approval later -------------------------------------------------------------------------


async def test_an_approval_is_redeemed_hours_later_after_a_restart(tier: Tier, folder: KeyFolder) -> None:
    action = await _approved(tier, folder)
    later = tier.client(verdict_keys=Verifier(file=folder.public, clock=clock(8 * HOUR_MS)))

    assert (await later.poll(action)).state is State.APPROVED
    assert (await later.redeem(action)).allowed
    assert (await tier.record(action.id)).state is State.REDEEMED


async def test_an_approval_whose_time_is_over_is_refused_and_stays_unused(
    start_tier: StartTier, folder: KeyFolder
) -> None:
    tier = await start_tier(signing_key_file=folder.private, approved_seconds=10)
    action = await _approved(tier, folder)
    sealed = await tier.redis.hget(KEYS.action(action.id), "verdict")
    old = orjson.loads(sealed) | {"valid_until": now_ms() - 1}
    await tier.redis.hset(KEYS.action(action.id), "verdict", orjson.dumps(old))

    with pytest.raises(StaleVerdict, match="the tier's clock says"):
        await tier.client().redeem(action)
    assert (await tier.record(action.id)).state is State.APPROVED


async def test_a_poll_after_a_restart_hears_that_its_release_is_over(tier: Tier, folder: KeyFolder) -> None:
    """Told truthfully, it was released; and not to be run by, since nobody knows whether it ran."""
    verdict = await tier.client(verdict_keys=folder.public).check(low())
    later = tier.client(verdict_keys=Verifier(file=folder.public, clock=clock(HOUR_MS)))

    with pytest.raises(StaleVerdict, match=r"was released at .* to be used until"):
        await later.poll(verdict.id)


@pytest.mark.parametrize(("ahead", "field"), [(HOUR_MS, "valid_until"), (-HOUR_MS, "decided_at")])
@pytest.mark.parametrize("ask", ["check", "submit"])
async def test_an_agent_whose_clock_is_an_hour_off_runs_nothing(
    tier: Tier, folder: KeyFolder, ahead: int, field: str, ask: str
) -> None:
    client = tier.client(verdict_keys=Verifier(file=folder.public, clock=clock(ahead)))

    with pytest.raises(StaleVerdict, match="this machine's clock says") as refused:
        await getattr(client, ask)(low())
    assert refused.value.field == field


# -- what an attacker on Redis may try ---------------------------------------------------------


async def test_an_old_approval_is_not_taken_for_a_second_run(tier: Tier, folder: KeyFolder) -> None:
    """The tier says once that it is used; whoever can write to Redis might say something else."""
    client = tier.client(verdict_keys=folder.public)
    action = await _approved(tier, folder)
    verdict = await client.redeem(action)
    sealed = await tier.redis.hget(KEYS.action(action.id), "verdict")
    for running in tier.workers:
        await running.stop()
    await tier.redis.delete(KEYS.actions("web"))
    await tier.upkeep.prepare(["web"])

    with pytest.raises(AlreadyRedeemed, match="has been used here"):
        await Impostor(tier).told(client, action, sealed, ask=client.redeem, state="redeemed")
    assert verdict.allowed


# -- keys --------------------------------------------------------------------------------------


async def test_a_new_key_is_used_and_believed_without_a_restart(
    tier: Tier, client: GuardClient, folder: KeyFolder
) -> None:
    assert (await client.check(low())).seal.startswith(folder.keys[0].id)
    folder.keys.append(Key.new(since=ago(minutes=1)))
    folder.write()

    async def signed_by_the_new_one() -> bool:
        return (await client.check(low())).seal.startswith(folder.keys[1].id)

    assert await until(signed_by_the_new_one)


async def test_a_worker_without_a_usable_key_does_not_start(tier: Tier, folder: KeyFolder) -> None:
    folder.private.chmod(0o644)

    for make in (PolicyWorker, Steward):
        with pytest.raises(ConfigError, match="chmod 600"):
            make(tier.settings)


async def test_where_every_key_is_over_nothing_is_released(
    start_tier: StartTier, folder: KeyFolder
) -> None:
    tier = await start_tier(signing_key_file=folder.private, claim_seconds=16, max_deliveries=1)
    folder.keys = [Key.new(since=ago(hours=2), until=ago(hours=1))]
    folder.write()
    policy = tier.workers[-1].worker

    async def signs_no_more() -> bool:
        try:
            return not policy.seal(verdict_on(low().placed_in(0)))
        except ConfigError as error:
            return "guardtier keys rotate" in error.message

    await until(signs_no_more)
    asking = asyncio.create_task(tier.client(verdict_keys=folder.public).check(low(), timeout=90))
    (parked,) = await tier.parked()

    assert parked.policy == "policy.failed"
    asking.cancel()
