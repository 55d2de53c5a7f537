"""A real tier (`guardtier up`, from the ordinary environment), and people who answer."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from guardtier import ApproverClient, BlockingGuardClient
from guardtier.store.records import Record
from guardtier_workers.supervisor import die_with_parent

ROOT = Path(__file__).parents[2]
GUARDTIER = [str(ROOT / ".venv" / "bin" / "python"), "-m", "guardtier_workers.cli"]
RELEASED_SECONDS = 10  #: so short, so that a test can outwait it
PARTITIONS = 3  #: an agent's next client seldom lives where its last one did


@dataclass
class Tier:
    """A tier that runs. Nothing here waits for a time; everything waits for a condition."""

    state: Path
    body: dict[str, Any]
    operator: dict[str, str]
    clients: list[BlockingGuardClient] = field(default_factory=list)

    @property
    def url(self) -> str:
        return str(self.body["redis_url"])

    def client(self, **options: Any) -> BlockingGuardClient:
        """An agent's client, closed at the end."""
        made = BlockingGuardClient(self.url, fleet="default", partitions=PARTITIONS, **options)
        self.clients.append(made)
        return made

    def approve(self, record: Record) -> None:
        self._as_operator(lambda desk: desk.approve(record.id, digest=record.digest))

    def edit(self, record: Record, **arguments: Any) -> None:
        self._as_operator(lambda desk: desk.edit(record.id, arguments))

    def reject(self, record: Record, reason: str) -> None:
        self._as_operator(lambda desk: desk.reject(record.id, digest=record.digest, reason=reason))

    def parked(self, command: str) -> Record:
        """Wait until this command is parked."""
        return until(lambda: self.waiting(command))[0]

    def waiting(self, command: str) -> list[Record]:
        """The parked actions that would run this command."""
        pending = self._as_operator(lambda desk: desk.pending(limit=500))
        return [record for record in pending if record.action.arguments.get("command") == command]

    def record(self, action_id: str) -> Record:
        return self._as_operator(lambda desk: desk.get(action_id))

    @contextmanager
    def when_parked(self, command: str, answer: Callable[[Record], None]) -> Iterator[None]:
        """Somebody answers this command, in a thread, once it is parked."""
        failed: list[BaseException] = []

        def work() -> None:
            try:
                answer(self.parked(command))
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            thread.join(60)
        assert not failed, failed

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """The workers stand still (SIGSTOP); Redis is there."""
        pids = list(self.body["processes"].values())
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    def _as_operator(self, ask: Callable[[ApproverClient], Coroutine[Any, Any, Any]]) -> Any:
        async def asked() -> Any:
            async with ApproverClient(self.url, partitions=PARTITIONS, **self.operator) as desk:
                return await ask(desk)

        return asyncio.run(asked())


@contextmanager
def running_tier(state: Path) -> Iterator[Tier]:
    """`guardtier up` until the block ends."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("GUARDTIER_")}
    process = subprocess.Popen(
        [*GUARDTIER, "up", "--json"],
        env=env
        | {
            "GUARDTIER_STATE_DIR": str(state),
            "GUARDTIER_PARTITIONS": str(PARTITIONS),
            "GUARDTIER_RELEASED_SECONDS": str(RELEASED_SECONDS),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=die_with_parent(),  # noqa: PLW1509 - safe: it only makes two calls
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate(timeout=90)[1].decode()
        yield Tier(state, json.loads(line), json.loads((state / "operator.json").read_text()))
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=90)


def until(found: Callable[[], Any], timeout: float = 30.0) -> Any:
    """The first true value."""
    ends = monotonic() + timeout
    while not (value := found()):
        assert monotonic() < ends, "not within the time"
        sleep(0.02)
    return value
