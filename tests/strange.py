"""Analyzers that misbehave, by their options or at all. Named in settings files as ``strange.py:Class``."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from guardtier import ActionEvent, Assessment, Finding, SecurityRisk
from guardtier.analyzers import SecurityAnalyzer
from guardtier.analyzers.history import History

FILE = Path(__file__)
MOST_SECONDS = 60.0


class Says(SecurityAnalyzer):
    """Votes as it is told."""

    def __init__(self, *, risk: SecurityRisk = SecurityRisk.LOW, note: str = "", times: int = 1) -> None:
        self.risk, self.note, self.times = risk, note, times

    async def assess(self, action: ActionEvent) -> Assessment:  # type: ignore[override]
        finding = Finding(id="strange.says", risk=self.risk, message=self.note or f"in {os.getpid()}")
        return Assessment(risk=self.risk, findings=(finding,) * self.times)


class Remembers(SecurityAnalyzer):
    """Says what came before in the conversation."""

    async def assess(  # type: ignore[override]
        self, action: ActionEvent, history: History | None = None
    ) -> Assessment:
        before = [entry.id for entry in history.entries] if history else ["nothing"]
        told = f"{history.state if history else ''} {' '.join(before)}"
        finding = Finding(id="strange.remembers", risk=SecurityRisk.LOW, message=told)
        return Assessment(risk=SecurityRisk.LOW, findings=(finding,))


class ReturnsNone(SecurityAnalyzer):
    """What a forgotten ``return`` does."""

    def security_risk(self, action: ActionEvent) -> SecurityRisk:
        return None  # type: ignore[return-value]


class Blocks(SecurityAnalyzer):
    """A sync analyzer that waits until ``go`` is set. Commands other than ``block`` pass."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.calls = 0

    def security_risk(self, action: ActionEvent) -> SecurityRisk:
        self.calls += 1
        if action.arguments.get("command") == "block":
            self.go.wait()
        return SecurityRisk.LOW


class BlocksForEver(Blocks):
    """What no time limit can end."""

    def security_risk(self, action: ActionEvent) -> SecurityRisk:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        threading.Event().wait()
        return SecurityRisk.LOW


class DoesNotListen(SecurityAnalyzer):
    """An async analyzer that goes on when it is told to end, until ``listens``."""

    def __init__(self) -> None:
        self.listens = False

    async def assess(self, action: ActionEvent) -> Assessment:  # type: ignore[override]
        while not self.listens:
            with suppress(asyncio.CancelledError):
                async with asyncio.timeout(MOST_SECONDS):  # a test that fails must end
                    await asyncio.Event().wait()
        raise asyncio.CancelledError


class Forks(SecurityAnalyzer):
    """Forks and goes on in both processes. The copy would leave a note if it could."""

    def __init__(self, *, note: str) -> None:
        self.note = Path(note)

    def security_risk(self, action: ActionEvent) -> SecurityRisk:
        if os.fork() == 0:
            self.note.write_text(str(os.getpid()))
        else:
            os.wait()
        return SecurityRisk.LOW


class ForksCheaply(Forks):
    """In the thread of the event loop."""

    cheap: ClassVar[bool] = True


class ForksLater(Forks):
    """And awaits in between, where a copy would go on as a second worker."""

    async def assess(self, action: ActionEvent) -> Assessment:  # type: ignore[override]
        pid = os.fork()
        await asyncio.sleep(0.01)
        if pid == 0:
            self.note.write_text(str(os.getpid()))
        else:
            os.waitpid(pid, 0)  # noqa: ASYNC222 - it ends at once
        return Assessment(risk=SecurityRisk.LOW)


class Exits(SecurityAnalyzer):
    """Ends the program, or tries to."""

    def security_risk(self, action: ActionEvent) -> SecurityRisk:
        sys.exit(3)


class ExitsCheaply(Exits):
    cheap: ClassVar[bool] = True


class ExitsLater(SecurityAnalyzer):
    async def assess(self, action: ActionEvent) -> Assessment:  # type: ignore[override]
        sys.exit(3)


class CancelsItself(SecurityAnalyzer):
    async def assess(self, action: ActionEvent) -> Assessment:  # type: ignore[override]
        raise asyncio.CancelledError


def use(kind: type[SecurityAnalyzer]) -> str:
    """How a settings file names one of these."""
    return f"{FILE}:{kind.__name__}"


def member(kind: type[SecurityAnalyzer], **settings: Any) -> dict[str, Any]:
    """Its table, as ``analyzer`` in the settings takes it."""
    return {"use": use(kind), **settings}
