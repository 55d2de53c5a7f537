"""ApproverLooks: how approvers see what is parked: through the tier with a token, directly without one."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from itertools import count
from secrets import token_hex
from time import time
from typing import Any, NamedTuple

import orjson

from guardtier.action import is_label, is_name, no_full_id, partition_of
from guardtier.approver_base import ApproverBase
from guardtier.errors import ConfigError
from guardtier.look import LookRequest, Me, seen
from guardtier.risk import SecurityRisk
from guardtier.store.keys import Keys, all_keys
from guardtier.store.parked import COUNT_SCAN, PAGE, ParkedPage, Wanted, parked_count, parked_page
from guardtier.store.records import Record

LOOK_AT = 50_000  #: parked actions that are looked at to count those of some fleets: 1 s


class Count(NamedTuple):
    """``is_all`` is False where there may be more: nobody has looked further."""

    number: int
    is_all: bool

    @property
    def words(self) -> str:
        return str(self.number) if self.is_all else f"{self.number} or more"


class ApproverLooks(ApproverBase):
    """The part of :class:`ApproverClient` that sees.

    With a token a policy worker answers, which shows the approver's own fleets and nothing else; calls
    raise NotAuthorized, GuardTimeout and TierUnavailable then. Without a token they read Redis, with a
    credential that may read the records of every fleet (docs/read-model.md).
    """

    async def pending(
        self,
        *,
        limit: int = 50,
        after: int = 0,
        fleet: str | None = None,
        agent: str | None = None,
        risk: Iterable[SecurityRisk] = (),
        timeout: float = 30.0,
    ) -> list[Record]:
        """The confirmation set, the nearest deadline first; ``after`` skips as many.

        ``fleet``, ``agent`` and ``risk`` (the ratings) leave out the others. ``timeout`` is for each page
        of 100 that a policy worker is asked for.
        """
        wanted = _wanted(fleet, agent, risk)
        found: list[Record] = []
        size = min(after + limit, PAGE)
        async with aclosing(_in_order(self, wanted, size, timeout)) as records:
            async for record in records:
                if after:
                    after -= 1
                    continue
                found.append(record)
                if len(found) >= limit:
                    break
        return found

    async def parked(
        self,
        *,
        fleet: str | None = None,
        agent: str | None = None,
        risk: Iterable[SecurityRisk] = (),
        timeout: float = 30.0,
    ) -> AsyncGenerator[Record, None]:
        """All of the confirmation set, as :meth:`pending`, read page by page.

        What is parked, answered or given more time meanwhile may be missed, or seen twice.
        """
        async with aclosing(_in_order(self, _wanted(fleet, agent, risk), PAGE, timeout)) as records:
            async for record in records:
                yield record

    async def count(self, *, fleet: str | None = None, timeout: float = 30.0) -> int:
        """How many actions are parked at least, as far as they are shown to this approver.

        For a part of the fleets each action is looked at, about LOOK_AT at the most: :meth:`counted` says
        whether there may be more, and looks at all where it is given ``look_at=None``.
        """
        return (await self.counted(fleet=fleet, timeout=timeout)).number

    async def counted(
        self, *, fleet: str | None = None, look_at: int | None = LOOK_AT, timeout: float = 30.0
    ) -> Count:
        """The same, and whether these are all. ``look_at``: at about so many; None: at each, in 16 µs."""
        if self._signer is None and fleet is None:
            return Count(await self._records.count(), True)
        steps = max(1, look_at // COUNT_SCAN // self._partitions) if look_at else None
        counts = (_count_in(self, keys, fleet, timeout, steps) for keys in all_keys(self._partitions))
        found = await asyncio.gather(*counts)
        return Count(sum(one.number for one in found), all(one.is_all for one in found))

    async def get(self, action_id: str, *, timeout: float = 30.0) -> Record:
        """One action's record, in any state. Raises UnknownAction, also for another fleet's."""
        if self._signer is None:
            return await self._records.get(action_id)
        partition = partition_of(action_id)
        if partition is None or partition >= self._partitions:
            raise no_full_id(action_id)
        body = await _look(self, partition, timeout, what="action", action=action_id)
        return seen(body["action"])

    async def me(self, *, timeout: float = 30.0) -> Me:
        """Who this approver is to the tier, and what they may. Raises NotAuthorized for a wrong token."""
        return Me.model_validate((await _look(self, 0, timeout, what="me"))["me"])

    async def whose(self, subject: str, *, timeout: float = 30.0) -> Me:
        """The approver whom an identity provider calls so; for a console that may vouch for them.

        Raises NotAuthorized where it is nobody, or nobody of this console's.
        """
        return Me.model_validate((await _look(self, 0, timeout, what="whose", subject=subject))["me"])


async def _in_order(
    client: ApproverLooks, wanted: Wanted, size: int, timeout: float
) -> AsyncGenerator[Record, None]:
    """The parked actions of all partitions, the nearest deadline first, each page when it is needed."""
    sources = [_Source(client, keys, wanted, size, timeout) for keys in all_keys(client._partitions)]
    await asyncio.gather(*(source.fill() for source in sources))
    heads = [source.head for source in sources if source.page]
    heapq.heapify(heads)
    while heads:
        source = sources[heads[0][2]]
        yield source.page.pop()
        if not source.page:
            await source.fill()
        if source.page:
            heapq.heapreplace(heads, source.head)
        else:
            heapq.heappop(heads)


class _Source:
    """The parked actions of one partition: the page that is being used up, the nearest deadline last."""

    def __init__(
        self, client: ApproverLooks, keys: Keys, wanted: Wanted, size: int, timeout: float
    ) -> None:
        self._client, self._keys, self._wanted = client, keys, wanted
        self._size, self._timeout = size, timeout
        self._after: str | None = ""
        self.page: list[Record] = []

    @property
    def head(self) -> tuple[int, str, int]:
        return self.page[-1].deadline or 0, self.page[-1].id, self._keys.partition

    async def fill(self) -> None:
        """Read pages until one has something in it, or there is no more."""
        while not self.page and self._after is not None:
            found = await _page_of(
                self._client, self._keys, self._wanted, self._after, self._size, self._timeout
            )
            self.page, self._after = found.records[::-1], found.after


async def _page_of(
    client: ApproverLooks, keys: Keys, wanted: Wanted, after: str, limit: int, timeout: float
) -> ParkedPage:
    if client._signer is None:
        return await parked_page(client._redis, keys, wanted, after=after, limit=limit)
    (fleet,) = wanted.fleets or (None,)
    risk = tuple(sorted(wanted.risks, key=str))
    body = await _look(
        client,
        keys.partition,
        timeout,
        what="page",
        after=after,
        limit=limit,
        fleet=fleet,
        agent=wanted.agent,
        risk=risk,
    )
    return ParkedPage([seen(one) for one in body["parked"]], body["after"])


async def _count_in(
    client: ApproverLooks, keys: Keys, fleet: str | None, timeout: float, steps: int | None
) -> Count:
    """How many are parked in one partition, counted in steps of bounded work, so many at the most."""
    counted, after = 0, ""
    for done in count(1):
        more: str | None
        if client._signer is None:
            fleets = frozenset({fleet}) if fleet else None
            step, more = await parked_count(client._redis, client._pipe, keys, fleets, after=after)
        else:
            body = await _look(client, keys.partition, timeout, what="count", after=after, fleet=fleet)
            step, more = body["count"], body["after"]
        counted += step
        if more is None or done == steps:
            return Count(counted, more is None)
        after = more
    raise AssertionError("numbers end")


async def _look(client: ApproverLooks, partition: int, timeout: float, **asked: Any) -> dict[str, Any]:
    """Ask a policy worker; the body of its answer. Raises what it refuses with."""
    signer = client._credentials()
    async with client._looking[partition], client._within(timeout):
        request = LookRequest(
            id=f"{token_hex(12)}.{partition}",
            client=client._client_id,
            approver=signer.name,
            at=int(time() * 1000),
            **asked,
        )
        fields = request.to_fields(signer.proof(request))
        reply = await client._replies.ask(client._wait(request.id, partition, fields), partition)
    body: dict[str, Any] = orjson.loads(reply.body or b"{}")
    return body


def _wanted(fleet: str | None, agent: str | None, risk: Iterable[SecurityRisk]) -> Wanted:
    for field, value, fits in (("fleet", fleet, is_name), ("agent", agent, is_label)):
        if value is not None and not fits(value):
            raise ConfigError(f"no {field} can be called {value[:80]!r}", field=field)
    return Wanted(frozenset({fleet}) if fleet else None, agent, frozenset(risk))
