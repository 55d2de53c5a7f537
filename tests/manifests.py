"""What deploy/ says: containers with their commands and variables, units, and the files themselves."""

from __future__ import annotations

import configparser
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
SYSTEMD = DEPLOY / "systemd"
SETTINGS_FILE = KUBERNETES / "base" / "tier.toml"

#: What stands for a value that a Secret or the environment of the host gives.
GIVEN = {
    "url": "redis://role:password@guardtier-redis:6379/0",
    "password": "password",
}


@dataclass(frozen=True)
class Container:
    """One container or unit as its manifest has it."""

    where: str
    command: list[str]
    environment: dict[str, str]
    spec: dict[str, Any]

    @property
    def is_ours(self) -> bool:
        return bool(self.command) and self.command[0] == "worker"


@cache
def documents() -> list[tuple[Path, dict[str, Any]]]:
    """Every object of deploy/kubernetes, kustomizations and components aside."""
    return [
        (file, document)
        for file in sorted(KUBERNETES.rglob("*.yaml"))
        if file.name != "kustomization.yaml"
        for document in yaml.safe_load_all(file.read_text(encoding="utf-8"))
    ]


def of_kind(*kinds: str) -> list[dict[str, Any]]:
    return [document for _, document in documents() if document["kind"] in kinds]


def workloads() -> list[dict[str, Any]]:
    return of_kind("Deployment", "StatefulSet")


def pods() -> Iterator[Container]:
    """The containers of deploy/kubernetes."""
    for workload in workloads():
        for one in workload["spec"]["template"]["spec"]["containers"]:
            variables = {item["name"]: item.get("value") or GIVEN["url"] for item in one.get("env", ())}
            yield Container(f"kubernetes {one['name']}", one.get("args", []), variables, one)


def services() -> Iterator[Container]:
    """The services of deploy/compose.yaml."""
    found = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]
    for name, service in found.items():
        command = service.get("command", [])
        environment = {key: filled(str(value)) for key, value in service.get("environment", {}).items()}
        yield Container(f"compose {name}", command, environment, service)


def units() -> Iterator[Container]:
    """The services of deploy/systemd."""
    for file in sorted(SYSTEMD.glob("*.service")):
        unit = unit_of(file)
        started = shlex.split(unit["Service"]["ExecStart"].replace("%i", "rules"))
        yield Container(f"systemd {file.name}", started[1:], {}, dict(unit["Service"]))


def unit_of(file: Path) -> configparser.ConfigParser:
    """A unit's sections; of a key that stands there twice, the last."""
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(file, encoding="utf-8")
    return unit


def filled(value: str) -> str:
    """The value with something for ``${NAME:?says}``, as compose does."""
    return re.sub(r"\$\{[A-Z_]+(:[?-][^}]*)?\}", GIVEN["password"], value)


def selected(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return selector.items() <= labels.items()
