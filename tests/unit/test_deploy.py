"""deploy/: what it starts is there, with settings that exist, pinned, as nobody in particular."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from guardtier.settings import Settings
from guardtier.settings_help import OTHERS, unknown_variables
from guardtier_workers.cli.app import build
from manifests import DEPLOY, ROOT, SETTINGS_FILE, Container, pods, services, units

PINNED = re.compile(r"[a-z0-9./-]+:[0-9]+\.[0-9]+\.[0-9]+(-[a-z0-9.-]+)?(@sha256:[0-9a-f]{64})?")
SECRET = re.compile(
    r"pass(word)?[\"']?\s*[:=]\s*[\"']?[A-Za-z0-9+/]{8,}|redis://[a-z-]*:[A-Za-z0-9]{8,}@"
    r"|BEGIN [A-Z ]*PRIVATE KEY|#[0-9a-f]{64}\b"
)
FILES = [file for file in DEPLOY.rglob("*") if file.is_file() and "secrets" not in file.parts]
OURS = [one for found in (pods(), services(), units()) for one in found if one.is_ours]
EVERY_CONTAINER = [*pods(), *services()]
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")


def named(containers: list[Container]) -> Any:
    return pytest.mark.parametrize("container", containers, ids=lambda one: one.where)


def parsed(command: list[str]) -> dict[str, Any]:
    """What the command line makes of it; nothing runs. Raises an error where it can't be read."""
    every = build(command).__self__.commands  # type: ignore[attr-defined]
    parameters: dict[str, Any] = every[command[0]].make_context(command[0], command[1:]).params
    return parameters


def test_there_is_something_to_check() -> None:
    assert {one.where.split()[0] for one in OURS} == {"kubernetes", "compose", "systemd"}


@named(OURS)
def test_every_command_is_one_of_ours(container: Container) -> None:
    assert parsed(container.command)["kind"] in {"analyzer", "policy", "steward", "console", "pool"}


def test_a_command_that_is_none_is_noticed() -> None:
    with pytest.raises(Exception, match="No such option"):
        parsed(["worker", "analyzer", "--helth-port", "8080"])


@named(OURS)
def test_every_variable_is_a_setting(container: Container, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = {key: value for key, value in container.environment.items() if key.startswith("GUARDTIER_")}
    assert unknown_variables(ours, Settings.model_fields) == []
    assert not ours.keys() & OTHERS
    for key, value in ours.items():
        monkeypatch.setenv(key, value)

    given = SETTINGS_FILE if "--config" in container.command else None
    loaded = Settings.load(given)

    for key, value in ours.items():
        found: Any = loaded
        for part in key.removeprefix("GUARDTIER_").lower().split("__"):
            found = getattr(found, part)
        if not value.startswith(("{", "[")):
            assert str(found) == value


def test_the_settings_file_of_systemd_is_one() -> None:
    loaded = Settings.load(DEPLOY / "systemd" / "tier.toml")

    assert loaded.audit_dir is not None
    assert loaded.signing_key_file is not None


def test_the_console_answers_to_the_name_that_prometheus_calls() -> None:
    asked = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    (job,) = asked["scrape_configs"]
    (target,) = job["static_configs"][0]["targets"]

    assert target.partition(":")[0] in Settings.load(SETTINGS_FILE).console.hosts


@named(EVERY_CONTAINER)
def test_every_image_is_pinned(container: Container) -> None:
    assert PINNED.fullmatch(container.spec["image"])


def test_the_images_base_is_pinned_and_its_parts_come_by_hash() -> None:
    arguments = re.findall(r"^ARG (\w+)=(.+)$", DOCKERFILE, re.MULTILINE)
    assert [value for _, value in arguments if not PINNED.fullmatch(value)] == []
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == {"${PYTHON}"}
    installs = re.findall(
        r"pip (?:--python \S+ )?install(?:\s|\\\n)+(.*?)(?:\\\n &&|\n[A-Z])", DOCKERFILE, re.DOTALL
    )
    assert len(installs) == 3
    for install in installs:
        assert "--require-hashes" in install or "--no-index" in install


def test_the_image_copies_what_is_there_and_runs_as_nobody() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)

    assert [name for names in copied for name in names.split() if not (ROOT / name).exists()] == []
    assert re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE) == ["10001:10001"]


def test_a_source_distribution_has_what_the_image_is_built_from() -> None:
    project = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text(encoding="utf-8"))
    included = project["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)

    assert {path.partition("/")[0] for one in copied for path in one.split()} <= {
        *included,
        "pyproject.toml",
    }


def test_no_secret_that_lies_about_gets_into_the_image() -> None:
    lines = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]

    assert rules[0] == "*"
    assert not [rule for rule in rules if rule.startswith("!") and re.search(r"deploy|tests|\.env", rule)]


@named(list(services()))
def test_compose_gives_a_service_no_more_than_it_needs(container: Container) -> None:
    spec = container.spec

    assert spec["read_only"] is True
    assert spec["cap_drop"] == ["ALL"]
    assert spec["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "network_mode", "pid", "ipc", "devices", "cap_add"} & spec.keys()
    assert "healthcheck" in spec
    for port in spec.get("ports", ()):
        assert port.startswith("127.0.0.1:")
    for volume in spec.get("volumes", ()):
        assert "docker.sock" not in str(volume)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_secret_stands_in_a_manifest(file: Path) -> None:
    text = file.read_text(encoding="utf-8")

    assert not SECRET.search(text)
