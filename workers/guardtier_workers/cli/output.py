"""Prints: tables and lines for people, JSON for programs. Everything goes through safe_text.

rich is imported when a table is printed, and no sooner: `check --jsonl` and the workers never load it.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from guardtier.action import ActionEvent
from guardtier_workers.cli.safe_text import json_text, safe
from guardtier_workers.headline import shortest_first

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

PROGRAM = "guardtier"
WIDE = 160  #: columns where the output is no terminal
NARROWEST = 20  #: columns that a terminal has at least

RISK_STYLES = {"LOW": "green", "MEDIUM": "yellow", "HIGH": "bold red", "UNKNOWN": "magenta"}
OUTCOME_STYLES = {
    "released": "green",
    "approved": "bold green",
    "redeemed": "bold green",
    "rejected": "bold red",
    "expired": "red",
    "parked": "yellow",
    "assessed": "cyan",
}


def as_typed() -> str:
    """This program as one can type it: by its path, where a shell would not find it (``make run``)."""
    called = Path(sys.argv[0])
    return str(called) if called.name == PROGRAM and not shutil.which(PROGRAM) else PROGRAM


class ReaderGone(Exception):
    """Whoever read what is printed has gone (``| head``). No OSError: it says nothing of Redis."""


def emit(value: Any) -> None:
    """One JSON document on a line of its own, at once. Raises ReaderGone."""
    _print(json_text(value), sys.stdout)


def say(line: str = "") -> None:
    """One line for people. The caller's own words and what agents wrote alike. Raises ReaderGone."""
    _print(safe(line), sys.stdout)


def say_within(line: str, indent: str) -> None:
    """The same for a line that quotes what an agent wrote: on a terminal it goes on behind ``indent``, so
    that no row of it looks like a line of ours. Raises ReaderGone.
    """
    shown = safe(line)
    if not sys.stdout.isatty():
        _print(shown, sys.stdout)
        return
    width = terminal_width()
    first = broken(shown, width)[0]
    _print(first, sys.stdout)
    if rest := shown[len(first) :]:
        for row in broken(rest, width - len(indent)):
            _print(indent + row, sys.stdout)


def terminal_width() -> int:
    """Columns of the terminal that standard output is, whatever COLUMNS says of a wider one.

    A shell may have left it there from a window before, and make exports it; a row that is taken for
    shorter than it is goes on in the next one, where it may look like a line of ours.
    """
    told = shutil.get_terminal_size().columns  # COLUMNS, where it is set
    try:
        own = os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError):
        own = 0
    return max(NARROWEST, min(told, own or told))


def broken(line: str, width: int) -> list[str]:
    """The rows of a line, none wider than so many columns."""
    if line.isascii():
        return [line[at : at + width] for at in range(0, len(line), width)] or [""]
    from rich.cells import chop_cells

    return chop_cells(line, width) or [""]


def note(line: str) -> None:
    """A line beside the result, on standard error. Raises ReaderGone."""
    _print(safe(line), sys.stderr)


def _print(line: str, file: TextIO) -> None:
    try:
        print(line, file=file, flush=True)
    except BrokenPipeError as error:
        raise ReaderGone from error


def console() -> Console:
    from rich.console import Console

    width = terminal_width() if sys.stdout.isatty() else WIDE
    return Console(markup=False, emoji=False, highlight=False, width=width)


def cell(value: object, style: str = "") -> Text:
    """Untrusted text as rich takes it: no markup, nothing hidden."""
    from rich.text import Text

    return Text(safe(value), style=style)


def risk_cell(risk: str) -> Text:
    return cell(risk, RISK_STYLES.get(risk, ""))


def table(headings: Sequence[str], *, wraps: Iterable[str] = (), right: Iterable[str] = ()) -> Table:
    """An empty table. Columns keep their width, but for those in ``wraps``."""
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for heading in headings:
        made.add_column(
            heading,
            no_wrap=heading not in wraps,
            overflow="ellipsis" if heading not in wraps else "fold",
            justify="right" if heading in right else "left",
        )
    return made


def call_text(action: ActionEvent) -> str:
    """What an action would run, as one text: its command, or its arguments as JSON, short ones first."""
    command = action.arguments.get("command")
    if isinstance(command, str) and len(action.arguments) == 1:
        return command
    return json_text(shortest_first(action.arguments))


def local_time(milliseconds: int) -> str:
    """A moment by this machine's clock and zone: ``2026-11-22 10:31:07 CET``."""
    return datetime.fromtimestamp(milliseconds / 1000).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def span_text(milliseconds: float) -> str:
    """A time in the two units that matter: ``4.2s``, ``3m10s``, ``2h05m``."""
    seconds = max(milliseconds, 0) / 1000
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02d}s"
    return f"{minutes // 60}h{minutes % 60:02d}m"
