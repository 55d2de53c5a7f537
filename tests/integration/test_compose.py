"""deploy/compose.yaml without its containers: its commands, settings and credentials make a tier."""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from guardtier import GuardClient, State
from guardtier.store.roles import ROLES
from guardtier_workers.cli.app import build
from manifests import DEPLOY, Container, services
from ports import free_port
from probing import health
from processes import Processes
from tier import high, low
from waiting import until_sync

SERVICES = {one.where.removeprefix("compose "): one for one in services()}
MAKE_SECRETS = runpy.run_path(str(DEPLOY / "make_secrets.py"))["main"]
GUARDTIER = (sys.executable, "-m", "guardtier_workers.cli")
WORKERS = ("analyzer", "policy", "steward")


class Place:
    """A folder that stands for what compose mounts, and the processes that it would start."""

    def __init__(self, folder: Path, processes: Processes) -> None:
        self._folder, self._processes = folder, processes
        self.secrets = folder / "secrets"
        self.redis_port = free_port()
        host = f"127.0.0.1:{self.redis_port}"
        assert MAKE_SECRETS([str(self.secrets), "--host", host]) == 0
        approvers = self.secrets / "approvers" / "approvers.toml"
        add = ["approver", "add", "alice", "--file", str(approvers)]
        build(add)(add, standalone_mode=False)

    def url(self, name: str) -> str:
        return self._variables(f"{name}.env")["GUARDTIER_REDIS_URL"]

    def start_redis(self) -> None:
        (self._folder / "redis").mkdir()
        command = [self._here(part) for part in SERVICES["redis"].command]
        self._processes.start([*command, "--port", str(self.redis_port), "--bind", "127.0.0.1"])

    def start(self, name: str) -> int:
        """Start a worker; returns its health's port."""
        service, port = SERVICES[name], free_port()
        environment = {key: self._here(value) for key, value in service.environment.items()}
        for file in service.spec["env_file"]:
            environment |= self._variables(Path(file).name)
        command = [str(port) if part == "8080" else part for part in service.command]
        self._processes.start([*GUARDTIER, *command], **environment)
        return port

    def exported(self) -> str:
        files = sorted((self._folder / "audit").rglob("*.jsonl"))
        return "".join(file.read_text(encoding="utf-8") for file in files)

    def _variables(self, name: str) -> dict[str, str]:
        lines = (self.secrets / name).read_text(encoding="utf-8").splitlines()
        return dict(line.split("=", 1) for line in lines)

    def _here(self, text: str) -> str:
        """A container's path as one of ours."""
        for inside, here in (
            ("/run/secrets", self.secrets),
            ("/run/guardtier", self.secrets),
            ("/var/lib/guardtier", self._folder),
            ("/data", self._folder / "redis"),
        ):
            text = text.replace(inside, str(here)) if text.startswith(inside) else text
        return text


@pytest.fixture
def place(tmp_path: Path, processes: Processes, monkeypatch: pytest.MonkeyPatch) -> Place:
    for variable in [name for name in os.environ if name.startswith("GUARDTIER_")]:
        monkeypatch.delenv(variable)
    return Place(tmp_path, processes)


@pytest.fixture
async def agent(place: Place) -> AsyncIterator[GuardClient]:
    """With what an agent is given: its fleet's credential and the tier's public keys."""
    keys = place.secrets / "verdict_keys.json"
    async with GuardClient(place.url("agent-default"), fleet="default", verdict_keys=keys) as client:
        yield client


async def test_the_tier_of_compose_serves_an_agent(place: Place, agent: GuardClient) -> None:
    place.start_redis()
    ports = [place.start(name) for name in WORKERS]
    for port in ports:
        until_sync(lambda port=port: (said := health(port)) and said[0] == 200, 60.0)

    released = await agent.check(low(fleet="default"), timeout=90)
    parked = await agent.submit(high(fleet="default"))

    assert (released.allowed, bool(released.seal)) == (True, True)
    assert parked.state == State.PARKED
    until_sync(lambda: parked.id in place.exported(), 90.0)


def test_every_worker_has_the_credential_of_its_role_alone() -> None:
    known = {role.name for role in ROLES}

    for name, service in SERVICES.items():
        if service.is_ours:
            assert service.spec["env_file"] == [f"secrets/{name}.env"]
            assert name in known


def test_who_signs_has_the_key_and_nobody_else() -> None:
    mounted = {name: str(one.spec.get("volumes", ())) for name, one in SERVICES.items()}
    holders = {name for name, volumes in mounted.items() if "secrets/signing" in volumes}
    signs = {name for name, one in SERVICES.items() if "GUARDTIER_SIGNING_KEY_FILE" in one.environment}

    assert holders == signs == {"policy", "steward"}


def test_only_the_steward_reaches_outside() -> None:
    file = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    networks: dict[str, Any] = file["networks"]

    assert networks["inside"] == {"internal": True}
    assert of_network("outside") == {"steward"}
    assert of_network("inside") == set(SERVICES)


def of_network(network: str) -> set[str]:
    def names(one: Container) -> list[str]:
        found: list[str] = one.spec["networks"]
        return found

    return {name for name, one in SERVICES.items() if network in names(one)}
