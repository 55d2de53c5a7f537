"""The analyzers of the benchmark: a fixed time of computing, or a fixed time of waiting."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from bench.spin import spin
from guardtier.action import ActionEvent
from guardtier.analyzers.base import SecurityAnalyzer
from guardtier.assessment import Assessment
from guardtier.risk import SecurityRisk

LOW = Assessment(risk=SecurityRisk.LOW)


class SpinAnalyzer(SecurityAnalyzer):
    """Computes for a fixed time, as the jobs of the other queues do."""

    name: ClassVar[str] = "spin"
    cheap: ClassVar[bool] = True

    def __init__(self, us: float = 100) -> None:
        self._us = us

    def assess(self, action: ActionEvent) -> Assessment:
        spin(self._us)
        return LOW


class JudgeAnalyzer(SecurityAnalyzer):
    """Waits for 50 ms, as for a judge elsewhere."""

    name: ClassVar[str] = "judge"

    async def assess(self, action: ActionEvent) -> Assessment:
        await asyncio.sleep(0.05)
        return LOW
