"""Servers: redis-server processes of every role, started bare, to be killed, frozen, filled and parted.

``EmbeddedRedis`` is the one that we ship; these are what an operator may run beside the tier.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import psutil
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from guardtier_workers.supervisor import die_with_parent
from ports import free_port
from waiting import until_sync

PASSWORD = "of-the-tests"
START_SECONDS = 30.0
MISSING = "these tests need redis-server 7.0 or newer on PATH: apt-get install redis-server"


class Server:
    """One redis-server on loopback; its files stay in ``folder`` across restarts.

    ``lines`` are of redis.conf. ``under``: what it is run under (strace). SIGXFSZ is ignored, so that a
    limit on the size of files is to it what a full disk is: a write that fails.
    """

    def __init__(
        self,
        folder: Path,
        *lines: str,
        port: int | None = None,
        sentinel: bool = False,
        under: Sequence[str] = (),
    ) -> None:
        binary = shutil.which("redis-server")
        assert binary is not None, MISSING
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = port or free_port()
        self._argv = [*under, binary, str(folder / "redis.conf"), *(["--sentinel"] if sentinel else [])]
        self._under = bool(under)
        self._process: subprocess.Popen[bytes] | None = None
        text = (f"port {self.port}", "bind 127.0.0.1", f"dir {folder}", f"requirepass {PASSWORD}", *lines)
        (folder / "redis.conf").write_text("\n".join(text) + "\n")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def url(self) -> str:
        return f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"

    @property
    def at(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def process(self) -> psutil.Process:
        """redis-server itself, whatever it is run under."""
        assert self._process is not None
        own = psutil.Process(self._process.pid)
        return own.children()[0] if self._under else own

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, *, wait: bool = True) -> Self:
        """Start it; with ``wait``, return once it answers."""
        with (self.folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                restore_signals=False,  # Python ignores SIGXFSZ, and so does it then
                preexec_fn=die_with_parent(),  # noqa: PLW1509 - safe: it only makes two calls
            )
        if wait:
            until_sync(self.answers, START_SECONDS)
        return self

    def answers(self) -> bool:
        assert self.runs, (self.folder / "redis.log").read_text(errors="replace")[-2000:]
        with suppress(RedisError, OSError):
            return bool(self.ask("PING"))
        return False

    def ask(self, *command: Any, seconds: float = 5.0) -> Any:
        """One command over a connection of its own. Raises what it answers."""
        retry = Retry(NoBackoff(), 0)
        with Redis.from_url(self.url, socket_timeout=seconds, retry=retry) as redis:
            return redis.execute_command(*command)

    def info(self, section: str) -> dict[str, Any]:
        with Redis.from_url(self.url, socket_timeout=5.0) as redis:
            found: dict[str, Any] = redis.info(section)
            return found

    def pause(self) -> None:
        """Freeze it, as a machine that hangs: its port still takes connections."""
        self.process.suspend()

    def go_on(self) -> None:
        self.process.resume()

    def kill(self) -> None:
        """SIGKILL, to what runs it as well."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in good order (SIGTERM)."""
        self._end(signal.SIGTERM)

    def wait_ended(self) -> int:
        """Wait until it has ended by itself; returns its exit code."""
        assert self._process is not None
        return self._process.wait(START_SECONDS)

    def limit_files(self, size: int | None) -> None:
        """No file of its may grow beyond so many bytes from now on; None: no limit."""
        most = resource_infinity() if size is None else size
        self.process.rlimit(psutil.RLIMIT_FSIZE, (most, resource_infinity()))

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        with suppress(psutil.NoSuchProcess, IndexError, ProcessLookupError):
            os.kill(self.process.pid, how)
        if how is signal.SIGKILL and not self._under:
            self._process.kill()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(10.0)
        self._process.kill()
        self._process.wait()


def resource_infinity() -> int:
    return int(psutil.RLIM_INFINITY)


class Replicated:
    """A master, its replicas, and sentinels that watch over them."""

    SERVICE = "tier"

    def __init__(
        self,
        folder: Path,
        *,
        replicas: int = 1,
        sentinels: int = 3,
        down_ms: int = 1500,
        lines: Sequence[str] = (),
    ) -> None:
        self.sentinels: list[Server] = []
        common = (f"masterauth {PASSWORD}", "appendonly yes", "appendfsync always", 'save ""',
                  "repl-diskless-sync-delay 0", "repl-ping-replica-period 1", *lines)  # fmt: skip
        self.master = Server(folder / "master", *common)
        self.replicas = [
            Server(folder / f"replica-{n}", *common, f"replicaof 127.0.0.1 {self.master.port}")
            for n in range(replicas)
        ]
        for n in range(sentinels):
            self.sentinels.append(self._sentinel(folder / f"sentinel-{n}", sentinels, down_ms))

    def _sentinel(self, folder: Path, of: int, down_ms: int) -> Server:
        name = self.SERVICE
        lines = (
            f"sentinel monitor {name} 127.0.0.1 {self.master.port} {of // 2 + 1}",
            f"sentinel auth-pass {name} {PASSWORD}",
            f"sentinel down-after-milliseconds {name} {down_ms}",
            f"sentinel failover-timeout {name} 5000",
            f"sentinel sentinel-pass {PASSWORD}",
        )
        return Server(folder, *lines, sentinel=True)

    @property
    def servers(self) -> list[Server]:
        return [self.master, *self.replicas]

    @property
    def url(self) -> str:
        """As the tier is told: by its sentinels."""
        hosts = ",".join(one.at for one in self.sentinels)
        return f"redis+sentinel://:{PASSWORD}@{hosts}/{self.SERVICE}/0?sentinel_password={PASSWORD}"

    def __enter__(self) -> Self:
        try:
            self.master.start()
            for one in self.replicas:
                one.start()
            until_sync(self.in_step, START_SECONDS)
            for one in self.sentinels:
                one.start()
            until_sync(self._watched, START_SECONDS)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for one in (*self.sentinels, *self.servers):
            one.kill()

    def in_step(self) -> bool:
        """Whether every replica of the first master is online and has its data."""
        found = self.master.info("replication")
        return sum(isinstance(of, dict) and of.get("state") == "online" for of in found.values()) == len(
            self.replicas
        )

    def leader(self) -> Server | None:
        """The server that the sentinels call master, once it agrees; None while there is none."""
        with suppress(RedisError, OSError):
            _, port = self.sentinels[0].ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.SERVICE)
            for one in self.servers:
                if one.port == int(port) and one.runs and one.info("replication")["role"] == "master":
                    return one
        return None

    def _watched(self) -> bool:
        """Whether every sentinel knows of the others and of the replicas."""
        for one in self.sentinels:
            flat = one.ask("SENTINEL", "MASTER", self.SERVICE)
            state = flat if isinstance(flat, dict) else dict(zip(flat[::2], flat[1::2], strict=True))
            state = {_text(key): value for key, value in state.items()}
            if int(state["num-slaves"]) < len(self.replicas):
                return False
            if int(state["num-other-sentinels"]) < len(self.sentinels) - 1:
                return False
        return True


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
