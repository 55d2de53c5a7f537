"""Mortal: the workers of a tier, of which one is killed now and then, and another takes its place."""

from __future__ import annotations

import logging
from collections import Counter
from random import Random
from typing import Self

import psutil

from chaos.scenario import Place

log = logging.getLogger(__name__)

USUAL = {"analyzer": 2, "policy": 2, "steward": 1}


class Mortal:
    """``mortal = await Mortal(place).begin(); mortal.kill_one()``. Which one is the same in each run."""

    def __init__(self, place: Place, seed: int = 7) -> None:
        self._place, self._random = place, Random(seed)
        self._alive: list[tuple[str, psutil.Popen]] = []
        self._killed: Counter[str] = Counter()

    async def begin(self, running: dict[str, int] | None = None) -> Self:
        """Start so many of each kind of worker, and return once they live."""
        for kind, many in (running or USUAL).items():
            self._alive += [(kind, await self._place.start(kind)) for _ in range(many)]
        return self

    @property
    def total(self) -> int:
        """How many were killed."""
        return self._killed.total()

    @property
    def killed(self) -> str:
        """How many of each kind, in words."""
        return ", ".join(f"{many} {kind}" for kind, many in sorted(self._killed.items()))

    def kill_one(self, *kinds: str) -> str:
        """SIGKILL of one of them, of these kinds where named; another begins. Returns its kind."""
        may_die = [at for at, (kind, _) in enumerate(self._alive) if not kinds or kind in kinds]
        kind, process = self._alive.pop(self._random.choice(may_die))
        assert process.is_running(), f"{kind} has ended by itself"
        log.info("kill %d: %s", self.total + 1, kind)
        self._place.processes.kill(process)
        self._alive.append((kind, self._place.begin(kind)))
        self._killed[kind.partition(" ")[0]] += 1
        return kind
