"""An agent whose credential is another's, or none, is told so at once: not at the end of its time limit."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from redis.asyncio import Redis

from guardtier import ApproverClient, GuardClient
from guardtier.errors import TierUnavailable
from guardtier.store.keys import Keys
from guardtier.store.upkeep import Upkeep
from roleserver import RoleServer, serving_roles
from tier import low
from waiting import until

HOUR = 3600.0


@pytest.fixture(scope="module")
def server() -> Iterator[RoleServer]:
    with serving_roles() as made:
        yield made


@pytest.mark.parametrize(
    ("user", "password", "why"),
    [
        ("agent-ops", "agent-ops", "permission"),
        ("agent-web", "wrong", "password"),
        ("nobody", "x", "password"),
    ],
)
async def test_an_agent_hears_of_it_at_once(server: RoleServer, user: str, password: str, why: str) -> None:
    url = f"unix://{user}:{password}@{server.socket}"
    async with GuardClient(url, fleet="web") as guard:
        for _ in range(2):  # it is tried anew each time
            with pytest.raises(TierUnavailable, match=f"refuses this client's credential: .*{why}"):
                await asyncio.wait_for(guard.check(low(), timeout=HOUR), 60)


async def test_of_many_that_ask_at_once_each_hears_of_it(server: RoleServer) -> None:
    async with GuardClient(server.url("agent-ops"), fleet="web") as guard:
        told = await asyncio.wait_for(
            asyncio.gather(*(guard.check(low(), timeout=HOUR) for _ in range(20)), return_exceptions=True),
            60,
        )

    assert [type(one) for one in told] == [TierUnavailable] * 20


async def test_an_approver_does_too(server: RoleServer) -> None:
    async with ApproverClient(server.url("agent-web"), approver="alice", token="t" * 40) as alice:
        with pytest.raises(TierUnavailable, match="refuses this client's credential"):
            await asyncio.wait_for(alice.approve("a.0", digest="0" * 64, timeout=HOUR), 60)


async def test_who_is_let_in_later_goes_on(server: RoleServer) -> None:
    """A new password is known to Redis before or after its agent has it."""
    async with Redis.from_url(server.url("admin")) as admin:
        await Upkeep(admin, 1).prepare(["web"])
        async with GuardClient(f"unix://agent-web:new@{server.socket}", fleet="web") as guard:
            with pytest.raises(TierUnavailable):
                await asyncio.wait_for(guard.check(low(), timeout=HOUR), 60)

            await admin.execute_command("ACL", "SETUSER", "agent-web", ">new")
            asking = asyncio.create_task(guard.check(low(), timeout=HOUR))

            await until(lambda: admin.xlen(Keys(0).actions("web")))
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
