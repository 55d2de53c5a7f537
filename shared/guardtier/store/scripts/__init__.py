"""The Lua scripts: each file one rule, with the shared prelude before it, named by its file."""

from __future__ import annotations

from functools import cache
from hashlib import sha1
from importlib.resources import files
from typing import NamedTuple


class Script(NamedTuple):
    """A script as Redis knows it: called by ``sha``, loaded from ``source``."""

    name: str
    source: str
    sha: str


@cache
def script(name: str) -> Script:
    """The script in ``<name>.lua``."""
    folder = files(__package__)
    source = "\n".join((folder / f"{part}.lua").read_text(encoding="utf-8") for part in ("prelude", name))
    return Script(name, source, sha1(source.encode(), usedforsecurity=False).hexdigest())
