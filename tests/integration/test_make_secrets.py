"""deploy/make_secrets.py: credentials that a real Redis takes, in files of their owner."""

from __future__ import annotations

import runpy
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, NoPermissionError

from guardtier.keyfile import read_private, read_public
from guardtier.store.keys import ANALYZERS, Keys
from manifests import DEPLOY, services
from roleserver import serving_roles

SCRIPT = runpy.run_path(str(DEPLOY / "make_secrets.py"))
KEYS = Keys(0)


@dataclass
class Made:
    """The folder, and a server that has loaded its users."""

    folder: Path
    socket: Path

    def redis(self, role: str) -> Redis:
        """Signed in by the role's file."""
        url = self.text(f"{role}.env").removeprefix("GUARDTIER_REDIS_URL=").strip()
        password = url.partition(f"//{role}:")[2].partition("@redis/0")[0]
        return Redis(unix_socket_path=str(self.socket), username=role, password=password)

    def text(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Made]:
    folder = tmp_path / "secrets"
    assert SCRIPT["main"]([str(folder), "--host", "redis", "--fleet", "web", "--fleet", "ops"]) == 0
    with serving_roles((folder / "redis" / "users.acl").read_text(encoding="utf-8")) as server:
        yield Made(folder, server.socket)


async def test_every_role_signs_in_by_its_file_and_nobody_without(made: Made) -> None:
    roles = [file.stem for file in made.folder.glob("*.env") if file.stem != "scaler"]

    assert {"admin", "analyzer", "policy", "steward", "console", "agent-web", "agent-ops"} <= set(roles)
    for role in roles:
        async with made.redis(role) as redis:
            assert await redis.ping()
    async with Redis(unix_socket_path=str(made.socket)) as nobody:
        with pytest.raises((AuthenticationError, NoPermissionError)):
            await nobody.ping()


async def test_the_agents_of_a_fleet_write_to_no_other(made: Made) -> None:
    async with made.redis("agent-web") as web:
        assert await web.xadd(KEYS.actions("web"), {"op": "submit"})
        with pytest.raises(NoPermissionError):
            await web.xadd(KEYS.actions("ops"), {"op": "submit"})


async def test_what_scales_sees_lag_and_length_and_nothing_else(made: Made) -> None:
    stream = KEYS.actions("default")
    async with made.redis("admin") as admin:
        await admin.xgroup_create(stream, ANALYZERS, id="0", mkstream=True)
        for _ in range(3):
            await admin.xadd(stream, {"op": "submit"})
        ((_, taken),) = await admin.xreadgroup(ANALYZERS, "w", {stream: ">"}, count=2)
        await admin.xdel(stream, taken[0][0])  # what was handled may go; Redis knows the lag all the same
        flood = [await admin.xadd(stream, {"op": "submit"}) for _ in range(3)]
    told = dict(line.split("=") for line in made.text("scaler.env").split())
    async with Redis(unix_socket_path=str(made.socket), **told) as scaler:
        (group,) = await scaler.xinfo_groups(stream)
        assert (group["name"], group["lag"]) == (ANALYZERS.encode(), 4)
        async with made.redis("admin") as admin:
            await admin.xdel(stream, flood[-1])  # as what is refused unread
        (group,) = await scaler.xinfo_groups(stream)
        assert group["lag"] is None
        assert await scaler.xlen(stream) == 4
        forbidden: list[tuple[Any, ...]] = [
            ("XRANGE", stream, "-", "+"),
            ("XADD", stream, "*", "op", "submit"),
            ("XINFO", "GROUPS", KEYS.audit),
            ("XINFO", "STREAM", stream),
            ("GET", KEYS.audit),
            ("CONFIG", "GET", "*"),
        ]
        for command in forbidden:
            with pytest.raises(NoPermissionError):
                await scaler.execute_command(*command)


async def test_its_files_are_for_their_owner_alone(made: Made) -> None:
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in made.folder.rglob("*")}

    assert modes.pop("verdict_keys.json") == 0o644
    assert [modes.pop(name) for name in ("approvers", "redis", "signing")] == [0o700] * 3
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(made.folder.stat().st_mode) == 0o700
    assert "private" not in made.text("verdict_keys.json")
    signing, public = (
        read_private(made.folder / "signing" / "keys.json"),
        read_public(made.folder / "verdict_keys.json"),
    )
    assert [key.alone for key in signing] == public


async def test_it_overwrites_nothing(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    before = made.text("redis/users.acl")

    assert SCRIPT["main"]([str(made.folder), "--host", "redis"]) == 1
    assert "nothing was changed" in capsys.readouterr().err
    assert made.text("redis/users.acl") == before


async def test_it_makes_what_compose_mounts(made: Made) -> None:
    files = {Path(file).name for one in services() for file in one.spec.get("env_file", ())}
    folders = [volume.split(":")[0] for one in services() for volume in one.spec.get("volumes", ())]
    mounted = {Path(one).name for one in folders if one.startswith("./secrets/")}

    assert mounted == {"approvers", "redis", "signing"}, (
        "folders: a file that is replaced stays the old one"
    )
    assert files | mounted <= {file.name for file in made.folder.iterdir()}
