"""Screen: a command at a real terminal (a pty of its own), read and typed at as somebody would."""

from __future__ import annotations

import fcntl
import pty
import re
import select
import subprocess
import termios
from collections.abc import Iterator
from contextlib import closing, contextmanager
from time import monotonic

from cli.conftest import GUARDTIER, Terminal
from processes import killed_at_end

READ_SECONDS = 90.0
#: What readline and a pager say to the terminal itself.
_TERMINAL = re.compile(r"\x1b\[\?[0-9;]*[a-z]")


class Screen:
    """What stands on it, and what is typed."""

    process: subprocess.Popen[bytes]

    def __init__(self, ours: int) -> None:
        self._ours = open(ours, "r+b", buffering=0)  # noqa: SIM115 - closed by close()
        self._unread = ""

    def close(self) -> None:
        self._ours.close()

    def sees(self, words: str) -> str:
        """Everything up to these words, since what was read before."""
        deadline = monotonic() + READ_SECONDS
        while words not in self._unread:
            left = deadline - monotonic()
            assert left > 0, f"no {words!r} on the screen: {self._unread!r}"
            assert self._more(left), f"it ended without {words!r}: {self._unread!r}"
        end = self._unread.index(words) + len(words)
        seen, self._unread = self._unread[:end], self._unread[end:]
        return seen

    def types(self, keys: str) -> None:
        self._ours.write(keys.encode())

    def hangs_up(self) -> None:
        """The connection is lost; whatever ran there ends by itself."""
        self._ours.close()
        self.process.wait(READ_SECONDS)

    def ends(self) -> tuple[int, str]:
        """Its exit code, and what it said to its end."""
        deadline = monotonic() + READ_SECONDS
        while self._more(max(0.0, deadline - monotonic())):
            pass
        return self.process.wait(READ_SECONDS), self._unread

    def _more(self, seconds: float) -> bool:
        if not select.select([self._ours], [], [], seconds)[0]:
            return False
        try:
            read = self._ours.read(65536)
        except OSError:  # nobody has it open any more
            return False
        self._unread += _TERMINAL.sub("", read.decode(errors="replace")).replace("\r\n", "\n")
        return bool(read)


@contextmanager
def screen(cli: Terminal, *command: str, columns: int = 80, **env: str) -> Iterator[Screen]:
    """A command that runs at a terminal of its own, until the block ends."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    with closing(Screen(ours)) as made:
        with open(theirs, "rb", buffering=0):
            made.process = subprocess.Popen(
                [*GUARDTIER, *command],
                env=cli.env | {"TERM": "xterm", "PAGER": "cat", "NO_COLOR": "1", "COLUMNS": "200"} | env,
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
                start_new_session=True,
                preexec_fn=_has_it,  # noqa: PLW1509 - it makes one call
            )
        with killed_at_end(made.process, 2 * READ_SECONDS):
            yield made


def _has_it() -> None:
    """Ctrl-C is a signal to whoever the terminal belongs to."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
