"""A worker as a process: /healthz, SIGTERM, and settings that are wrong."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from guardtier_workers.embedded import EmbeddedRedis
from ports import free_port
from probing import health
from processes import Processes
from roleserver import serving_roles
from waiting import until_sync

END_SECONDS = 90.0
CLOCK = Path(__file__).parents[1] / "chaos" / "clock"


@pytest.mark.parametrize("kind", ["analyzer", "policy", "steward"])
def test_it_is_healthy_and_ends_on_sigterm(
    kind: str, own_server: EmbeddedRedis, processes: Processes
) -> None:
    port = free_port()
    worker = processes.worker(kind, own_server.url, "--health-port", str(port))

    status, body = until_sync(lambda: (found := health(port)) and found[0] == 200 and found, END_SECONDS)
    assert (status, body["ok"], body["kind"]) == (200, True, kind)
    assert health(port, "/secrets") == (404, {"error": "there is /healthz and /livez, and nothing else"})

    worker.send_signal(signal.SIGTERM)
    assert worker.wait(END_SECONDS) == 0


@pytest.mark.parametrize("offset", [3600, -3600])
def test_a_worker_whose_clock_is_off_says_so(
    offset: int, own_server: EmbeddedRedis, processes: Processes
) -> None:
    port = free_port()
    env = {"PYTHONPATH": str(CLOCK), "CHAOS_CLOCK": str(offset)}
    processes.worker("policy", own_server.url, "--health-port", str(port), **env)

    def told() -> tuple[int, dict[str, object]] | None:
        found = health(port)
        return found if found and found[1].get("clock_ahead_seconds") else None

    status, body = until_sync(told, END_SECONDS)

    assert status == 503
    assert body["clock_ahead_seconds"] == pytest.approx(offset, abs=5)


def test_a_steward_without_redis_is_not_healthy_and_comes_back(
    own_server: EmbeddedRedis, processes: Processes
) -> None:
    port = free_port()
    worker = processes.worker("steward", own_server.url, "--health-port", str(port))
    until_sync(lambda: (found := health(port)) and found[0] == 200, END_SECONDS)

    own_server.kill()
    until_sync(lambda: (found := health(port)) and found[0] == 503, END_SECONDS)
    assert health(port, "/livez") == (200, {"ok": True})  # so that no orchestrator restarts it in vain
    own_server.start()
    until_sync(lambda: (found := health(port)) and found[0] == 200, END_SECONDS)

    assert worker.is_running()
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(END_SECONDS) == 0


def test_wrong_settings_are_told_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("concurrency = 0\n")
    done = subprocess.run(
        [sys.executable, "-m", "guardtier_workers.worker", "policy", "--config", str(file)],
        capture_output=True,
        text=True,
        timeout=END_SECONDS,
        check=False,
    )

    assert done.returncode == 2
    assert done.stderr.startswith("guardtier: concurrency: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("kind", ["analyzer", "steward"])
def test_a_role_that_does_not_do_is_told_in_the_last_line(kind: str) -> None:
    """As one that was made for fewer partitions, or by an older version."""
    with serving_roles() as server:
        url = server.url("agent-web")
        done = subprocess.run(
            [sys.executable, "-m", "guardtier_workers.worker", kind, "--redis-url", url],
            capture_output=True,
            text=True,
            timeout=END_SECONDS,
            check=False,
        )

    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"guardtier: Redis refuses something to this {kind} worker's credential")
