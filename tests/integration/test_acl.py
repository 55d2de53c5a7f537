"""deploy/redis/users.acl, on a real redis-server that has loaded it: each role can do its work, no more.

Key permissions by reading and writing (%R~, %W~) came with Redis 7.0: on an older server these tests are
skipped, and the roles do not hold there.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from consoles import console_beside
from guardtier import ApproverClient, GuardClient, Outcome, State
from guardtier.policy.confirmation import NeverConfirm
from guardtier.store.keys import GrantKeys, HistoryKeys, Keys
from guardtier_workers.cli.state import OPERATES
from guardtier_workers.embedded import redis_servers
from guardtier_workers.supervisor import die_with_parent
from remembered import remembered
from tier import Tier, high, low
from waiting import until, until_sync

FILE = Path(__file__).parents[2] / "deploy" / "redis" / "users.acl"
KEYS = Keys(0)
RECORD = KEYS.action("a1.0")


@dataclass(frozen=True)
class Server:
    """A server with the users of the file; everybody's password is their name."""

    socket: Path

    def url(self, user: str) -> str:
        return f"unix://{user}:{user}@{self.socket}"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    binary = next((path for path in redis_servers() if _version(path) >= (7, 0)), None)
    if binary is None:
        pytest.skip("no redis-server of 7.0 or newer here: roles hold only from there on")
    with tempfile.TemporaryDirectory(prefix="gt-acl-") as folder:
        users, socket = Path(folder) / "users.acl", Path(folder) / "s"
        users.write_text("".join(f"{line} #{_hash(line.split()[1])}\n" for line in _lines()))
        process = subprocess.Popen(
            [
                binary,
                "--port",
                "0",
                "--unixsocket",
                socket,
                "--aclfile",
                users,
                "--save",
                "",
                "--dir",
                folder,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            preexec_fn=die_with_parent(),  # noqa: PLW1509 - safe: it only makes two calls
        )
        try:
            until_sync(lambda: socket.exists() or process.poll() is not None)
            assert process.poll() is None, process.communicate()[0].decode()
            yield Server(socket)
        finally:
            process.terminate()
            process.communicate()


StartRoles = Callable[..., Awaitable[Tier]]


@pytest.fixture
async def start_roles(server: Server, tmp_path: Path) -> AsyncIterator[StartRoles]:
    """Starts a tier of two fleets that speaks to Redis in this role; with workers, where it is theirs."""
    async with Redis.from_url(server.url("admin")) as redis:
        await redis.flushall()
    async with AsyncExitStack() as tiers:

        async def start(role: str = "worker", **settings: Any) -> Tier:
            fleets: dict[str, Any] = {"web": {}, "ops": {}}
            made = Tier(server.url(role), tmp_path, fleets=fleets, partitions=2, **settings)
            tier = await tiers.enter_async_context(made)
            if role == "worker":
                await tier.analyzer()
                await tier.policy(schedule=tier.deadlines())
            return tier

        yield start


@pytest.fixture
async def tier(start_roles: StartRoles) -> Tier:
    return await start_roles()


def _version(path: Path) -> tuple[int, ...]:
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"v=(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0,)


def _hash(password: str) -> str:
    return sha256(password.encode()).hexdigest()


def _lines() -> list[str]:
    return FILE.read_text().splitlines()


# -- what each can do --------------------------------------------------------------------------


async def test_every_role_does_its_work(tier: Tier, server: Server) -> None:
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


async def test_an_operator_sets_policies_halts_and_sees_grants(tier: Tier, server: Server) -> None:
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


async def test_an_auditor_reads_the_audit_stream(tier: Tier, server: Server) -> None:
    submitted = await tier.client().submit(high())

    async with Redis.from_url(server.url("auditor")) as auditor:
        lines = await auditor.xrange(Keys(int(submitted.id[-1])).audit)

    assert [fields[b"event"] for _, fields in lines] == [b"assessed", b"parked"]


async def test_a_console_shows_all_of_its_pages_and_takes_answers(
    tier: Tier, server: Server, caplog: pytest.LogCaptureFixture
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


async def test_a_console_sets_a_file_and_shows_what_is_remembered(tier: Tier, server: Server) -> None:
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


# -- what they can't ---------------------------------------------------------------------------

READS: list[tuple[Any, ...]] = [
    ("HGETALL", RECORD),
    ("HMGET", RECORD, "state", "event"),
    ("ZRANGE", KEYS.parked, 0, -1),
    ("ZSCORE", KEYS.parked, "a1.0"),
    ("ZCOUNT", KEYS.parked, "-inf", "+inf"),
    ("ZRANGEBYSCORE", KEYS.parked, "-inf", "+inf"),
    ("XRANGE", KEYS.audit, "-", "+"),
    ("XREAD", "STREAMS", KEYS.answers, 0),
    ("XREAD", "STREAMS", KEYS.assessed, 0),
    ("XREAD", "STREAMS", KEYS.actions("web"), 0),
    ("XREAD", "STREAMS", KEYS.reply("ops", "c1"), 0),
    ("XREVRANGE", KEYS.reply("ops", "c1"), "+", "-"),
    ("HGETALL", KEYS.policies),
    ("HGETALL", KEYS.halts),
    ("HGETALL", GrantKeys("web").grants),
    ("HGETALL", HistoryKeys("web").history("c1")),
    ("GET", KEYS.block("0" * 64)),
    ("GET", "gt:history:key"),
    ("SMEMBERS", KEYS.fleets),
    ("KEYS", "*"),
    ("SCAN", 0),
    ("RANDOMKEY",),
]
WRITES: list[tuple[Any, ...]] = [
    ("HSET", RECORD, "state", "approved"),
    ("DEL", RECORD),
    ("ZREM", KEYS.parked, "a1.0"),
    ("ZADD", KEYS.parked, 1, "a1.0"),
    ("XADD", KEYS.answers, "*", "op", "approve"),
    ("XADD", KEYS.assessed, "*", "id", "a1.0"),
    ("XADD", KEYS.outbox, "*", "op", "grant"),
    ("XADD", KEYS.audit, "*", "id", "a1.0"),
    ("XADD", KEYS.actions("web"), "*", "op", "submit"),
    ("XADD", KEYS.actions("ops"), "*", "op", "submit"),
    ("XADD", KEYS.reply("web", "c1"), "*", "id", "a1.0"),
    ("XADD", KEYS.told("c1"), "*", "id", "a1.0"),
    ("HSET", KEYS.policies, "web", "{}"),
    ("HSET", KEYS.halts, "web", "{}"),
    ("HSET", GrantKeys("web").grants, "g", "{}"),
    ("HSET", "gt:tier", "partitions", 7),
    ("EVAL", "return 1", 0),
    ("PUBLISH", "c", "m"),
    ("SUBSCRIBE", "c"),
    ("FLUSHALL",),
    ("CONFIG", "GET", "*"),
    ("ACL", "LIST"),
    ("CLIENT", "LIST"),
    ("SCRIPT", "FLUSH"),
    ("SHUTDOWN", "NOSAVE"),
    ("MONITOR",),
]
#: What of these each role may do: where its work is.
MAY: dict[str, set[str]] = {
    "dashboard": {
        f"HMGET {RECORD}",
        f"ZRANGE {KEYS.parked}",
        f"ZSCORE {KEYS.parked}",
        f"ZCOUNT {KEYS.parked}",
    },
    "auditor": {f"XRANGE {KEYS.audit}"},
    "approver": {f"XADD {KEYS.answers}"},
    "operator": {
        f"XADD {KEYS.answers}",
        f"HGETALL {KEYS.policies}",
        f"HGETALL {KEYS.halts}",
        f"HGETALL {GrantKeys('web').grants}",
    },
    "agent-web": {f"XADD {KEYS.actions('web')}"},
    "console": {
        f"HGETALL {RECORD}",
        f"HMGET {RECORD}",
        f"ZRANGE {KEYS.parked}",
        f"XRANGE {KEYS.audit}",
        "XREAD STREAMS",
        f"HGETALL {KEYS.policies}",
        f"HGETALL {KEYS.halts}",
        f"HGETALL {GrantKeys('web').grants}",
        f"HGETALL {HistoryKeys('web').history('c1')}",
        f"SMEMBERS {KEYS.fleets}",
        f"XADD {KEYS.answers}",
    },
}
#: Workers may touch every key of ours; what they can't is the server's own.
SERVER = (
    "KEYS *",
    "FLUSHALL",
    "CONFIG GET *",
    "ACL LIST",
    "CLIENT LIST",
    "SCRIPT FLUSH",
    "SHUTDOWN NOSAVE",
)


@pytest.mark.parametrize("user", MAY)
async def test_a_role_can_do_nothing_else(server: Server, user: str) -> None:
    allowed = set()
    async with Redis.from_url(server.url("admin")) as admin:
        for command in READS + WRITES:
            said = await admin.execute_command("ACL", "DRYRUN", user, *command)
            if said == b"OK":
                allowed.add(" ".join(map(str, command[:2])))

    assert allowed == MAY[user]


async def test_a_dashboard_is_refused_for_real(tier: Tier, server: Server) -> None:
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


@pytest.mark.parametrize("user", ["worker", "steward"])
async def test_workers_leave_the_server_and_foreign_keys_alone(server: Server, user: str) -> None:
    async with Redis.from_url(server.url("admin")) as admin:
        for command in (*(found.split() for found in SERVER), ("SET", "theirs", "1"), ("GET", "theirs")):
            said = await admin.execute_command("ACL", "DRYRUN", user, *command)
            assert b"no permissions" in said, command


async def test_an_approver_sees_through_the_tier_alone(tier: Tier, server: Server) -> None:
    """The credential of one who may see one fleet reads no record, of any fleet."""
    ops = await tier.client("ops").submit(high(fleet="ops"))
    tier.approver("alice", ["web"])
    token = tier.token_of("alice")

    async with ApproverClient(server.url("approver"), approver="alice", token=token, partitions=2) as alice:
        assert await alice.pending() == []
    async with ApproverClient(server.url("approver"), partitions=2) as without_token:
        with pytest.raises(NoPermissionError):
            await without_token.get(ops.id)


def test_nobody_has_a_password_before_one_is_given() -> None:
    for line in _lines():
        rules = line.split()[2:]
        assert line.startswith("user ")
        assert not [rule for rule in rules if rule == "nopass" or rule[0] in ">#"], line
    assert "user default off" in _lines()
