"""The Lua scripts: each file one rule, with what it shares with others before it, named by its file."""

from __future__ import annotations

import re
from functools import cache
from hashlib import sha1
from importlib.resources import files
from typing import NamedTuple

#: A call of it, not a word in a comment.
_AUDIT = re.compile(r"^[^\n-]*\baudit\(", re.MULTILINE)


class Script(NamedTuple):
    """A script as Redis knows it: called by ``sha``, loaded from ``source``.

    One that ``audits`` takes the partition's chain as the last of its keys (audit.lua).
    """

    name: str
    source: str
    sha: str
    audits: bool


@cache
def script(name: str) -> Script:
    """The script in ``<name>.lua``."""
    rule = _text(name)
    audits = _AUDIT.search(rule) is not None
    parts = [_text("prelude"), *([_text("audit")] if audits else []), rule]
    source = "\n".join(parts)
    found = Script(name, source, sha1(source.encode(), usedforsecurity=False).hexdigest(), audits)
    _BY_SHA[found.sha] = source
    return found


def source_of(sha: str) -> str | None:
    """The source of a script that was called by name before; None where it is none of ours."""
    return _BY_SHA.get(sha)


_BY_SHA: dict[str, str] = {}


def _text(name: str) -> str:
    return (files(__package__) / f"{name}.lua").read_text(encoding="utf-8")
