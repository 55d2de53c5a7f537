"""Replies: what the tier tells one client, read over one connection a partition, handed to who waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from guardtier.errors import ConfigError, GuardtierError, TierUnavailable, TurnedAway
from guardtier.patience import pause_after
from guardtier.store.connection import refuses_credential
from guardtier.store.keys import Keys
from guardtier.store.tail import Fields, Tail
from guardtier.verdict import Verdict

#: Replies that one wait keeps of requests not known to be its own: who writes to Redis may make up more.
MOST_EARLY = 100


@dataclass(frozen=True, slots=True)
class Reply:
    """One thing that was told: a verdict, an error, or the state that stands."""

    id: str
    state: str
    verdict: Verdict | None = None
    error: GuardtierError | None = None
    deadline: int | None = None
    token: str | None = None
    digest: str | None = None
    entry: bytes | None = None
    observed: bool = False
    body: bytes | None = None  #: what is no verdict: a listing, a policy
    halted: bytes | None = None  #: the halt (JSON) under which it waits
    told_as: str = ""  #: the entry of the reply stream that says so

    @classmethod
    def from_fields(
        cls, fields: Fields, read: Callable[[bytes], Verdict] = Verdict.from_json, *, told_as: str = ""
    ) -> Reply:
        """What an entry says. Where ``read`` does not believe its verdict, that is the error told."""
        told, error = fields.get(b"verdict"), fields.get(b"error")
        verdict, wrong = None, GuardtierError.from_json(error) if error else None
        try:
            verdict = read(told) if told else None
        except GuardtierError as unbelieved:
            wrong = unbelieved
        deadline, token, digest = (fields.get(name) for name in (b"deadline", b"token", b"digest"))
        return cls(
            id=fields[b"id"].decode(),
            state=fields[b"state"].decode(),
            verdict=verdict,
            error=wrong,
            deadline=int(deadline) if deadline else None,
            token=token.decode() if token else None,
            digest=digest.decode() if digest else None,
            entry=fields.get(b"entry"),
            observed=b"observed" in fields,
            body=fields.get(b"body"),
            halted=fields.get(b"halted"),
            told_as=told_as,
        )


class Wait:
    """One call that waits for replies about one action, until ``wanted`` picks one.

    ``ask`` sends its request; it may be called again after a broken connection, since every request
    may be sent twice. A reply that names the request which it answers (``entry``) is for that one
    alone: a refusal must not end another call that waits for the same action.

    What was asked before a connection broke may be under way, or wait for a person. So when it is asked
    again and the tier has no room for that (after a restart all ask again at once), that ends nothing:
    it is asked once more, as late as the tier says.
    """

    __slots__ = (
        *("_early", "_entries", "_is_again", "_later", "_posted"),
        *("action_id", "ask", "future", "is_parked", "wanted"),
    )

    def __init__(
        self, action_id: str, wanted: Callable[[Reply], bool], ask: Callable[[Wait], None]
    ) -> None:
        self.action_id = action_id
        self.wanted = wanted
        self._entries: set[bytes] = set()
        self._early: dict[bytes, Reply] = {}
        self._posted: list[asyncio.Future[Any]] = []
        self._is_again = False
        self.is_parked = False  #: it was told that a person has to answer, and no more
        self._later: asyncio.TimerHandle | None = None
        self.ask = ask
        self.future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

    def offer(self, reply: Reply) -> None:
        if self.future.done():
            return
        if reply.entry is not None and reply.entry not in self._entries:
            if len(self._early) < MOST_EARLY:
                self._early[reply.entry] = reply
            return
        if isinstance(reply.error, TurnedAway) and self._is_again:
            self._ask_later(reply.error)
        elif reply.error is not None:
            self.future.set_exception(reply.error)
        elif self.wanted(reply):
            self.future.set_result(reply)
        else:
            self.is_parked = reply.deadline is not None

    def again(self) -> None:
        """Ask once more, since the connection was lost meanwhile."""
        self._is_again = True
        self.ask(self)

    def posted(self, sending: asyncio.Future[Any]) -> None:
        """This is on its way to Redis for this wait, and for nothing else."""
        self._posted = [one for one in self._posted if not one.done()]
        self._posted.append(sending)

    def end(self) -> None:
        """Nobody waits any more. What could not be sent yet (Redis is away) is not sent later: else an
        agent that asks again and again would fill its memory, and the tier with what nobody waits for.
        """
        for sending in self._posted:
            sending.cancel()
        if self._later is not None:
            self._later.cancel()

    def sent_as(self, entry: bytes) -> None:
        """The request is this entry of its stream. Its reply may have come before we knew."""
        self._entries.add(entry)
        if entry in self._early:
            self.offer(self._early.pop(entry))

    def fail(self, error: BaseException) -> None:
        if not self.future.done():
            self.future.set_exception(error)

    def _ask_later(self, error: TurnedAway) -> None:
        if self._later is None:
            self._later = asyncio.get_running_loop().call_later(pause_after(error), self._ask_now)

    def _ask_now(self) -> None:
        self._later = None
        if not self.future.done():
            self.ask(self)


class Replies:
    """The reply streams of one client, opened when first needed, one a partition."""

    def __init__(
        self,
        url: str,
        key_of: Callable[[Keys], str],
        read: Callable[[bytes], Verdict] = Verdict.from_json,
    ) -> None:
        self._url = url
        self._read = read
        self._key_of = key_of
        self._tails: dict[int, Tail] = {}
        self._starting: dict[int, asyncio.Task[None]] = {}
        self._waits: dict[str, list[Wait]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    async def ask(self, wait: Wait, partition: int) -> Reply:
        """Send a wait's request and return the reply that it wants. Raises the error told."""
        self._check_loop()
        if partition not in self._tails or partition in self._starting:
            await self._open(partition)
        waits = self._waits.setdefault(wait.action_id, [])
        waits.append(wait)
        try:
            wait.ask(wait)
            return await wait.future
        finally:
            wait.end()
            waits.remove(wait)
            if not waits:
                self._waits.pop(wait.action_id, None)

    @property
    def trouble(self) -> str | None:
        """Why nothing can be read at the moment, if so."""
        return next((tail.trouble for tail in self._tails.values() if tail.trouble), None)

    async def close(self) -> None:
        for waits in self._waits.values():
            for wait in waits:
                wait.fail(TierUnavailable("this client is closed"))
        for task in self._starting.values():
            task.cancel()
        # Together: redis-py may turn a cancellation into an error of its own, and a tail that is not closed
        # starts until Redis is back.
        closing = asyncio.gather(*(tail.close() for tail in self._tails.values()))
        await asyncio.gather(*self._starting.values(), return_exceptions=True)
        await closing

    def _check_loop(self) -> None:
        """A client's connections live on the loop of its first call: on another one nothing is ever heard.

        Raises ConfigError.
        """
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            raise ConfigError(
                "this client belongs to another event loop, the one of its first call: make one within "
                "each asyncio.run(), or use BlockingGuardClient where there is no loop",
                field="event_loop",
            )

    async def _open(self, partition: int) -> None:
        """Start reading before anything is asked, so that no reply can be missed.

        Raises TierUnavailable where Redis refuses the credential: the next one who asks tries it again.
        """
        if partition not in self._tails:
            tail = Tail(self._url, self._key_of(Keys(partition)), self._on_entry, self._ask_again)
            self._tails[partition] = tail
            self._starting[partition] = asyncio.create_task(tail.start(insist=False))
        starting = self._starting.get(partition)
        if starting is None:
            return
        try:
            await asyncio.shield(starting)
        except Exception as error:
            if self._starting.get(partition) is starting:
                del self._starting[partition]
                await self._tails.pop(partition).close()
            if refuses_credential(error):
                raise TierUnavailable(f"Redis refuses this client's credential: {error}") from error
            raise
        self._starting.pop(partition, None)

    def _on_entry(self, entry: str, fields: dict[bytes, Any]) -> None:
        waits = self._waits.get(fields[b"id"].decode())
        if not waits:
            return
        reply = Reply.from_fields(fields, self._read, told_as=entry)
        for wait in list(waits):
            wait.offer(reply)

    def _ask_again(self) -> None:
        for waits in list(self._waits.values()):
            for wait in list(waits):
                wait.again()
