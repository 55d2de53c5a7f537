"""Adapters without their frameworks; with them, they have environments and tests of their own."""

from __future__ import annotations

import os
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from guardtier import GuardClient
from guardtier.blocking import BlockingGuardClient
from guardtier.errors import ConfigError
from guardtier.settings import Settings
from guardtier.settings_help import unknown_variables
from guardtier.store.replication import replicas_of

FIND_PYTHON = Path(__file__).parents[1] / "openhands" / "find-python"


def test_without_the_openhands_sdk_it_says_what_to_install() -> None:
    assert find_spec("openhands") is None or find_spec("openhands.sdk") is None

    with pytest.raises(ImportError, match=r"pip install 'guardtier\[openhands\]'"):
        import guardtier.adapters.openhands  # noqa: F401


def test_without_a_python_that_the_sdk_runs_on_it_says_how_to_get_one(tmp_path: Path) -> None:
    done = subprocess.run(
        ["/bin/sh", str(FIND_PYTHON)],
        env={"PATH": str(tmp_path), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert done.stdout == ""
    assert "pyenv install 3.12" in done.stderr


@pytest.mark.parametrize("said", ["", "one", "-1", "65", "1.5", "000099"])
def test_a_number_of_replicas_that_is_none_is_refused(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARDTIER_REPLICAS", said)

    for client in (GuardClient, BlockingGuardClient):
        with pytest.raises(ConfigError, match="GUARDTIER_REPLICAS") as refused:
            client("redis://127.0.0.1:1", fleet="web")
        assert refused.value.field == "replicas"
        with pytest.raises(ConfigError):
            client("redis://127.0.0.1:1", fleet="web", replicas=-1)


def test_the_settings_of_workers_leave_the_clients_variable_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARDTIER_REPLICAS", "2")

    assert "GUARDTIER_REPLICAS" not in unknown_variables(os.environ, Settings.model_fields)
    assert replicas_of(None) == 2
    assert replicas_of(0) == 0, "what a program says goes first"


async def test_every_client_finds_the_same_partition_for_a_name() -> None:
    clients = [GuardClient("redis://127.0.0.1:1", fleet="web", partitions=7) for _ in range(3)]

    assert len({client.partition_for("a conversation") for client in clients}) == 1
    for client in clients:
        await client.aclose()
