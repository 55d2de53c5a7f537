"""Postgres: a real server that the tests start themselves."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from guardtier_workers.supervisor import die_with_parent
from ports import free_port
from waiting import until_sync

POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))


def postgres_tools() -> Path:
    """The newest PostgreSQL here. Fails with the way to get one."""
    if POSTGRES:
        return POSTGRES[-1]
    found = shutil.which("pg_ctl")
    assert found, "no PostgreSQL on this machine: apt-get install postgresql (.ci/run does)"
    return Path(found).parent


def as_nobody(folder: Path) -> dict[str, Any]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    uid, gid = 65534, 65534
    os.chown(folder, uid, gid)
    return {"user": uid, "group": gid, "extra_groups": []}


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A database of this session's own, on loopback alone; it can't outlive the tests."""
    # Not below pytest's own folder, which each session that starts closes to all other users.
    tools, folder = postgres_tools(), Path(tempfile.mkdtemp(prefix="gt-pg-"))
    who, data = as_nobody(folder), folder / "data"
    made = [tools / "initdb", "-D", data, "-U", "audit", "-A", "trust", "-N", "-E", "UTF8", "--locale=C"]
    done = subprocess.run(made, check=False, capture_output=True, cwd=folder, timeout=120, **who)
    assert done.returncode == 0, done.stderr.decode()
    port = free_port()
    given = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
    options = [part for name, value in given.items() for part in ("-c", f"{name}={value}")]
    with (folder / "log").open("wb") as said:
        server = subprocess.Popen(
            [tools / "postgres", "-D", data, "-p", str(port), *options],
            cwd=folder,
            stdout=said,
            stderr=said,
            preexec_fn=die_with_parent(),  # noqa: PLW1509 - safe: it only makes two calls
            **who,
        )
    url = f"postgresql+psycopg://audit@127.0.0.1:{port}/postgres"
    try:
        until_sync(lambda: answers(url, server, folder / "log"), 60.0)
        yield url
    finally:
        server.send_signal(signal.SIGQUIT)
        server.wait(30)
        shutil.rmtree(folder)


def answers(url: str, server: subprocess.Popen[bytes], log: Path) -> bool:
    assert server.poll() is None, log.read_text()
    engine = sa.create_engine(url)
    try:
        engine.connect().close()
    except sa.exc.OperationalError:
        return False
    finally:
        engine.dispose()
    return True
