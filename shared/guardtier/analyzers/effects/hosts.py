"""Where an address leads: a metadata service, this machine, a drop for files … (``data/hosts.toml``)."""

from __future__ import annotations

import re
import tomllib
from functools import cache, lru_cache
from importlib.resources import files
from ipaddress import ip_address

import re2
from pydantic import BaseModel, ConfigDict

from guardtier.analyzers.effects.pattern import Pattern
from guardtier.analyzers.effects.targets import UNKNOWN_PART, Place

_HOST = re.compile(
    r"(?:(?:[A-Za-z][\w+.-]{0,30}:)?//)?(?:[^/@\s?#]{0,256}@)?(\[[0-9A-Fa-f:.]{2,64}\]|[^/:?#\s]{1,255})"
)
EXTERNAL = Place("external", "a machine on the internet")


class _Host(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    words: str
    hosts: list[str]
    attack: str | None = None


@lru_cache(maxsize=2048)
def _remembered(address: str) -> Place:
    found = _HOST.match(address)
    host = _plain(found.group(1).lower().rstrip(".") if found else address.lower())
    for place, pattern in _hosts():
        if pattern.full(host):
            return place
    return Place("unknown_host", "an address that can't be told") if UNKNOWN_PART in host else EXTERNAL


_NUMBER = re.compile(r"0x[0-9a-f]{1,8}|\d{1,11}")
_BYTES = 4


def _plain(host: str) -> str:
    """An IP address as everybody writes it: ``0xa9fea9fe``, ``0251.254.43518``, ``[::ffff:a9fe:a9fe]``."""
    if host[:1] == "[":
        try:
            address = ip_address(host[1:-1])
        except ValueError:
            return host
        mapped = getattr(address, "ipv4_mapped", None)
        return str(mapped) if mapped is not None else f"[{address.compressed}]"
    parts = host.split(".")
    if not host[:1].isdigit() or len(parts) > _BYTES or not all(map(_NUMBER.fullmatch, parts)):
        return host
    *first, last = [_numeral(part) for part in parts]
    rest = _BYTES - len(first)
    if any(one > 0xFF for one in first) or last >= 1 << 8 * rest:
        return host
    return ".".join(map(str, (*first, *last.to_bytes(rest, "big"))))


def _numeral(part: str) -> int:
    if part[:2] == "0x":
        return int(part, 16)
    return int(part, 8) if part[0] == "0" and part.isdigit() and not {"8", "9"} & set(part) else int(part)


def host_of(address: str) -> Place:
    """The kind of machine that a URL, ``user@host:path`` or ``host:port`` names."""
    return _remembered(address[:600])  # a host name ends before that


@cache
def _hosts() -> list[tuple[Place, Pattern]]:
    text = files(__package__).joinpath("data/hosts.toml").read_text(encoding="utf-8")
    hosts = [_Host.model_validate(host) for host in tomllib.loads(text)["host"]]
    return [(Place(host.name, host.words, host.attack), Pattern(_regex(host.hosts))) for host in hosts]


def _regex(globs: list[str]) -> str:
    return "|".join(".*".join(re2.escape(p).replace(r"\?", ".") for p in glob.split("*")) for glob in globs)
