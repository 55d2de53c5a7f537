"""What code does to paths, addresses and the shell, in the terms of the programs' effects."""

from __future__ import annotations

from guardtier.analyzers.effects.rate import Rated, rated, risk_of, target_of
from guardtier.analyzers.shell import read
from guardtier.analyzers.shell_analyzer import rate_script
from guardtier.risk import SecurityRisk

_SECRET = frozenset(
    {"credentials", "browser", "history", "memory", "environ", "secrets", "auth", "accounts"}
)
_PRIVATE = frozenset({"personal", "home", "credentials", "browser", "history", "mail"})
_EVERYTHING = frozenset({"root", "home", "personal", "toplevel"})
#: What deleting a directory with all that is in it makes worse: the directory is the whole of it.
_CHANGES = ("write", "delete", "permissions")


def harm_of(effect: str, text: str, language: str) -> Rated:
    """What the effect comes to where this path or address leads."""
    place = target_of(effect, text, "")
    found = rated(effect, place, text, (0, 0), risk_of(effect, place.name))
    return found._replace(id=f"{language}.{found.id.partition('.')[2]}")


def risk_at(effect: str, text: str) -> SecurityRisk:
    return risk_of(effect, target_of(effect, text, "").name)


def is_secret(path: str) -> bool:
    """Whether what stands there is worth stealing."""
    return target_of("read", path, "").name in _SECRET


def is_private(path: str) -> bool:
    """Whether what is there is a person's own: a home, what is in it, keys, a browser's profile."""
    return target_of("read", path, "").name in _PRIVATE


def is_everything(path: str) -> bool:
    """Whether what is below is all of the machine, or of a person's files."""
    return target_of("read", path, "").name in _EVERYTHING


def is_ordinary(path: str) -> bool:
    """Whether nothing that is done to it is worse than MEDIUM, and reading it is LOW."""
    place = target_of("read", path, "").name
    return risk_of("read", place) is SecurityRisk.LOW and all(
        risk_of(effect, place) is not SecurityRisk.HIGH for effect in _CHANGES
    )


def is_local(address: str) -> bool:
    return target_of("send", address, "").name in {"local", "nothing"}


def shell_findings(command: str) -> list[Rated]:
    """What a command line that code hands to the shell comes to."""
    return rate_script(read(command), command)
