"""An agent with keys believes what the tier signed, about this very action, now; and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from guardtier import ActionEvent, GuardClient, Outcome, State, Verdict
from guardtier.blocking import BlockingGuardClient
from guardtier.errors import (
    AlreadyRedeemed,
    BadSignature,
    ConfigError,
    DigestMismatch,
    StaleVerdict,
    UnknownKey,
)
from guardtier.keyfile import Key
from guardtier.store.keys import Keys
from guardtier.verifying import ENV, Verifier
from guardtier_workers.policy import PolicyWorker
from guardtier_workers.steward import Steward
from sealed import HOUR_MS, KeyFolder, ago, clock, now_ms, verdict_on
from tier import StartTier, Tier, high, low
from waiting import until

KEYS = Keys(0)


@pytest.fixture
def folder(tmp_path: Path) -> KeyFolder:
    return KeyFolder(tmp_path)


@pytest.fixture
async def tier(start_tier: StartTier, folder: KeyFolder) -> Tier:
    return await start_tier(signing_key_file=folder.private)


@pytest.fixture
def client(tier: Tier, folder: KeyFolder) -> GuardClient:
    return tier.client(verdict_keys=folder.public)


class Impostor:
    """Somebody who may write to Redis, and has no key: they answer before the tier does."""

    def __init__(self, tier: Tier) -> None:
        self._redis = tier.redis

    async def answer(
        self, client: GuardClient, action_id: str, verdict: bytes, *, state: str = "released", **more: Any
    ) -> None:
        """Tell the client, once it reads."""
        reply = KEYS.reply(client.fleet, client.client_id)
        await self._redis.xadd(reply, {"id": action_id, "state": state, "verdict": verdict} | more)

    async def told(
        self,
        client: GuardClient,
        action: ActionEvent,
        verdict: bytes,
        *,
        ask: Callable[..., Any] | None = None,
        state: str = "released",
    ) -> Any:
        """Let the client ask a tier without workers, and answer in their place."""
        asking = asyncio.create_task((ask or client.check)(action, timeout=90))
        stream = KEYS.actions(client.fleet)
        asked = f"{action.id.removesuffix('.0')}.0"

        async def sent() -> dict[bytes, bytes] | None:
            entries = await self._redis.xrange(stream)
            return next((fields for _, fields in entries if fields[b"id"].decode() == asked), None)

        fields = await until(sent)
        more = {"token": fields[b"token"]} if b"token" in fields else {}
        await self.answer(client, asked, verdict, state=state, **more)
        return await asking


@pytest.fixture
async def alone(start_tier: StartTier) -> Tier:
    """A tier whose workers have all gone, so that only an impostor answers."""
    tier = await start_tier()
    for running in tier.workers:
        await running.stop()
    return tier


# -- the usual ways ----------------------------------------------------------------------------


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


# -- an approval later -------------------------------------------------------------------------


async def _approved(tier: Tier, folder: KeyFolder) -> ActionEvent:
    """An action that was approved while nobody waited for it."""
    status = await tier.client(verdict_keys=folder.public).submit(action := high())
    await tier.approver().approve(status.id)
    return action.model_copy(update={"id": status.id})


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
