"""Carriage returns: a text that has some is read as each of those would take it who may run it."""

from __future__ import annotations

import re

#: What stands for a carriage return that is a character like others. No text of a shell has it.
SIGN = "\u240d"

_LONE = re.compile(r"\r(?!\n|\Z)")
_ESCAPED = re.compile(r"\\\r(?=\n)")
_BARE_END = re.compile(r"(?<!\r)\n")


def readings(text: str) -> tuple[str, ...]:
    """The texts to be read for this one, all of its length.

    To bash a carriage return is a character of a word: one before ``#`` leaves no comment, behind a
    backslash the line ends nevertheless, behind ``E`` it does not end the body of ``<<E``. To a terminal
    it ends a line, and who makes line ends of CR LF beforehand runs another text. Where a line merely
    ends in one (the parser skips it there) these differ in nothing that runs.
    """
    if "\r" not in text:
        return (text,)
    lines = _LONE.sub("\n", text)
    if "<<" in text and _BARE_END.search(text):  # which lines are the delimiter depends on it
        return lines, text.replace("\r", SIGN)
    bash = _ESCAPED.sub("\\\\" + SIGN, _LONE.sub(SIGN, text))
    return (lines,) if lines == bash else (lines, bash)
