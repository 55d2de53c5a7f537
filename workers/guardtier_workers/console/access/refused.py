"""Refused: what the gate turned away, counted by kind and logged, a bounded number of lines a minute."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from time import monotonic

from starlette.requests import HTTPConnection

from guardtier_workers.cli.safe_text import safe
from guardtier_workers.console.access.addresses import address_of

log = logging.getLogger(__name__)

LINES_A_MINUTE = 30
SHOWN = 200  #: characters of what a sender chose


class Kind(StrEnum):
    """Why something was turned away."""

    CREDENTIALS = "credentials"  #: a token, link or identity that the tier does not take
    SESSION = "session"  #: a cookie of no session: forged, over, or of before a restart
    CSRF = "csrf"  #: a form or request without its session's token
    ORIGIN = "origin"  #: another site has asked for it
    HOST = "host"  #: another site's name
    TRANSPORT = "transport"  #: plain HTTP from another machine
    TRIES = "tries"  #: signing in failed too often
    SIZE = "size"  #: more bytes than any request has


class Refused:
    """``counts`` has every kind, from this console's start on."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self.counts: Counter[Kind] = Counter(dict.fromkeys(Kind, 0))
        self._clock = clock
        self._minute, self._lines, self._unsaid = 0, 0, 0

    def note(self, kind: Kind, request: HTTPConnection, why: str = "") -> None:
        """Count it, and say it in the log. What the sender chose is made safe, and short."""
        self.counts[kind] += 1
        minute = int(self._clock() // 60)
        if minute != self._minute:
            if self._unsaid:
                log.warning("%d more were turned away that no line here names", self._unsaid)
            self._minute, self._lines, self._unsaid = minute, 0, 0
        if self._lines >= LINES_A_MINUTE:
            self._unsaid += 1
            return
        self._lines += 1
        method, path = request.scope.get("method", "-"), request.scope["path"]
        log.warning(
            "turned away (%s): %s %s from %s: %s",
            kind,
            safe(method[:20]),
            safe(path[:SHOWN]),
            address_of(request),
            safe(why[:SHOWN]),
        )
