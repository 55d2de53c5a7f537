"""Kept grants: remembered approvals in Redis, each fleet's in a slot of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from guardtier.store.keys import GrantKeys
from guardtier.store.pipe import CommandPipe

MAX_GRANTS = 1_000  #: of one fleet; those that are over make room, else no more are kept
REVOKED_MS = 30 * 24 * 3600 * 1000  #: how long a revoked one stays known where its end can't be read

_VERSION = b"*"  #: the field that changes with each change of the others


@dataclass(frozen=True, slots=True)
class Kept:
    """A fleet's grants as they are kept. ``revoked`` are still known, and release nothing."""

    version: bytes
    grants: dict[str, bytes]  #: id → JSON
    revoked: tuple[str, ...] = ()


class KeptGrants:
    """The grants of every fleet, through one pipe. Raises TierUnavailable where Redis refuses."""

    def __init__(self, pipe: CommandPipe) -> None:
        self._pipe = pipe

    async def version(self, fleet: str) -> bytes:
        """What changes whenever a grant is given or revoked; b"" where there are none."""
        return bytes(await self._pipe.execute("HGET", GrantKeys(fleet).grants, _VERSION) or b"")

    async def of(self, fleet: str) -> Kept:
        """Every grant of a fleet, also those that are over and have not made room yet."""
        found = await self._pipe.execute("HGETALL", GrantKeys(fleet).grants)
        pairs = found if isinstance(found, dict) else dict(zip(found[::2], found[1::2], strict=True))
        version = pairs.pop(_VERSION, b"")
        revoked = tuple(name.decode() for name, raw in pairs.items() if raw.startswith(b"-"))
        grants = {name.decode(): raw for name, raw in pairs.items() if not raw.startswith(b"-")}
        return Kept(version, grants, revoked)

    async def keep(self, fleet: str, grant: str, body: bytes, *, expires_at: int) -> str:
        """Keep a grant: ``granted``, ``known`` (kept before), ``revoked``, ``expired`` or ``full``."""
        keys, args = [GrantKeys(fleet).grants], [grant, body, expires_at, MAX_GRANTS]
        return _text((await self._pipe.script("grant", keys, args))[0])

    async def use(self, fleet: str, grants: Sequence[str], use: str) -> tuple[str, str]:
        """Count this use (an action's id, and its entry on the assessed stream): ``used``; where one of the
        grants can't be, none is: ``gone``, ``expired`` or ``exhausted``, and which.
        """
        keys = GrantKeys(fleet)
        what, which = await self._pipe.script(
            "use_grant", [keys.grants, *map(keys.uses, grants)], [use, *grants]
        )
        return _text(what), _text(which)

    async def uses(self, fleet: str, grants: Sequence[str]) -> dict[str, int]:
        """How many actions each of them has released."""
        keys = GrantKeys(fleet)
        waiting = [self._pipe.post("SCARD", keys.uses(grant)) for grant in grants]
        return {grant: int(await reply) for grant, reply in zip(grants, waiting, strict=True)}

    async def revoke(self, fleet: str, grant: str, request: str) -> str:
        """End a grant: ``revoked``, ``gone`` (by another request) or ``unknown``."""
        args = [grant, request, REVOKED_MS]
        return _text((await self._pipe.script("revoke", [GrantKeys(fleet).grants], args))[0])


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
