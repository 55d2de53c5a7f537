"""Watch: whether whoever opened a stream may still see what they saw when it began."""

from __future__ import annotations

from time import monotonic

from guardtier.errors import GuardtierError
from guardtier.look import Me
from guardtier_workers.console.access.credentials import asked_anew
from guardtier_workers.console.access.door import ASK_SECONDS
from guardtier_workers.console.access.visitor import Visitor
from guardtier_workers.console.console import Console


class Watch:
    """A stream outlives the request that began it, and the gate looks at requests alone."""

    def __init__(self, console: Console, visitor: Visitor) -> None:
        self._console, self._visitor = console, visitor
        self._asked = monotonic()

    async def holds(self) -> bool:
        """False once the session has ended, the rights are others, or the tier can't be asked: whoever
        still may begins a new stream. It is no use of the session: an open page keeps nobody signed in.
        """
        session, me = self._visitor.session, self._visitor.me
        try:
            if session is None:
                return await self._still() == me
            if not self._console.sessions.lives(session):
                return False
            if monotonic() - session.asked >= ASK_SECONDS:
                session.me = await asked_anew(self._console, session)
                session.asked = monotonic()
        except GuardtierError:
            if session is not None:
                session.asked = float("-inf")  # the gate asks as well before it believes the session again
            return False
        return session.me == me

    async def _still(self) -> Me:
        """A program's; somebody who has not signed in is the same for ever."""
        signer = self._visitor.signer
        if signer is None or monotonic() - self._asked < ASK_SECONDS:
            return self._visitor.me
        found = await self._console.tier.acting(signer).me()
        self._asked = monotonic()
        return found
