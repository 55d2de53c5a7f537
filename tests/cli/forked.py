"""Commands as processes that are forked from one which has everything imported: 20 ms instead of 600 each.

``python -m guardtier_workers.cli`` is what a terminal starts; tests that look at processes do so too. For
the hundreds that look at what a command says, the imports would be most of the work.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from threading import Lock
from typing import IO, Any

_LENGTH = struct.Struct("!I")
END_SECONDS = 30
_FDS = 4  #: standard input, output, error, and where its end is told


class Forker:
    """The process that forks; it ends when this one does. Calls may come from several threads."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair()
        self._lock = Lock()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, str(Path(__file__)), str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )

    def run(
        self, args: Sequence[str], *, env: Mapping[str, str], stdin: bytes, timeout: float
    ) -> subprocess.CompletedProcess[bytes]:
        """As ``subprocess.run`` with its output captured, in this folder. Raises TimeoutExpired."""
        asked = json.dumps({"args": list(args), "env": dict(env), "cwd": os.getcwd()}).encode()
        with TemporaryFile() as given, TemporaryFile() as out, TemporaryFile() as err:
            given.write(stdin)
            given.seek(0)
            told, tells = os.pipe()
            with open(told, "rb", buffering=0) as end:
                with self._lock:
                    fds = [given.fileno(), out.fileno(), err.fileno(), tells]
                    socket.send_fds(self._socket, [_LENGTH.pack(len(asked))], fds)
                    self._socket.sendall(asked)
                os.close(tells)
                if not _tells(end, timeout):
                    raise subprocess.TimeoutExpired(["fork"], timeout)
                pid = int(end.readline())
                if not _tells(end, timeout):
                    os.kill(pid, signal.SIGKILL)
                    raise subprocess.TimeoutExpired(list(args), timeout)
                code = int(end.readline())
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(list(args), code, out.read(), err.read())

    def close(self) -> None:
        self._socket.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(END_SECONDS)
        self._process.kill()
        self._process.wait(END_SECONDS)


def _tells(end: IO[bytes], seconds: float) -> bool:
    return bool(select.select([end], [], [], seconds)[0])


def _serve(channel: socket.socket) -> list[str]:
    """Forks for each request until the channel ends. In the forked process: returns its arguments."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # reaped by the system
    while True:
        head, fds, _, _ = socket.recv_fds(channel, _LENGTH.size, _FDS)
        if not head:
            sys.exit(0)
        asked = json.loads(_whole(channel, _LENGTH.unpack(head)[0]))
        if os.fork() == 0:
            channel.close()
            return _became(asked, fds)
        for fd in fds:
            os.close(fd)


def _became(asked: Mapping[str, Any], fds: Sequence[int]) -> list[str]:
    """In a process that waits for another, and tells its end; that other one returns."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if pid := os.fork():
        for fd in fds[:3]:
            os.close(fd)
        os.write(fds[3], b"%d\n" % pid)
        _, status = os.waitpid(pid, 0)
        os.write(fds[3], b"%d\n" % os.waitstatus_to_exitcode(status))
        os._exit(0)
    for number, fd in enumerate(fds[:3]):
        os.dup2(fd, number)
    for fd in fds:
        os.close(fd)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    time.tzset()
    return list(asked["args"])


def _whole(channel: socket.socket, length: int) -> bytes:
    found = b""
    while len(found) < length:
        part = channel.recv(length - len(found))
        if not part:
            sys.exit(0)
        found += part
    return found


def _import_all() -> None:
    from guardtier_workers.cli.app import COMMANDS, FAMILIES

    for where in [
        *COMMANDS.values(),
        *(where for _, family in FAMILIES.values() for where in family.values()),
    ]:
        importlib.import_module(f"guardtier_workers.cli.{where.partition('.')[0]}")


def _run(args: list[str]) -> None:
    """The command, and the end of this process, without taking apart all that was imported."""
    from guardtier_workers.cli.entry import run

    code = int(run(args))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    _import_all()
    gc.freeze()  # a collection would touch, and so copy, every page
    _run(_serve(socket.socket(fileno=int(sys.argv[1]))))
