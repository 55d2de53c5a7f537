"""A worker as a process: /healthz, SIGTERM, and settings that are wrong."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from guardtier_workers.embedded import EmbeddedRedis
from processes import Processes
from waiting import until_sync


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def health(port: int, path: str = "/healthz") -> tuple[int, dict[str, object]] | None:
    """Status and body; None while nobody listens."""
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as response:
            return response.status, json.load(response)
    except HTTPError as error:
        with error:
            return error.code, json.load(error)
    except OSError:
        return None


@pytest.mark.parametrize("kind", ["analyzer", "policy", "steward"])
def test_it_is_healthy_and_ends_on_sigterm(
    kind: str, own_server: EmbeddedRedis, processes: Processes
) -> None:
    port = free_port()
    worker = processes.worker(kind, own_server.url, "--health-port", str(port))

    status, body = until_sync(lambda: (found := health(port)) and found[0] == 200 and found, 30.0)
    assert (status, body["ok"], body["kind"]) == (200, True, kind)
    assert health(port, "/secrets") == (404, {"error": "there is /healthz, and nothing else"})

    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0


def test_a_steward_without_redis_is_not_healthy_and_comes_back(
    own_server: EmbeddedRedis, processes: Processes
) -> None:
    port = free_port()
    worker = processes.worker("steward", own_server.url, "--health-port", str(port))
    until_sync(lambda: (found := health(port)) and found[0] == 200, 30.0)

    own_server.kill()
    until_sync(lambda: (found := health(port)) and found[0] == 503, 30.0)
    own_server.start()
    until_sync(lambda: (found := health(port)) and found[0] == 200, 30.0)

    assert worker.is_running()
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0


def test_wrong_settings_are_told_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("concurrency = 0\n")
    done = subprocess.run(
        [sys.executable, "-m", "guardtier_workers.worker", "policy", "--config", str(file)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.returncode == 2
    assert done.stderr.startswith("guardtier: concurrency: ")
    assert done.stderr.count("\n") == 1
