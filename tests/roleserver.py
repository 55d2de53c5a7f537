"""A redis-server that has loaded the roles of the tier; everybody's password is their name."""

from __future__ import annotations

import re
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from guardtier.store.roles import acl_file
from guardtier_workers.embedded import redis_servers
from guardtier_workers.supervisor import die_with_parent
from waiting import until_sync

PARTITIONS = 2
FLEETS = ("web", "ops")
END_SECONDS = 30


@dataclass(frozen=True)
class RoleServer:
    """The server, by its socket."""

    socket: Path

    def url(self, user: str) -> str:
        return f"unix://{user}:{user}@{self.socket}"


@contextmanager
def serving_roles(acl: str | None = None, keep: Path | None = None) -> Iterator[RoleServer]:
    """Roles need Redis 7.0: without one this fails, and says how to get it.

    ``keep``: where it keeps its data, as a deployed one does; the next one that is given it has them.
    """
    binary = next((path for path in redis_servers() if version_of(path) >= (7, 0)), None)
    assert binary is not None, "no redis-server of 7.0 or newer on PATH: apt-get install redis-server"
    with tempfile.TemporaryDirectory(prefix="gt-roles-") as folder:
        users, door = Path(folder) / "users.acl", Path(folder) / "s"
        users.write_text(acl or acl_file(PARTITIONS, FLEETS, hashed))
        command = [
            binary,
            "--port",
            "0",
            "--unixsocket",
            door,
            "--aclfile",
            users,
            "--save",
            "",
            "--dir",
            keep or folder,
            "--appendonly",
            "yes" if keep else "no",
        ]
        with (Path(folder) / "log").open("wb") as log:  # a pipe that nobody reads would hold it up
            process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent(),  # noqa: PLW1509 - safe: it only makes two calls
            )
        try:
            until_sync(lambda: _listens(door) or process.poll() is not None)
            assert process.poll() is None, Path(log.name).read_text(errors="replace")
            yield RoleServer(door)
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(END_SECONDS)
            process.kill()
            process.wait(END_SECONDS)


def _listens(path: Path) -> bool:
    """The file is there a moment before anybody is let in."""
    with socket.socket(socket.AF_UNIX) as trying:
        return trying.connect_ex(str(path)) == 0


def hashed(password: str) -> str:
    return sha256(password.encode()).hexdigest()


def version_of(path: Path) -> tuple[int, ...]:
    """As redis-server says it: (7, 0). (0,) where it does not."""
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"v=(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0,)
