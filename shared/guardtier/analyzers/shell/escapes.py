"""Backslash escapes: ``$'…'``, ``echo -e`` and ``printf``."""

from __future__ import annotations

import re

_SIMPLE = {
    "a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    "\\": "\\", "'": "'", '"': '"', "?": "?",
}  # fmt: skip
_ESCAPE = re.compile(
    r"\\(?:x(?P<hex>[0-9a-fA-F]{1,2})|u(?P<u>[0-9a-fA-F]{1,4})|U(?P<U>[0-9a-fA-F]{1,8})"
    r"|(?P<octal>0?[0-7]{1,3})|c(?P<control>.)|(?P<simple>[abeEfnrtv\\'\"?]))",
    re.DOTALL,
)
_HIDING = re.compile(
    r"\\(?:x(?:2[dDeEfF]|3[0-9]|[46][1-9a-fA-F]|[57][0-9aA]|7[eE])|0?(?:05[567]|1[0-7][0-7]|06[0-9])|u00[2-7][0-9a-fA-F])"
)


def hides(text: str) -> bool:
    """True where an escape stands for a character that could just be typed: ``\\x72`` for ``r``."""
    return _HIDING.search(text) is not None


def unescaped(text: str) -> str:
    """With escapes resolved; an escape that means nothing stays as it is."""
    if "\\" not in text:
        return text
    return _ESCAPE.sub(_character, text)


def _character(match: re.Match[str]) -> str:
    kind = match.lastgroup or ""
    value = match[kind]
    if kind == "simple":
        return _SIMPLE[value]
    if kind == "octal":
        return chr(int(value, 8) & 0xFF)
    if kind == "control":
        return chr(ord(value) & 0x1F)
    code = int(value, 16)
    return chr(code) if code < 0x110000 else ""


_FORMAT = re.compile(r"%(?:%|[-+ #0]*\d*(?:\.\d+)?([a-zA-Z]))")


def formatted(template: str, args: list[str]) -> str | None:
    """What ``printf TEMPLATE ARGS`` prints; None where it can't be told."""
    fields = [kind for kind in _FORMAT.findall(template) if kind]
    template = unescaped(template)
    out: list[str] = []
    rest = list(args)
    for _ in range(10_000):
        out.append(_FORMAT.sub(lambda match: _field(match, rest), template))
        if not rest or not fields:
            return "".join(out)
    return None


def _field(match: re.Match[str], rest: list[str]) -> str:
    if match[0] == "%%":
        return "%"
    value = rest.pop(0) if rest else ""
    if match[1] == "b":
        return unescaped(value)
    if match[1] == "c":
        return value[:1]
    return value
