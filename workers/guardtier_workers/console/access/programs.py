"""Programs: who proved themselves by HTTP Basic a moment ago, so that not every request asks the tier."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from time import monotonic

from guardtier.look import Me
from guardtier.signer import Signer

MOST = 1_000  #: the one that was asked for longest ago goes first


@dataclass(frozen=True, slots=True)
class Program:
    signer: Signer
    me: Me
    asked: float


class Programs:
    """By the digest of what they sent. Times are in seconds."""

    def __init__(self, *, lasting: float, clock: Callable[[], float] = monotonic) -> None:
        self._lasting, self._clock = lasting, clock
        self._by_digest: dict[bytes, Program] = {}

    def __len__(self) -> int:
        return len(self._by_digest)

    def find(self, given: str) -> Program | None:
        """Who has sent it before."""
        return self._by_digest.get(_digest(given))

    def is_fresh(self, found: Program) -> bool:
        """Whether the tier was asked of late."""
        return self._clock() - found.asked < self._lasting

    def forget(self, given: str) -> None:
        self._by_digest.pop(_digest(given), None)

    def keep(self, given: str, signer: Signer, me: Me) -> None:
        key = _digest(given)
        self._by_digest.pop(key, None)
        while len(self._by_digest) >= MOST:
            del self._by_digest[next(iter(self._by_digest))]
        self._by_digest[key] = Program(signer, me, self._clock())


def _digest(given: str) -> bytes:
    return sha256(given.encode(errors="replace")).digest()
