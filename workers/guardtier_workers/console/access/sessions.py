"""Sessions: who has signed in, kept in this process alone: a restart signs everybody out."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from time import monotonic

from guardtier.look import Me
from guardtier.signer import Signer

MOST = 10_000  #: sessions; the one that was used longest ago goes first
MOST_OF_ONE = 20  #: of one approver


@dataclass(slots=True)
class Session:
    """One signing in. ``csrf`` goes with every form and request that changes something.

    ``seat`` is the digest of what its browser keeps, and sends with these requests; "" where it keeps
    nothing. Cookies know no ports: what listens at another one of the console's name is sent the session's.
    """

    signer: Signer
    me: Me
    since: float
    used: float
    asked: float  #: when the tier was last asked what they may
    subject: str = ""  #: who they are to an identity provider, where they came by one
    seat: str = field(default="", repr=False)
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    asking: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)
    failed: tuple[float, bytes] | None = None  #: when the tier did not answer, and how


class Sessions:
    """By a random name of 256 bits, of which only the digest is kept. Times are in seconds."""

    def __init__(self, *, lasting: float, idle: float, clock: Callable[[], float] = monotonic) -> None:
        self._lasting, self._idle, self._clock = lasting, idle, clock
        self._by_digest: dict[str, Session] = {}  # the one that was used longest ago first

    def begin(self, signer: Signer, me: Me, subject: str = "", seat: str = "") -> tuple[str, Session]:
        """A new session and its name, which is kept nowhere."""
        now = self._clock()
        name = secrets.token_urlsafe(32)
        own = [key for key, found in self._by_digest.items() if found.me.name == me.name]
        for key in own[: max(0, len(own) + 1 - MOST_OF_ONE)]:
            del self._by_digest[key]
        while len(self._by_digest) >= MOST:
            del self._by_digest[next(iter(self._by_digest))]
        session = Session(signer, me, since=now, used=now, asked=now, subject=subject, seat=seat)
        self._by_digest[_digest(name)] = session
        return name, session

    def __len__(self) -> int:
        return len(self._by_digest)

    def find(self, name: str) -> Session | None:
        """The session of that name, used now; None where there is none, or where it has ended."""
        session = self.peek(name)
        if session is not None:
            session.used = self._clock()
            self._by_digest[_digest(name)] = self._by_digest.pop(_digest(name))
        return session

    def peek(self, name: str) -> Session | None:
        """The same, and no use of it: a page that is merely open keeps no session alive."""
        key, now = _digest(name), self._clock()
        session = self._by_digest.get(key)
        if session is None:
            return None
        if now - session.since > self._lasting or now - session.used > self._idle:
            del self._by_digest[key]
            return None
        return session

    def lives(self, session: Session) -> bool:
        """Whether it has not ended. To ask is no use of it."""
        now = self._clock()
        is_over = now - session.since > self._lasting or now - session.used > self._idle
        return not is_over and any(found is session for found in self._by_digest.values())

    def end(self, name: str) -> None:
        self._by_digest.pop(_digest(name), None)


def _digest(name: str) -> str:
    return sha256(name.encode(errors="replace")).hexdigest()
