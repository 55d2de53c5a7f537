"""The ACL of Redis: how the commands that a role has on some kinds of keys become a line of its file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from guardtier.store.keys import (
    ANALYZERS,
    ARQ_PATTERNS,
    ARQ_QUEUE,
    HISTORY_KEY,
    POLICIES,
    TIER,
    GrantKeys,
    HistoryKeys,
    Keys,
    QuotaKeys,
    votes,
)

READ, WRITE, BOTH = "R", "W", ""


@dataclass(frozen=True, slots=True)
class Allow:
    """These commands, on these kinds of keys (see :func:`kinds`), or to these channels, and no other."""

    commands: str
    keys: str = ""
    how: str = BOTH
    channels: str = ""

    def rule(self, patterns: Mapping[str, tuple[str, ...]]) -> str:
        """As an ACL has it: ``+xadd %W~gt:{[0-9]}:audit``."""
        sign = f"%{self.how}~" if self.how else "~"
        keys = [sign + pattern for kind in self.keys.split() for pattern in patterns[kind]]
        channels = [f"&{pattern}" for kind in self.channels.split() for pattern in patterns[kind]]
        first = ["resetchannels"] if channels else []  # whatever the server gives to a new user
        return " ".join([*first, *(f"+{command}" for command in self.commands.split()), *keys, *channels])


@dataclass(frozen=True, slots=True)
class Role:
    """One kind of credential. ``plain`` are commands without keys."""

    name: str
    does: str
    plain: str
    allows: tuple[Allow, ...] = ()

    def rules(self, patterns: Mapping[str, tuple[str, ...]]) -> str:
        """All that the ACL says of it, but its name and its password."""
        plain = [f"+{command}" for command in self.plain.split()]
        own = [f"({one.rule(patterns)})" for one in self.allows]
        return " ".join(["on", "resetkeys", "resetchannels", "-@all", *plain, *own])


def acl_line(role: Role, partitions: int, password_hash: str = "") -> str:
    """The role's line of an ACL file, for so many partitions; without a password, nobody can log in as it.

    ``password_hash``: SHA-256 of the password, 64 hex digits.
    """
    hashed = f" #{password_hash}" if password_hash else ""
    return f"user {role.name} {role.rules(_Patterns(partitions))}{hashed}"


def kinds(glob: str) -> dict[str, str]:
    """Every kind of key with a pattern for it; ``glob`` stands for a partition's number."""
    keys, histories, grants = Keys(0, glob=glob), HistoryKeys("*"), GrantKeys("*")
    return {
        "tier": TIER,
        "assessed": keys.assessed,
        "answers": keys.answers,
        "parked": keys.parked,
        "audit": keys.audit,
        "chain": keys.chain,
        "exported": keys.exported,
        "dead": keys.dead,
        "fleets": keys.fleets,
        "strays": keys.strays,
        "policies": keys.policies,
        "halts": keys.halts,
        "outbox": keys.outbox,
        "edits": keys.edits,
        "action": keys.action("*"),
        "block": keys.block("*"),
        "asked": keys.asked("*"),
        "lifted": keys.lifted("*"),
        "policytext": keys.policy_text("*"),
        "pace": keys.pace("*", "*"),
        "actions": keys.actions("*"),
        "open": keys.open("*", "*"),
        "reply": keys.reply("*", "*"),
        "listings": keys.listings("*"),
        "told": keys.told("*"),
        "shown": keys.shown("*"),
        "analyzers": keys.alive(ANALYZERS, "*"),
        "deciders": keys.alive(POLICIES, "*"),
        "history": histories.history("*"),
        "entries": histories.entries("*"),
        "found": histories.found("*"),
        "past": histories.agent("*"),
        "seen": histories.seen,
        "grants": grants.grants,
        "uses": grants.uses("*"),
        "turned": keys.turned("*"),
        "quota": QuotaKeys("*").quota,
        "quotas": QuotaKeys("*").of_agent("*"),
        "polls": QuotaKeys("*", polls=True).quota,
        "polls_of": QuotaKeys("*", polls=True).of_agent("*"),
        "fingerprint": HISTORY_KEY,
        "votes": votes("*"),
        "arq": ARQ_QUEUE,
    }


def channels(glob: str) -> dict[str, str]:
    """Every kind of channel, likewise."""
    return {"replicated": Keys(0, glob=glob).replicated}


class _Patterns(dict[str, tuple[str, ...]]):
    """The patterns of a kind. ``actions:web`` is what of that kind is fleet web's alone."""

    def __init__(self, partitions: int) -> None:
        super().__init__()
        self._globs = list(_numbers_below(partitions))

    def __missing__(self, kind: str) -> tuple[str, ...]:
        if kind == "arq":
            found: tuple[str, ...] = ARQ_PATTERNS
        else:
            name, _, fleet = kind.partition(":")
            each = [
                _of_fleet(name, fleet, glob) if fleet else (kinds(glob) | channels(glob))[name]
                for glob in self._globs
            ]
            found = tuple(dict.fromkeys(each))
        self[kind] = found
        return found


def _of_fleet(kind: str, fleet: str, glob: str) -> str:
    keys = Keys(0, glob=glob)
    return keys.actions(fleet) if kind == "actions" else keys.reply(fleet, "*")


def _numbers_below(partitions: int) -> Iterator[str]:
    """Patterns for the numbers of partitions, and for no other: what is added to the streams of one that
    nobody serves would stay there.

    Nor ``*``: the name of an agent may be such that ``gt:{0}:open:web:…`` ends as somebody else's key.
    """
    last = str(max(partitions - 1, 0))
    for digits in range(1, len(last)):
        yield (_among("1", "9") if digits > 1 else _among("0", "9")) + _among("0", "9") * (digits - 1)
    for at, digit in enumerate(last):  # the longest: up to the last one, digit by digit
        least = "1" if at == 0 and len(last) > 1 else "0"
        most = digit if at == len(last) - 1 else chr(ord(digit) - 1)
        if least <= most:
            yield last[:at] + _among(least, most) + _among("0", "9") * (len(last) - at - 1)


def _among(least: str, most: str) -> str:
    return least if least == most else f"[{least}-{most}]"
