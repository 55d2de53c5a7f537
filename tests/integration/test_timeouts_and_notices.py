"""Time and notices as an agent and its people meet them: a policy file, workers, a webhook."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from guardtier import Outcome, State
from guardtier.errors import WrongState
from guardtier_workers.notices import jobs
from guardtier_workers.notices.jobs import Notifier
from guardtier_workers.notices.queue import NoticeQueue
from llmserver import Reply, Server, serving
from tier import StartTier, Tier, high
from waiting import until

RULE = 'version = 1\n[[rule]]\nname = "careful"\nrisk = "HIGH"\noutcome = "park"\nterms = '
SECRET = "0123456789abcdef"


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as made:
        made.says(Reply())
        yield made


@pytest.fixture
async def under(
    start_tier: StartTier, tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Any]:
    """Starts a tier that parks what is HIGH under these terms, and whose channel ``hook`` is the server."""
    monkeypatch.setattr(jobs, "POLL_SECONDS", 0.02)
    async with AsyncExitStack() as parts:

        async def start(terms: str) -> Tier:
            file = tmp_path / "policy.toml"
            file.write_text(RULE + terms)
            hook = {"kind": "webhook", "url": server.url, "secret": SECRET, "allow_private": True}
            tier = await start_tier(policies=0, policy_file=file, channel={"hook": hook})
            queue, notifier = NoticeQueue(tier.settings), Notifier(tier.settings)
            parts.push_async_callback(queue.close)
            parts.push_async_callback(notifier.close)
            await tier.policy(notices=queue)
            await tier.run_arq(jobs.arq_worker(tier.settings, notifier, "hook"))
            return tier

        yield start


async def heard(server: Server, count: int) -> list[Any]:
    """What the webhook was told, once it was told so much."""
    await until(lambda: len(server.requests) >= count)
    return [request.json for request in server.requests]


async def test_people_are_told_what_the_agent_waits_for(under: Any, server: Server) -> None:
    tier: Tier = await under('{ notify = ["hook"], approve = 2 }')
    first, second = tier.approver("alice"), tier.approver("bob")
    check = asyncio.create_task(tier.client().check(high()))

    (told,) = await heard(server, 1)
    assert (told["event"], told["needs"]) == ("parked", "2 approvals")
    assert (told["action"]["call"], told["action"]["risk"]) == ("rm -rf ~/.ssh", "HIGH")
    for approver in (first, second):
        await approver.approve(told["action"]["id"])

    assert (await check).outcome is Outcome.APPROVED


async def test_one_that_waits_on_is_told_of_once_more_and_still_approved(
    under: Any, server: Server
) -> None:
    tier: Tier = await under('{ notify = ["hook"], time_limit = "300ms", on_timeout = "wait" }')
    check = asyncio.create_task(tier.client().check(high(), timeout=90))
    await heard(server, 1)

    assert await until(tier.steward().sweep) == 1

    told = await heard(server, 2)
    assert [one["event"] for one in told] == ["parked", "extended"]
    assert told[1]["deadline"] > told[0]["deadline"]
    action_id = told[0]["action"]["id"]

    async def approved() -> bool:
        await tier.steward().sweep()  # its time may pass again
        try:
            await tier.approver().approve(action_id)
        except WrongState:
            return False
        return True

    await until(approved)
    assert (await check).outcome is Outcome.APPROVED
    assert {"parked", "extended", "approved"} <= set(await tier.events(action_id))


async def test_people_are_told_what_became_of_an_action_that_was_edited(under: Any, server: Server) -> None:
    tier: Tier = await under('{ notify = ["hook"], approve = 2 }')
    first, second = tier.approver("alice"), tier.approver("bob")
    check = asyncio.create_task(tier.client(accept_edits=True).check(high()))
    (told,) = await heard(server, 1)

    await first.edit(told["action"]["id"], {"command": "ls ~/.ssh"})

    _, edited = await heard(server, 2)
    assert (edited["event"], edited["action"]["call"]) == ("edited", "ls ~/.ssh")
    assert edited["action"]["digest"] != told["action"]["digest"]
    await second.approve(told["action"]["id"])
    assert (await check).arguments == {"command": "ls ~/.ssh"}


async def test_one_that_nobody_answers_halts_its_conversation_and_no_other(under: Any) -> None:
    tier: Tier = await under('{ time_limit = "1ms", on_timeout = "halt" }')
    client = tier.client()
    first = await client.submit(high(conversation="talk-1"))
    assert await until(tier.steward().sweep) == 1

    expired = await client.poll(first.id)
    assert expired.state is State.EXPIRED
    refused = await client.check(high("ls", conversation="talk-1"))
    other = await client.submit(high("ls", conversation="talk-2"))

    assert refused.outcome is Outcome.REJECTED
    assert first.id in refused.reason
    assert other.state is State.PARKED
