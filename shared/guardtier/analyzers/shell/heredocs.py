"""Here-documents: where the bodies stand that a line announces."""

from __future__ import annotations

import re

from guardtier.analyzers.shell.syntax import RawRedirect

_QUOTES = re.compile(r"\\(.)|['\"]")


def place(redirect: RawRedirect, text: str, newline: int, end: int) -> tuple[int, bool]:
    """Find the body that starts after ``newline``: where its delimiter ends, and whether there is one."""
    target = redirect.target
    if target is None:
        return newline, False
    written = text[target.start : target.end].replace("\\\n", "")
    delimiter = _QUOTES.sub(r"\1", written)
    redirect.verbatim = delimiter != written
    redirect.body_start = min(newline + 1, end)
    find = body_end if redirect.verbatim or "\\\n" not in text else joined_end
    redirect.body_end, stop = find(text, redirect.body_start, end, delimiter, tabs=redirect.op == "<<-")
    return (stop, True) if stop >= 0 else (end, False)


def body_end(text: str, pos: int, end: int, delimiter: str, *, tabs: bool) -> tuple[int, int]:
    """Where a body that starts at ``pos`` ends, and where its delimiter does; -1 where there is none."""
    wanted = delimiter if tabs else "\n" + delimiter  # after tabs it may stand anywhere
    at = text.find(wanted, pos if tabs else pos - 1, end)
    while at >= 0:
        start = at - _tabs_before(text, pos, at) if tabs else at + 1
        stop = at + len(wanted)
        if (start == pos or text[start - 1] == "\n") and (stop >= end or text[stop] in "\r\n"):
            return start, stop
        at = text.find(wanted, at + 1, end)
    return end, -1


def joined_end(text: str, pos: int, end: int, delimiter: str, *, tabs: bool) -> tuple[int, int]:
    """As :func:`body_end` where a backslash at the end of a line joins it with the next one."""
    while pos < end:
        at, pieces = pos, []
        while True:
            newline = text.find("\n", at, end)
            piece = text[at : newline if newline >= 0 else end]
            if newline < 0 or (len(piece) - len(piece.rstrip("\\"))) % 2 == 0:
                break
            pieces.append(piece[:-1])
            at = newline + 1
        line = "".join([*pieces, piece])
        if (line.lstrip("\t") if tabs else line).removesuffix("\r") == delimiter:
            return pos, at + len(piece.removesuffix("\r"))
        if newline < 0:
            break
        pos = newline + 1
    return end, -1


def _tabs_before(text: str, low: int, at: int) -> int:
    start = at
    while start > low and text[start - 1] == "\t":
        start -= 1
    return at - start
