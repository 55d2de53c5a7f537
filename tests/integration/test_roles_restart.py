"""A redis-server that loaded the roles and starts again: it has all that scripts wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from guardtier import ActionEvent, GuardClient, State
from guardtier.store.keys import Keys
from guardtier_workers.analyzer import AnalyzerWorker
from guardtier_workers.policy import PolicyWorker
from roleserver import RoleServer, serving_roles
from tier import Tier, high, low


async def test_what_was_parked_and_audited_is_there_after_a_restart(tmp_path: Path) -> None:
    kept = tmp_path / "redis"
    kept.mkdir()
    with serving_roles(keep=kept) as server:
        parked = await _asked(server, tmp_path, high(), low())
        lines = await _lines(server)

    with serving_roles(keep=kept) as again:
        async with Tier(again.url("admin"), tmp_path, partitions=2) as tier:
            record = await tier.records.get(parked)
            assert record is not None
            assert record.state is State.PARKED
        assert await _lines(again) == lines
        assert lines


async def test_nobody_gets_in_as_the_default_user() -> None:
    with serving_roles() as server:
        for password in (None, "", "default"):
            user = None if password is None else "default"
            socket = str(server.socket)
            async with Redis(unix_socket_path=socket, username=user, password=password) as nobody:
                with pytest.raises(RedisError, match=r"Authentication required|user is disabled"):
                    await nobody.ping()


async def _asked(server: RoleServer, folder: Path, *actions: ActionEvent) -> str:
    """Have a tier decide on these. The first one's id."""
    async with Tier(server.url("admin"), folder, partitions=2) as tier:
        for worker, role in ((AnalyzerWorker, "analyzer"), (PolicyWorker, "policy")):
            await tier.run(worker(tier.settings.model_copy(update={"redis_url": server.url(role)})))
        async with GuardClient(server.url("agent-web"), fleet="web", partitions=2) as agent:
            asked = [await agent.submit(action) for action in actions]
    return asked[0].id


async def _lines(server: RoleServer) -> list[Any]:
    """What both audit streams have."""
    async with Redis.from_url(server.url("admin")) as redis:
        return [line for number in range(2) for line in await redis.xrange(Keys(number).audit)]
