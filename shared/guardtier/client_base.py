"""GuardBase: the connections of one agent's client: what is sent, and what is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from secrets import token_hex
from typing import Any, Self

from guardtier.action import ActionEvent, is_name, no_full_id, partition_of
from guardtier.errors import ConfigError, GuardtierError, TierUnavailable, UnknownFleet
from guardtier.limit import Limits
from guardtier.replies import Replies, Reply, Wait
from guardtier.store.connection import connect
from guardtier.store.keys import keys_of, partition_for
from guardtier.store.pipe import CommandPipe
from guardtier.store.replication import Replication, replicas_of
from guardtier.verdict import Verdict
from guardtier.verifying import Used, VerdictKeys, Verifier


class GuardBase:
    """What every request of an agent needs; the requests themselves are in ``client.py``."""

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
        for field, name in (("fleet", fleet), ("client_id", client_id)):
            if name is not None and not is_name(name):
                raise ConfigError(f"{field} must be 1 to 64 letters, digits, _ or -", field=field)
        self.fleet = fleet
        self._verifier, needed = Verifier.of(verdict_keys), replicas_of(replicas)
        self._used = Used()
        self.limits = Limits()
        self.client_id = client_id or token_hex(8)
        self._accept_edits = accept_edits
        self._accepts = {"accepts": "edit"} if accept_edits else {}
        self._partitions = partitions
        self._partition = partition_for(self.client_id, partitions)
        self._redis = connect(redis_url)
        self._pipe = CommandPipe(self._redis, insist=False)
        self._replies = Replies(
            redis_url,
            lambda keys: keys.reply(fleet, self.client_id),
            self._verifier.read if self._verifier else Verdict.from_json,
        )
        self._replication = Replication(self._redis, needed) if needed else None

    @property
    def trouble(self) -> str | None:
        """Why the tier can't be reached at the moment; None while it can."""
        held_up = self._replication.trouble if self._replication else None
        return self._pipe.trouble or self._replies.trouble or held_up

    async def aclose(self) -> None:
        if self._replication is not None:
            await self._replication.close()
        await self._replies.close()
        await self._pipe.close()
        await self._redis.aclose()
        self.limits.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _submit_request(self, action: ActionEvent) -> dict[str, Any]:
        return self._request(action.id, b"submit") | {"payload": action.to_json()} | self._accepts

    def _request(self, action_id: str, operation: bytes) -> dict[str, Any]:
        return {"op": operation, "id": action_id, "client": self.client_id}

    async def _ask(self, request: dict[str, Any], action_id: str, wanted: Callable[[Reply], bool]) -> Reply:
        partition = partition_of(action_id)
        if partition is None:
            raise no_full_id(action_id)
        stream = keys_of(partition).actions(self.fleet)
        fields = [part for pair in request.items() for part in pair]

        def send(wait: Wait) -> None:
            # NOMKSTREAM: a fleet that nobody registered has no stream, and gets none by asking.
            sent = self._pipe.post("XADD", stream, "NOMKSTREAM", "*", *fields)
            wait.posted(sent)
            sent.add_done_callback(lambda done: self._on_sent(done, wait, partition, fields))

        while True:
            wait = Wait(action_id, wanted, send)
            try:
                reply = await self._replies.ask(wait, partition)
            except asyncio.CancelledError:
                if wait.is_parked:
                    self.limits.parked.add(action_id)
                raise
            if await self._is_kept(reply, partition):
                return reply

    async def _is_kept(self, reply: Reply, partition: int) -> bool:
        """Whether what allows a run is on the replicas asked for. Where it was lost, ask what stands."""
        if self._replication is None or reply.verdict is None or not reply.verdict.allowed:
            return True
        stream = keys_of(partition).reply(self.fleet, self.client_id)
        return await self._replication.holds(partition, stream, reply.told_as)

    def _on_sent(self, done: asyncio.Future[Any], wait: Wait, partition: int, fields: list[Any]) -> None:
        if done.cancelled():
            return
        error = done.exception()
        if error is not None:
            wait.fail(_as_ours(error))
        elif done.result() is None:
            self._report_stray(wait, partition, fields)
        else:
            wait.sent_as(done.result())

    def _report_stray(self, wait: Wait, partition: int, fields: list[Any]) -> None:
        """No such fleet. The tier audits the attempt where this credential may report it."""
        stray = self._pipe.post(
            "XADD", keys_of(partition).strays, "NOMKSTREAM", "*", *fields, "fleet", self.fleet
        )

        def on_sent(done: asyncio.Future[Any]) -> None:
            if not done.cancelled():
                done.exception()  # NOPERM or away: the agent is told the same
            wait.fail(self._unknown_fleet(partition))

        stray.add_done_callback(on_sent)

    def _unknown_fleet(self, partition: int) -> UnknownFleet:
        what = f"no fleet {self.fleet!r} is registered"
        if partition:  # no other partition of the tier has been asked
            what += (
                f" in partition {partition}: does the tier have {self._partitions}, as this client was told"
            )
            what += "? Else"
        return UnknownFleet(f"{what}: guardtier fleet add {self.fleet}", field="fleet")


def _as_ours(error: BaseException) -> BaseException:
    if isinstance(error, GuardtierError):
        return error
    return TierUnavailable(f"the tier refused the request: {error}")
