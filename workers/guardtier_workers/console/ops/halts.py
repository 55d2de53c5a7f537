"""Halts: what is halted, each once for all partitions in which it stands."""

from __future__ import annotations

from dataclasses import dataclass

from guardtier.approver_halts import digest_of_halt, scope_of
from guardtier.policy.halts import Halt, Scope, read_halt
from guardtier.store.connection import AnyRedis
from guardtier.store.keys import all_keys

NONE = digest_of_halt(b"")  #: of a partition in which it does not stand


@dataclass(frozen=True, slots=True)
class StandingHalt:
    """``halt`` as it stands in the first partition that has it; ``lifts``: what to resume it takes.

    ``differs``: in another partition what is new is not treated as ``halt.then`` says. Of two who halt the
    same at the same moment, each may be the last in another partition.
    """

    scope: Scope
    halt: Halt
    lifts: tuple[str, ...]
    differs: bool = False

    @property
    def stands_in(self) -> int:
        """In how many partitions."""
        return sum(digest != NONE for digest in self.lifts)


async def halts_standing(redis: AnyRedis, partitions: int) -> list[StandingHalt]:
    """All of them, by fleet, agent and conversation. Scripts let 10,000 stand in a partition."""
    scopes: dict[str, tuple[Scope, Halt]] = {}
    digests: dict[str, list[str]] = {}
    differing: set[str] = set()
    for keys in all_keys(partitions):
        for key, raw in (await redis.hgetall(keys.halts)).items():  # type: ignore[misc]
            scope, halt = scope_of(key), read_halt(raw)
            if scope is not None and halt is not None:
                _, first = scopes.setdefault(scope.key, (scope, halt))
                if first.then != halt.then:
                    differing.add(scope.key)
                digests.setdefault(scope.key, [NONE] * partitions)[keys.partition] = digest_of_halt(raw)
    return [StandingHalt(*scopes[key], tuple(digests[key]), key in differing) for key in sorted(scopes)]
