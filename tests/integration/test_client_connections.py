"""GuardClient's connections: few, and nothing is lost with them; threads; replies that lie."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis.asyncio import Redis

from guardtier import ActionEvent, BlockingGuardClient, Outcome
from guardtier.errors import (
    ActionConflict,
    ConfigError,
    DigestMismatch,
    GuardTimeout,
    TierUnavailable,
    UnknownFleet,
    WrongState,
)
from guardtier.store.keys import Keys
from guardtier.verdict import Verdict
from tier import Tier, high, low
from waiting import until

MANY = 500


async def readers(redis: Redis) -> list[str]:
    """The connections that wait for replies (workers read in groups)."""
    return [c["id"] for c in await redis.client_list() if c["cmd"] == "xread"]


# -- few connections ---------------------------------------------------------------------------


async def test_500_agents_are_answered_over_one_client(tier: Tier) -> None:
    client = tier.client()

    verdicts = await asyncio.gather(*(client.check(low(f"ls {n}")) for n in range(MANY)))

    assert all(verdict.allowed for verdict in verdicts)
    assert len({verdict.id for verdict in verdicts}) == MANY


async def test_500_agents_that_wait_hold_two_connections(tier: Tier) -> None:
    await tier.client().submit(high())  # the workers have opened theirs
    before = len(await tier.redis.client_list()), len(await readers(tier.redis))
    client = tier.client()

    waiting = [asyncio.create_task(client.check(high(f"rm {n}"))) for n in range(MANY)]
    await tier.parked(MANY + 1)

    assert len(await readers(tier.redis)) - before[1] == 1
    assert len(await tier.redis.client_list()) - before[0] <= 2
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


# -- connections that break --------------------------------------------------------------------


async def test_a_verdict_arrives_although_the_reply_connection_was_killed(tier: Tier) -> None:
    asking = asyncio.create_task(tier.client().check(high()))
    (parked,) = await tier.parked()
    (reader,) = await until(lambda: readers(tier.redis))

    await tier.redis.client_kill_filter(_id=reader)
    await tier.approver().approve(parked.id)

    assert (await asking).allowed


async def test_a_verdict_arrives_although_every_connection_was_killed(tier: Tier) -> None:
    asking = asyncio.create_task(tier.client().check(high()))
    (parked,) = await tier.parked()

    await tier.redis.client_kill_filter(_type="normal", skipme=True)
    await tier.approver().approve(parked.id)

    assert (await asking).allowed
    assert (await tier.events(parked.id)).count("redeemed") == 1


async def test_what_was_said_while_nobody_read_is_read_afterwards(tier: Tier) -> None:
    client = tier.client()
    asking = asyncio.create_task(client.check(high()))
    (parked,) = await tier.parked()
    for _ in range(5):
        await tier.redis.client_kill_filter(_type="normal", skipme=True)
    await tier.approver().reject(parked.id, reason="no")

    assert (await asking).outcome is Outcome.REJECTED
    assert (await client.check(low())).allowed


async def test_closing_a_client_ends_who_waits(tier: Tier) -> None:
    client = tier.client()
    asking = asyncio.create_task(client.check(high(), timeout=None))
    await tier.parked()

    await client.aclose()

    try:
        await until(asking.done, timeout=90.0)
        with pytest.raises(TierUnavailable, match="closed"):
            await asking
        with pytest.raises(TierUnavailable, match="closed"):
            await client.check(low())
    finally:
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)


# -- two calls about one action ----------------------------------------------------------------


async def test_a_redeem_that_is_refused_does_not_end_the_check_that_waits(tier: Tier) -> None:
    client, action = tier.client(), high().placed_in(0)
    asking = asyncio.create_task(client.check(action))
    await tier.parked()

    with pytest.raises(WrongState):
        await client.redeem(action)
    await tier.approver().approve(action.id)

    assert (await asking).allowed


async def test_a_conflicting_action_does_not_end_the_check_that_waits(tier: Tier) -> None:
    client, action = tier.client(), high().placed_in(0)
    asking = asyncio.create_task(client.check(action))
    await tier.parked()

    with pytest.raises(ActionConflict):
        await client.check(low("ls", id=action.id))
    await tier.approver().approve(action.id)

    assert (await asking).allowed


# -- replies that lie --------------------------------------------------------------------------


def verdict_for(action: ActionEvent, digest: str) -> Verdict:
    return Verdict(
        id=action.id,
        outcome=Outcome.RELEASED,
        digest=digest,
        risk="LOW",
        policy="forged",
        decided_at=1,
    )


async def test_a_verdict_about_another_digest_is_never_taken(tier: Tier) -> None:
    action = high().placed_in(0)
    asking = asyncio.create_task(tier.client(client_id="c-1").check(action))
    await tier.parked()

    forged = verdict_for(action, low("ls").digest)
    await tell(tier, action, verdict=forged.to_json())

    with pytest.raises(DigestMismatch, match="must not run"):
        await asking


async def test_a_verdict_with_the_id_of_another_action_is_never_taken(tier: Tier) -> None:
    action = high().placed_in(0)
    asking = asyncio.create_task(tier.client(client_id="c-1").check(action))
    await tier.parked()

    forged = verdict_for(low().placed_in(0), action.digest)
    await tell(tier, action, verdict=forged.to_json())

    with pytest.raises(DigestMismatch):
        await asking


@pytest.mark.parametrize(
    "fields",
    [
        {"id": "nobody.0", "state": "released", "verdict": "{}"},
        {"state": "released"},
        {"verdict": "{"},
        {"verdict": '{"outcome":"released"}'},
        {"deadline": "soon"},
        {"state": b"\xff\xfe"},
    ],
    ids=str,
)
async def test_a_reply_that_cannot_be_read_is_no_verdict(
    tier: Tier, caplog: pytest.LogCaptureFixture, fields: dict[str, str | bytes]
) -> None:
    action = high().placed_in(0)
    asking = asyncio.create_task(tier.client(client_id="c-1").check(action))
    await tier.parked()

    with caplog.at_level(logging.CRITICAL, "guardtier.store.tail"):
        await tell(tier, action, **fields)
        await tier.approver().reject(action.id, reason="no")

        assert (await asking).outcome is Outcome.REJECTED


async def tell(tier: Tier, action: ActionEvent, **fields: str | bytes) -> None:
    """Write to the reply stream of the client ``c-1``, as somebody who got hold of Redis would."""
    known = {"id": action.id, "state": "released"}
    await tier.redis.xadd(Keys(0).reply("web", "c-1"), known | fields)


# -- threads -----------------------------------------------------------------------------------


async def test_threads_share_a_blocking_client(tier: Tier) -> None:
    loop = asyncio.get_running_loop()
    with (
        ThreadPoolExecutor(8) as pool,
        BlockingGuardClient(tier.settings.redis_url, fleet="web") as client,
    ):
        asked = [loop.run_in_executor(pool, client.check, low(f"ls {number}")) for number in range(64)]
        verdicts = await asyncio.gather(*asked)
        parked = await loop.run_in_executor(pool, client.submit, high())
        await tier.approver().approve(parked.id)
        polled = await loop.run_in_executor(pool, client.poll, parked.id)
        await loop.run_in_executor(pool, client.close)

    assert len({verdict.id for verdict in verdicts if verdict.allowed}) == 64
    assert polled.state == "approved"


async def test_a_blocking_client_redeems_and_raises_as_the_other_one(tier: Tier) -> None:
    def ask() -> None:
        with BlockingGuardClient(tier.settings.redis_url, fleet="web") as client:
            action = high()
            with pytest.raises(GuardTimeout):
                client.check(action, timeout=0.05)
        client.close()  # twice does no harm
        with pytest.raises(TierUnavailable, match="closed"):
            client.check(action)
        with (
            BlockingGuardClient(tier.settings.redis_url, fleet="nobody") as stranger,
            pytest.raises(UnknownFleet),
        ):
            stranger.check(low(fleet="nobody"))

    await asyncio.to_thread(ask)


async def test_closing_a_blocking_client_ends_the_threads_that_wait(tier: Tier) -> None:
    client = BlockingGuardClient(tier.settings.redis_url, fleet="web")
    ended: list[BaseException] = []

    def ask() -> None:
        try:
            client.check(high(), timeout=None)
        except BaseException as error:
            ended.append(error)

    threading.Thread(target=ask, daemon=True).start()
    await tier.parked()

    await asyncio.to_thread(client.close)

    (error,) = await until(lambda: ended, timeout=90.0)
    assert isinstance(error, TierUnavailable)


# -- where a client can't be used -----------------------------------------------------------------

AFTER_A_FORK = """
import os, sys
from guardtier import ActionEvent, BlockingGuardClient
from guardtier.errors import ConfigError

action = ActionEvent(fleet="web", agent="coder", tool_name="terminal", security_risk="LOW")
with BlockingGuardClient(sys.argv[1], fleet="web") as client:
    print(client.check(action).allowed, flush=True)
    child = os.fork()
    if child:
        os.waitpid(child, 0)
    try:
        print(client.poll(action).state, flush=True)
    except ConfigError as error:
        print(error.field, flush=True)
"""


async def test_a_client_on_another_event_loop_says_so_at_once(tier: Tier) -> None:
    client, approver = tier.client(), tier.approver()
    parked = await client.submit(high())
    await approver.approve(parked.id)

    def elsewhere() -> None:
        for call in (client.check(low(), timeout=None), approver.approve(parked.id)):
            with pytest.raises(ConfigError, match=r"asyncio\.run"):
                asyncio.run(call)

    await asyncio.to_thread(elsewhere)
    assert (await client.check(low())).allowed


async def test_a_blocking_client_in_a_forked_process_says_so_at_once(tier: Tier) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "ignore", "-c", AFTER_A_FORK, tier.url, stdout=asyncio.subprocess.PIPE
    )

    told, _ = await process.communicate()

    assert told.decode().split() == ["True", "process", "released"]
