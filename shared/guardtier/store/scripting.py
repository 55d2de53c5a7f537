"""Scripts: how the ledger's parts call the scripts of one partition."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from guardtier.store.keys import Keys
from guardtier.store.pipe import CommandPipe
from guardtier.store.scripts import script
from guardtier.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Retention:
    """How long what is over is kept, in milliseconds."""

    record_ms: int = 24 * 3600 * 1000  #: a decided action's record
    reply_ms: int = 900 * 1000  #: a reply that nobody reads


@dataclass(frozen=True, slots=True)
class Transition:
    """What a script did. ``what`` is the new state, or why nothing changed:

    ``again`` (this very delivery was handled before), ``repeated`` (the same action once more, its
    sender was told), ``stale`` or ``wrong`` (not from this state), ``conflict``, ``unknown``,
    ``digest``, ``late``, ``early``, ``moved``. ``state`` is what stands, ``more`` what a script gives
    besides.
    """

    what: str
    state: str
    more: tuple[bytes, ...] = ()


class Scripts:
    """Sends the scripts of one partition through one pipe. ``seal`` makes the bytes of a verdict."""

    def __init__(
        self,
        pipe: CommandPipe,
        keys: Keys,
        retention: Retention | None = None,
        seal: Callable[[Verdict], bytes] = Verdict.to_json,
    ) -> None:
        self._pipe = pipe
        self._seal = seal
        self._keys = keys
        self._keep = retention or Retention()

    async def _with_waiters(
        self,
        name: str,
        fixed: list[str],
        head: list[Any],
        tail: list[Any],
        fleet: str,
        waiters: str,
    ) -> Transition:
        """Run a script that tells everyone who waits; once more where somebody came meanwhile."""
        while True:
            replies = [self._keys.reply(fleet, client) for client in waiters.split()]
            done = await self._run(name, [*fixed, *replies], [*head, waiters, *tail])
            if done.what != "waiters":
                return done
            waiters = done.state

    async def _run(self, name: str, keys: Sequence[str], args: Sequence[Any]) -> Transition:
        if script(name).audits:
            keys = [*keys, self._keys.chain]
        what, state, *more = await self._pipe.script(name, keys, args)
        return Transition(_text(what), _text(state), tuple(more))


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
