"""Logs: one line a record, whatever an agent wrote into what it quotes."""

from __future__ import annotations

import logging
from typing import Any

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class SafeFormatter(logging.Formatter):
    """Records quote what others sent (an id, the name of a field). What can't be printed is spelled out:
    nobody makes a line of their own, rewrites one, or tells the terminal anything. A traceback is indented.
    """

    def __init__(self) -> None:
        super().__init__(FORMAT)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own
        return spelled(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802
        return "\n".join(f"    {spelled(line)}" for line in super().formatException(ei).split("\n"))


def log_to_stderr(formatter: logging.Formatter | None = None, level: int | str = logging.INFO) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(formatter or SafeFormatter())
    logging.basicConfig(level=level, handlers=[handler])


def spelled(text: str) -> str:
    """The text with escapes (``\\x1b``, ``\\n``, ``\\u202e``) for what can't be printed."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text
    )
