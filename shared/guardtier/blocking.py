"""BlockingGuardClient: the same for agents without asyncio; any thread may call it."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from typing import Any, Self, TypeVar

from guardtier.action import ActionEvent
from guardtier.client import DEFAULT_TIMEOUT, GuardClient, Observed, Pending, Status
from guardtier.errors import ConfigError, TierUnavailable
from guardtier.verdict import Verdict
from guardtier.verifying import VerdictKeys

T = TypeVar("T")


class BlockingGuardClient:
    """A GuardClient on an event loop of its own, in a daemon thread. Close it at the end.

    Threads share it; a process that was forked can't, since its thread stays with the parent: each call
    there raises ConfigError.
    """

    def __init__(
        self,
        redis_url: str,
        *,
        fleet: str,
        client_id: str | None = None,
        partitions: int = 1,
        accept_edits: bool = False,
        verdict_keys: VerdictKeys = None,
        replicas: int | None = None,
    ) -> None:
        self.fleet = fleet
        self._process = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="guardtier-client", daemon=True)
        self._thread.start()
        try:
            self._client = self._run(
                _made(redis_url, fleet, client_id, partitions, accept_edits, verdict_keys, replicas)
            )
        except BaseException:
            self._stop()
            raise

    def check(
        self,
        action: ActionEvent,
        *,
        timeout: float | None = DEFAULT_TIMEOUT,
        wait_for_quota: bool = False,
    ) -> Verdict:
        """As :meth:`GuardClient.check`."""
        return self._run(self._client.check(action, timeout=timeout, wait_for_quota=wait_for_quota))

    def submit(self, action: ActionEvent, *, timeout: float | None = 30.0) -> Status:
        """As :meth:`GuardClient.submit`."""
        return self._run(self._client.submit(action, timeout=timeout))

    def poll(self, action: ActionEvent | str, *, timeout: float | None = 30.0) -> Status:
        """As :meth:`GuardClient.poll`."""
        return self._run(self._client.poll(action, timeout=timeout))

    def redeem(self, action: ActionEvent, *, timeout: float | None = 30.0) -> Verdict:
        """As :meth:`GuardClient.redeem`."""
        return self._run(self._client.redeem(action, timeout=timeout))

    def observe(
        self, action: ActionEvent | str, output: str | bytes, *, timeout: float | None = 30.0
    ) -> Observed:
        """As :meth:`GuardClient.observe`."""
        return self._run(self._client.observe(action, output, timeout=timeout))

    def pending(
        self,
        agent: str,
        *,
        conversation: str | None = None,
        limit: int = 1000,
        timeout: float | None = 30.0,
    ) -> Pending:
        """As :meth:`GuardClient.pending`."""
        return self._run(
            self._client.pending(agent, conversation=conversation, limit=limit, timeout=timeout)
        )

    def still_good(self, verdict: Verdict) -> None:
        """As :meth:`GuardClient.still_good`."""
        self._run(self._still_good(verdict))

    async def _still_good(self, verdict: Verdict) -> None:
        self._client.still_good(verdict)

    def partition_for(self, name: str) -> int:
        """As :meth:`GuardClient.partition_for`."""
        return self._client.partition_for(name)

    def close(self) -> None:
        """Close the connections and end the thread. Twice, or in a forked process, it does no harm."""
        if self._process == os.getpid() and not self._loop.is_closed():
            self._run(self._client.aclose())
            self._stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, call: Coroutine[Any, Any, T]) -> T:
        if self._loop.is_closed():
            call.close()
            raise TierUnavailable("this client is closed")
        if self._process != os.getpid():
            call.close()
            raise ConfigError(
                "this client was made before the process was forked: make one here",
                field="process",
            )
        return asyncio.run_coroutine_threadsafe(call, self._loop).result()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _made(
    redis_url: str,
    fleet: str,
    client_id: str | None,
    partitions: int,
    accept_edits: bool,
    verdict_keys: VerdictKeys,
    replicas: int | None,
) -> GuardClient:
    return GuardClient(
        redis_url,
        fleet=fleet,
        client_id=client_id,
        partitions=partitions,
        accept_edits=accept_edits,
        verdict_keys=verdict_keys,
        replicas=replicas,
    )
