"""What ``guardtier up`` runs: a Redis where none is given, and the workers as processes."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson

from guardtier.analyzers.base import SecurityAnalyzer
from guardtier.analyzers.member import MemberSettings
from guardtier.analyzers.noop import NoOpSecurityAnalyzer
from guardtier.analyzers.registry import check, ensemble
from guardtier.errors import ConfigError, TierUnavailable
from guardtier.sealing import SigningKeys
from guardtier.settings import Settings
from guardtier.store.connection import AnyRedis, RedisError, connect
from guardtier.store.upkeep import pools_alive, workers
from guardtier_workers import cosigning
from guardtier_workers.approvers import Right
from guardtier_workers.arqredis import arq_url
from guardtier_workers.cli.exported import folder_for
from guardtier_workers.cli.state import Operator, Running, StateDir
from guardtier_workers.cli.tier import TOKEN
from guardtier_workers.embedded import EmbeddedRedis
from guardtier_workers.policyfiles import own_file
from guardtier_workers.supervisor import ProcessSpec, Supervisor

READY_SECONDS = 60.0
POLL_SECONDS = 0.05
CONSOLE = "console-1"
SIGN = ("policy", "steward")  #: who decides, and so signs
KEEP_SECONDS = 0.5  #: between looks at the embedded Redis

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """How large a tier to start, and with what. ``fleets`` and ``policy_file`` replace the settings'.

    ``approvers``: who may answer besides the operator.
    """

    redis_url: str | None = None
    config: Path | None = None
    data: Path | None = None
    analyzers: int = 1
    policies: int = 1
    fleets: dict[str, Any] = field(default_factory=dict)
    policy_file: Path | None = None
    approvers: tuple[str, ...] = ()
    console: bool = True


@dataclass(frozen=True, slots=True)
class Stack:
    """A tier that runs."""

    settings: Settings
    running: Running
    supervisor: Supervisor
    directory: Path | None
    approvers: tuple[Operator, ...] = ()


@asynccontextmanager
async def stack(plan: Plan, state: StateDir) -> AsyncIterator[Stack]:
    """Start everything, wait until it works, and end it all with the block.

    Raises ConfigError, and TierUnavailable where the workers don't come up.
    """
    with ExitStack() as parts:
        parts.enter_context(state.held())
        operator = state.operator()
        more = tuple(state.operator(name, may=(Right.ANSWER,)) for name in plan.approvers)
        server = None
        if plan.redis_url is None:
            server = parts.enter_context(EmbeddedRedis(plan.data))
        url = server.url if server else str(plan.redis_url)
        settings = _settings(plan, url, state)
        if server is None:
            await _check_keys(settings)
        supervisor = Supervisor(_specs(plan, settings, _environment(plan, settings, state)))
        running = Running(
            redis_url=url,
            partitions=settings.partitions,
            pid=os.getpid(),
            fleets=tuple(settings.fleets),
            approver=operator.approver,
            token=operator.token,
            verdict_keys=str(state.verdict_keys_file.absolute()),
            audit_dir=str(settings.audit_dir),
        )
        stop = asyncio.Event()
        task = asyncio.create_task(supervisor.run(stop))
        keeper = asyncio.create_task(_keep_alive(server)) if server else None
        try:
            await _until_ready(settings, supervisor, task)
            state.announce(running)
            parts.callback(state.withdraw)
            yield Stack(settings, running, supervisor, server.directory if server else None, more)
        finally:
            stop.set()
            try:
                await task
            finally:
                if keeper is not None:
                    keeper.cancel()


async def _keep_alive(server: EmbeddedRedis) -> None:
    """Start Redis again where it was killed; its data and its port are still there."""
    while True:
        await asyncio.sleep(KEEP_SECONDS)
        if server.pid is None:
            log.warning("redis-server ended and starts again")
            server.start()


def _settings(plan: Plan, url: str, state: StateDir) -> Settings:
    """The same that the workers will read."""
    given = {"redis_url": url, "approvers_file": state.approvers_file}
    if plan.fleets:
        given["fleets"] = plan.fleets
    if plan.policy_file is not None:
        given["policy_file"] = plan.policy_file
    given |= _audit_dir(plan, state)
    settings = Settings.load(plan.config, **given)
    ensemble(  # told here, not by a worker's log
        settings.analyzers,
        time_limit=settings.analyzer_seconds,
        tables=settings.analyzer,
        remote=_looked_at,
    )
    own_file(settings)
    keys = state.signing_keys(settings.signing_key_file)
    SigningKeys(keys)
    return settings.model_copy(update={"signing_key_file": keys.absolute()})


async def _check_keys(settings: Settings) -> None:
    """Raises ConfigError where a tier lives there that signs with other keys: told here, not by a worker.

    Where Redis is away, or does not let us look, the workers wait for it and look themselves.
    """
    assert settings.signing_key_file is not None  # noqa: S101 - up always signs
    redis = connect(settings.redis_url)
    keys = SigningKeys(settings.signing_key_file)
    try:
        with suppress(RedisError, OSError):
            await cosigning.check(redis, lambda: keys.ids)
    finally:
        await redis.aclose()


def _audit_dir(plan: Plan, state: StateDir) -> dict[str, Path]:
    """Where the audit trail goes: below the state directory, unless the settings name another place."""
    named = Settings.load(plan.config).audit_dir
    own = folder_for(state, data=plan.data, redis_url=plan.redis_url)
    return {"audit_dir": (named or own).absolute()}


def _looked_at(name: str, member: MemberSettings) -> SecurityAnalyzer:
    """For a child of a pool, whose worker builds it: its options are checked, so that it is told here."""
    check(name, member)
    return NoOpSecurityAnalyzer()


def _environment(plan: Plan, settings: Settings, state: StateDir) -> dict[str, str]:
    env = {
        "GUARDTIER_REDIS_URL": settings.redis_url,
        "GUARDTIER_CONSOLE__STATE_DIR": str(state.path.absolute()),
        "GUARDTIER_APPROVERS_FILE": str(state.approvers_file),
        "GUARDTIER_AUDIT_DIR": str(settings.audit_dir),
        TOKEN: "",  # a worker has no use for an approver's token
    }
    if plan.fleets:
        env["GUARDTIER_FLEETS"] = orjson.dumps(plan.fleets).decode()
    if plan.policy_file is not None:
        env["GUARDTIER_POLICY_FILE"] = str(plan.policy_file)
    own = settings.console
    if "port" not in own.model_fields_set and not _is_free(own.host, own.port):
        env["GUARDTIER_CONSOLE__PORT"] = "0"  # that of another tier here, most likely
    return env


def _is_free(host: str, port: int) -> bool:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.create_server((host, port), family=family):
            return True
    except OSError:
        return False


def _specs(plan: Plan, settings: Settings, env: dict[str, str]) -> list[ProcessSpec]:
    counts = {"analyzer": plan.analyzers, "policy": plan.policies, "steward": 1}
    if plan.console and find_spec("starlette"):
        counts["console"] = 1
    kinds = {f"{kind}-{number}": [kind] for kind, count in counts.items() for number in range(1, count + 1)}
    kinds |= {f"pool-{pool}": ["pool", pool] for pool in settings.pools}
    config = ["--config", str(plan.config.absolute())] if plan.config else []
    worker = [sys.executable, "-m", "guardtier_workers.worker"]
    signs = {"GUARDTIER_SIGNING_KEY_FILE": str(settings.signing_key_file)}  # the others need no key
    return [
        ProcessSpec(
            name,
            [*worker, *kind, "--log-level", "warning", *config],
            env | signs if kind[0] in SIGN else env,
        )
        for name, kind in kinds.items()
    ]


async def _until_ready(settings: Settings, supervisor: Supervisor, task: asyncio.Task[None]) -> None:
    """Wait for a heartbeat of every worker but the steward and the console, by its pid."""
    redis = connect(settings.redis_url)
    arq = connect(arq_url(settings))
    try:
        async with asyncio.timeout(READY_SECONDS):
            while not task.done():
                pids = {
                    f"-{pid}-"
                    for name, pid in supervisor.processes.items()
                    if not name.startswith(("steward", "console"))
                }
                if pids and await _all_alive(redis, arq, settings, pids):
                    return
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError as error:
        raise TierUnavailable(
            f"the workers did not come up within {READY_SECONDS:g} s: their errors are above"
        ) from error
    finally:
        await redis.aclose()
        await arq.aclose()
    task.result()
    raise ConfigError("the workers ended before they were ready")


async def _all_alive(redis: AnyRedis, arq: AnyRedis, settings: Settings, marks: set[str]) -> bool:
    try:
        alive = list(await workers(redis, settings.partitions))
        alive += [name.decode() for name in await pools_alive(arq, settings.pools) if name]
    except RedisError:  # no group yet: the first worker makes them
        return False
    return all(any(mark in name for name in alive) for mark in marks)
