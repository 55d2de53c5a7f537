"""Tries: how often signing in may fail, for each address and for each name."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from math import ceil
from time import monotonic

from guardtier_workers.console.access.problems import TooManyTries

MOST = 10_000  #: addresses, and names, that are kept in mind; who failed longest ago is forgotten first
AT_ONCE = 16  #: tries under way: each is a question to a policy worker
KNOWN = 1_000  #: pairs of name and address that have signed in


@dataclass(frozen=True, slots=True)
class Limit:
    """So many failures at once, then one more every ``seconds``."""

    burst: int
    seconds: float


OF_ADDRESS = Limit(20, 6.0)
OF_NAME = Limit(10, 30.0)
VISITS = Limit(30, 2.0)  #: to an identity provider, that did not come back


class Failures:
    """Failures by key, each forgiven after a while."""

    def __init__(self, limit: Limit, clock: Callable[[], float]) -> None:
        self._limit, self._clock = limit, clock
        self._by_key: dict[Hashable, tuple[float, float]] = {}  # count and when, the latest last

    def __len__(self) -> int:
        return len(self._by_key)

    def wait(self, key: Hashable) -> float:
        """Seconds until another try is looked at; 0: now."""
        over = self._count(key) + 1 - self._limit.burst
        return max(0.0, over) * self._limit.seconds

    def add(self, key: Hashable, more: int) -> None:
        """Count a try, or take it back."""
        count = max(0.0, self._count(key) + more)
        self._by_key.pop(key, None)
        if count == 0:
            return
        while len(self._by_key) >= MOST:
            del self._by_key[next(iter(self._by_key))]
        self._by_key[key] = (count, self._clock())

    def _count(self, key: Hashable) -> float:
        count, since = self._by_key.get(key, (0.0, 0.0))
        return max(0.0, count - (self._clock() - since) / self._limit.seconds)


class Tries:
    """A try counts as failed until it has succeeded, so that many at once are no way around it.

    Who has signed in from an address before is counted apart there: whoever fails in their name
    elsewhere can't lock them out.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._addresses, self._names = Failures(OF_ADDRESS, clock), Failures(OF_NAME, clock)
        self._visits = Failures(VISITS, clock)
        self._known: dict[tuple[str, str], None] = {}
        self._under_way = 0

    def begin(self, address: str, name: str) -> None:
        """Raises TooManyTries. Else :meth:`end` must follow."""
        wait = max(self._addresses.wait(address), self._names.wait(self._key(address, name)))
        if self._under_way >= AT_ONCE:
            wait = max(wait, 1.0)
        _check(wait)
        self._under_way += 1
        self._addresses.add(address, 1)
        self._names.add(self._key(address, name), 1)

    def end(self, address: str, name: str, *, failed: bool) -> None:
        self._under_way -= 1
        if not failed:
            self._addresses.add(address, -1)
            self._names.add(self._key(address, name), -1)

    def succeeded(self, address: str, name: str) -> None:
        """This name has signed in from this address. After :meth:`end`."""
        self._known.pop((name, address), None)
        while len(self._known) >= KNOWN:
            del self._known[next(iter(self._known))]
        self._known[name, address] = None

    def check_visit(self, address: str) -> None:
        """Count a way to an identity provider. Raises TooManyTries."""
        _check(self._visits.wait(address))
        self._visits.add(address, 1)

    def forgive_visit(self, address: str) -> None:
        """Somebody came back, and is known."""
        self._visits.add(address, -1)

    def _key(self, address: str, name: str) -> Hashable:
        return (name, address) if (name, address) in self._known else name


def _check(wait: float) -> None:
    if wait > 0:
        seconds = ceil(wait)
        raise TooManyTries(
            f"signing in failed too often: try again in {seconds} s", field="credentials", limit=seconds
        )
