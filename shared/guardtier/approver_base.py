"""ApproverBase: the connections of one approver: what is signed and sent, and what is told."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from copy import copy
from secrets import token_hex
from typing import Any, Self

from guardtier.errors import ConfigError, GuardTimeout, TierUnavailable
from guardtier.replies import Replies, Reply, Wait
from guardtier.signer import Signer
from guardtier.store.connection import connect
from guardtier.store.keys import Keys
from guardtier.store.pipe import CommandPipe
from guardtier.store.records import Record, Records

#: Of one client in one partition: of its replies with records the last 8 are kept (store/looks.py).
LOOKS_AT_ONCE = 4


class ApproverBase:
    """What every request of an approver needs; the requests themselves are in modules of their own."""

    def __init__(
        self,
        redis_url: str,
        *,
        approver: str | None = None,
        token: str | None = None,
        partitions: int = 1,
    ) -> None:
        self._url = redis_url
        given = approver is not None and token is not None
        self._signer = Signer.with_token(str(approver), str(token)) if given else None
        self._partitions = partitions
        self._client_id = token_hex(8)
        self._redis = connect(redis_url)
        self._pipe = CommandPipe(self._redis, insist=False)
        self._records = Records(self._redis, partitions)
        #: what keeps the looks of all who share these connections from being more, for each partition
        self._looking: dict[int, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(LOOKS_AT_ONCE))
        self._replies = Replies(redis_url, lambda keys: keys.told(self._client_id))

    async def get(self, action_id: str) -> Record:
        """One action's record. Raises UnknownAction."""
        return await self._records.get(action_id)

    async def aclose(self) -> None:
        await self._replies.close()
        await self._pipe.close()
        await self._redis.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def acting(self, signer: Signer) -> Self:
        """The same connections in the name of an approver. Whoever made the first one closes them."""
        other = copy(self)
        other._signer = signer
        return other

    def _credentials(self) -> Signer:
        if self._signer is None:
            raise ConfigError("an answer needs the approver's name and token", field="token")
        return self._signer

    @asynccontextmanager
    async def _within(self, timeout: float, look_at: str = "") -> AsyncIterator[None]:
        """``look_at``: what to look at before a change is repeated, which may have been taken; "": none."""
        try:
            async with asyncio.timeout(timeout):
                yield
        except TimeoutError as late:
            trouble = self._pipe.trouble or self._replies.trouble
            then = f"; look at {look_at} before you repeat it" if look_at else ""
            if trouble:
                raise TierUnavailable(f"no answer within {timeout:g} s ({trouble}){then}") from late
            raise GuardTimeout(
                f"no policy worker took it within {timeout:g} s{then or '; does one run?'}"
            ) from late

    def _wait(self, name: str, partition: int, fields: Mapping[str, str | bytes]) -> Wait:
        """What is sent to the answers stream, and waited for."""
        command: list[Any] = ["XADD", Keys(partition).answers, "NOMKSTREAM", "*"]
        command += [part for pair in fields.items() for part in pair]

        def send(wait: Wait) -> None:
            sent = self._pipe.post(*command)
            wait.posted(sent)
            sent.add_done_callback(lambda done: _on_sent(done, wait))

        return Wait(name, _says_something, send)


def _says_something(reply: Reply) -> bool:
    return reply.verdict is not None or reply.body is not None


def _on_sent(done: asyncio.Future[Any], wait: Wait) -> None:
    if done.cancelled():
        return
    error = done.exception()
    if error is not None:
        wait.fail(TierUnavailable(f"the tier refused the answer: {error}"))
    elif done.result() is None:
        wait.fail(TierUnavailable("no policy worker has ever run on this Redis"))
    else:
        wait.sent_as(done.result())
