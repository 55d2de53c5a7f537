"""Keyboard: what somebody at a terminal presses, writes, and makes of a text in an editor of their own."""

from __future__ import annotations

import os
import select
import shlex
import subprocess
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from tempfile import NamedTemporaryFile

from guardtier_workers.cli.exits import UsageError
from guardtier_workers.cli.output import say

EDITOR = "vi"
_MOST_BYTES = 1024  #: of one press, or of what was pasted


def check_terminal(hint: str) -> None:
    """Raises UsageError where nobody can be asked."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(f"this asks at a terminal, key by key; {hint}")


def key(prompt: str, *, seconds: float | None = None) -> str:
    """The next key alone, ``q`` where the terminal has gone; "" where none comes within ``seconds``.

    What was typed before it was asked for counts for nothing, since nobody had seen then what it would be
    about. Arrows and what is pasted come as several characters, of which none is a key: they are ``?``.
    """
    try:
        with _key_by_key(sys.stdin.fileno(), is_asked=bool(prompt)) as fd:
            print(prompt, end="", flush=True)
            if seconds is not None and not select.select([fd], [], [], seconds)[0]:
                return ""
            read = os.read(fd, _MOST_BYTES)
    except (OSError, termios.error):  # the line was cut
        return "q"
    print(flush=True)
    if read in (b"", b"\x04"):
        return "q"
    pressed = read.decode(errors="replace")
    return pressed[0] if pressed.rstrip("\r\n") == pressed[0] else "?"


@contextmanager
def _key_by_key(fd: int, *, is_asked: bool) -> Iterator[int]:
    """Keys come at once, and are not shown."""
    before = termios.tcgetattr(fd)
    tty.setcbreak(fd, termios.TCSAFLUSH if is_asked else termios.TCSADRAIN)
    try:
        yield fd
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


def line(prompt: str) -> str | None:
    """What somebody writes; None where they think better of it (Ctrl-C, Ctrl-D). Earlier lines: ↑."""
    with suppress(ImportError):  # without it, a line is edited as the terminal does
        import readline  # noqa: F401 - input() uses it
    try:
        return input(prompt).strip()
    except (KeyboardInterrupt, EOFError):
        say()
        return None


def edited(text: str, suffix: str) -> str:
    """The text as somebody leaves it in their editor, from a file that only they can read.

    Raises UsageError where there is none, or it fails.
    """
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or EDITOR
    with NamedTemporaryFile("w+", suffix=suffix, prefix="guardtier-", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        try:
            subprocess.run([*shlex.split(editor), file.name], check=True)
        except (OSError, ValueError, subprocess.CalledProcessError) as error:
            raise UsageError(f"the editor failed: {error}; EDITOR names another", field="editor") from error
        with open(file.name, encoding="utf-8", errors="surrogateescape") as left:
            return left.read()  # by its name: an editor may put another file there
