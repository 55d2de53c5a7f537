"""What people and programs do under the roles of Redis' ACL, on a real server that has loaded them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from consoles import console_beside
from guardtier import ApproverClient, GuardClient, Outcome, State
from guardtier.policy.confirmation import NeverConfirm
from guardtier.settings import Settings
from guardtier.store.keys import Keys
from guardtier_workers.analyzer import AnalyzerWorker
from guardtier_workers.cli.entry import run
from guardtier_workers.cli.state import OPERATES
from guardtier_workers.policy import PolicyWorker
from guardtier_workers.steward import Deadlines
from remembered import remembered
from roleserver import RoleServer, serving_roles
from tier import Tier, high, low
from waiting import until


@pytest.fixture(scope="module")
def server() -> Iterator[RoleServer]:
    with serving_roles() as made:
        yield made


StartRoles = Callable[..., Awaitable[Tier]]


@pytest.fixture
async def start_roles(server: RoleServer, tmp_path: Path) -> AsyncIterator[StartRoles]:
    """Starts a tier of two fleets that speaks to Redis in this role; with workers, where it is theirs."""
    async with Redis.from_url(server.url("admin")) as redis:
        await redis.flushall()
    async with AsyncExitStack() as queues, AsyncExitStack() as tiers:  # workers end before what they call

        async def start(role: str = "admin", **settings: Any) -> Tier:
            fleets: dict[str, Any] = {"web": {}, "ops": {}}
            made = Tier(server.url(role), tmp_path, fleets=fleets, partitions=2, **settings)
            tier = await tiers.enter_async_context(made)
            if role == "admin":  # by whom the test looks; the workers have a role each
                await tier.run(AnalyzerWorker(in_role(tier, "analyzer")))
                deciding = in_role(tier, "policy")
                deadlines = Deadlines(deciding)
                queues.push_async_callback(deadlines.close)
                await tier.run(PolicyWorker(deciding, schedule=deadlines))
            return tier

        def in_role(tier: Tier, role: str) -> Settings:
            return tier.settings.model_copy(update={"redis_url": server.url(role)})

        yield start


@pytest.fixture
async def tier(start_roles: StartRoles) -> Tier:
    return await start_roles()


# -- what each can do --------------------------------------------------------------------------


async def test_every_role_does_its_work(tier: Tier, server: RoleServer) -> None:
    tier.approver("alice", ["web"])
    agent = GuardClient(server.url("agent-web"), fleet="web", partitions=2)
    alice = ApproverClient(
        server.url("approver"), approver="alice", token=tier.token_of("alice"), partitions=2
    )
    dashboard = ApproverClient(server.url("dashboard"), partitions=2)
    async with agent, alice, dashboard:
        assert (await agent.check(low())).allowed
        submitted = await agent.submit(action := high(conversation="c1"))
        assert [record.id for record in await alice.pending()] == [submitted.id]
        assert [record.id for record in await dashboard.pending(fleet="web")] == [submitted.id]
        assert (await alice.count(), await dashboard.count()) == (1, 1)
        assert (await dashboard.get(submitted.id)).state is State.PARKED

        await alice.approve(submitted.id)

        assert (await agent.redeem(action.placed_in(agent.partition_for(agent.client_id)))).allowed
        assert await agent.pending("agent-1") is not None


async def test_an_agent_may_ask_for_replicas(tier: Tier, server: RoleServer) -> None:
    """This server has none, and says so: what counts them needs rights of its own (docs/faults.md)."""
    agent = GuardClient(server.url("agent-web"), fleet="web", partitions=2, replicas=1)
    async with agent:
        asking = asyncio.create_task(agent.check(low()))
        await until(lambda: agent.trouble == "0 of 1 replicas have the verdict")
        asking.cancel()


@pytest.mark.usefixtures("tier")
async def test_submit_works_with_an_agents_credential(
    server: RoleServer, capsys: pytest.CaptureFixture[str]
) -> None:
    submit, url = ["submit", "ls", "--no-wait"], ["--redis-url", server.url("agent-web")]

    asked = await asyncio.to_thread(run, [*submit, "--fleet", "web", *url])
    said = capsys.readouterr()
    unnamed = await asyncio.to_thread(run, [*submit, *url])
    refused = capsys.readouterr()

    assert asked in (0, 3), said.err  # released or parked, not refused by Redis
    assert said.err == ""
    assert unnamed == 2
    assert "--fleet" in refused.err
    assert "may not list" in refused.err


async def test_a_deadline_is_kept_by_job_and_by_sweep(start_roles: StartRoles) -> None:
    tier = await start_roles(park_seconds=0.1)
    steward = await start_roles("steward", park_seconds=0.1)
    await steward.arq(cron=False)

    by_job = await tier.client().check(high())
    assert by_job.outcome is Outcome.EXPIRED

    made = steward.steward()
    await made.sweep()
    await made.tidy()
    assert await made.stuck() == []


async def test_an_operator_sets_policies_halts_and_sees_grants(tier: Tier, server: RoleServer) -> None:
    tier.approver("olga", None, OPERATES)
    token = tier.token_of("olga")
    async with ApproverClient(
        server.url("operator"), approver="olga", token=token, partitions=2
    ) as operator:
        done = await operator.set_policy("web", NeverConfirm())
        assert [found.policy for found in await operator.policy("web")] == [NeverConfirm()] * 2
        assert all(found.changed for found in done)
        assert (await tier.client().check(high())).allowed

        await operator.set_policy_file("version = 1")
        (text,) = {await operator.policy_text(found) for found in await operator.policy_file()}
        assert text == "version = 1"

        await operator.halt("web", reason="to look at it")
        assert len(await operator.halts()) == 2
        await operator.resume("web")
        assert await operator.grants("web") == []


@pytest.mark.parametrize(
    "command",
    [["policy", "show"], ["policy", "show", "--file"], ["halts"], ["grants", "list"]],
    ids=" ".join,
)
async def test_an_operator_looks_by_the_command_line(
    tier: Tier, server: RoleServer, command: list[str]
) -> None:
    """docs/operations.md names this role for them."""
    await tier.client().submit(high())

    assert await asyncio.to_thread(run, [*command, "--redis-url", server.url("operator")]) == 0


async def test_an_auditor_reads_the_audit_stream(tier: Tier, server: RoleServer) -> None:
    submitted = await tier.client().submit(high())

    async with Redis.from_url(server.url("auditor")) as auditor:
        lines = await auditor.xrange(Keys(int(submitted.id[-1])).audit)

    assert [fields[b"event"] for _, fields in lines] == [b"assessed", b"parked"]


async def test_a_console_shows_all_of_its_pages_and_takes_answers(
    tier: Tier, server: RoleServer, caplog: pytest.LogCaptureFixture
) -> None:
    submitted = await tier.client().submit(high(conversation="c1"))
    digest = (await tier.record(submitted.id)).digest
    async with console_beside(tier, redis_url=server.url("console")) as console:
        olga = await console.browser("olga", None, OPERATES)
        await until_ready(olga)

        for page in ("/", "/history", "/stats", "/grants", "/policy", "/workers", "/fleets", "/metrics"):
            assert (await olga.get(page)).status_code == 200, page
        for one in (f"/actions/{submitted.id}", f"/actions/{submitted.id}/panel"):
            assert (await olga.get(one)).status_code == 200, one
        assert (await olga.get("/conversations/web/c1")).status_code == 404  # "llm" alone keeps no history
        body = {"choice": "approve", "digest": digest}
        answered = await olga.post(f"/api/v1/actions/{submitted.id}/answer", json=body)

    assert answered.status_code == 200, answered.text
    assert (await tier.record(submitted.id)).state is State.APPROVED
    assert "NOPERM" not in caplog.text
    assert "no permissions" not in caplog.text


async def test_a_console_sets_a_file_and_shows_what_is_remembered(tier: Tier, server: RoleServer) -> None:
    grant = await remembered(tier)
    text = 'version = 1\n[[rule]]\nname = "all"\noutcome = "park"\n'
    async with console_beside(tier, redis_url=server.url("console")) as console:
        olga = await console.browser("olga", None, OPERATES)

        put = await olga.put("/api/v1/policy-file", json={"text": text, "replaces": None})
        policy, grants = await olga.get("/policy"), await olga.get("/grants")
        revoked = await olga.delete(f"/api/v1/grants/web/{grant}")

    assert put.status_code == 200, put.text
    assert "file@1, set at run time by olga" in policy.text
    assert f'id="grant-{grant}"' in grants.text
    assert revoked.status_code == 200, revoked.text


async def until_ready(client: httpx.AsyncClient) -> None:
    async def is_ready() -> bool:
        return (await client.get("/readyz")).status_code == 200

    await until(is_ready)


# -- what they can't (test_roles_table.py has all of it) --------------------------------------------


async def test_a_dashboard_is_refused_for_real(tier: Tier, server: RoleServer) -> None:
    submitted = await tier.client().submit(high())
    keys = Keys(int(submitted.id[-1]))

    async with Redis.from_url(server.url("dashboard")) as dashboard:
        assert await dashboard.hget(keys.action(submitted.id), "state") == b"parked"
        for command in (
            ("HSET", keys.action(submitted.id), "state", "approved"),
            ("XADD", keys.answers, "*", "id", submitted.id),
            ("XRANGE", keys.audit, "-", "+"),
            ("FLUSHALL",),
        ):
            with pytest.raises(NoPermissionError):
                await dashboard.execute_command(*command)


async def test_an_approver_sees_through_the_tier_alone(tier: Tier, server: RoleServer) -> None:
    """The credential of one who may see one fleet reads no record, of any fleet."""
    ops = await tier.client("ops").submit(high(fleet="ops"))
    tier.approver("alice", ["web"])
    token = tier.token_of("alice")

    async with ApproverClient(server.url("approver"), approver="alice", token=token, partitions=2) as alice:
        assert await alice.pending() == []
    async with ApproverClient(server.url("approver"), partitions=2) as without_token:
        with pytest.raises(NoPermissionError):
            await without_token.get(ops.id)


async def test_nobody_adds_to_a_partition_that_nobody_serves(server: RoleServer) -> None:
    """What stands there is trimmed by nobody: it would fill Redis for every fleet."""
    async with (
        Redis.from_url(server.url("agent-web")) as agent,
        Redis.from_url(server.url("approver")) as one,
    ):
        assert await agent.xadd(Keys(1).strays, {"id": "x"})
        for redis, stream in (
            (agent, Keys(2).strays),
            (agent, Keys(9).actions("web")),
            (one, Keys(2).answers),
        ):
            with pytest.raises(NoPermissionError):
                await redis.xadd(stream, {"id": "x"})
