"""GuardClient: how an agent asks the tier before it runs a tool."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from secrets import token_hex
from typing import Any, Self

import orjson

from guardtier.action import ActionEvent, is_name, partition_of
from guardtier.errors import (
    ConfigError,
    GuardtierError,
    GuardTimeout,
    InvalidAction,
    TierUnavailable,
    UnknownFleet,
)
from guardtier.replies import Replies, Reply, Wait
from guardtier.state import State
from guardtier.status import Observed, Pending, Status, open_status, status_of, verdict_of
from guardtier.store.connection import connect
from guardtier.store.keys import Keys, partition_for
from guardtier.store.pipe import CommandPipe
from guardtier.verdict import Outcome, Verdict

__all__ = ["DEFAULT_TIMEOUT", "GuardClient", "Observed", "Pending", "Status"]

DEFAULT_TIMEOUT = 600.0  #: seconds; a person may have to answer
MAX_OUTPUT = 64 * 1024  #: bytes of an output that are sent


class GuardClient:
    """Asks for any number of agents of one fleet, over one reply connection.

    Used as ``async with GuardClient(url, fleet="web") as guard: verdict = await guard.check(action)``.
    Run the tool where ``verdict.allowed``; on any exception, do not. ``client_id`` must be unique among
    running clients; leave it out unless you have a reason. With ``accept_edits`` approvers may change the
    arguments: run ``verdict.apply(action)`` then, never the action itself.
    """

    def __init__(
        self,
        redis_url: str,
        *,
        fleet: str,
        client_id: str | None = None,
        partitions: int = 1,
        accept_edits: bool = False,
    ) -> None:
        for field, name in (("fleet", fleet), ("client_id", client_id)):
            if name is not None and not is_name(name):
                raise ConfigError(f"{field} must be 1 to 64 letters, digits, _ or -", field=field)
        self.fleet = fleet
        self.client_id = client_id or token_hex(8)
        self._accept_edits = accept_edits
        self._accepts = {"accepts": "edit"} if accept_edits else {}
        self._partitions = partitions
        self._partition = partition_for(self.client_id, partitions)
        self._redis = connect(redis_url)
        self._pipe = CommandPipe(self._redis, insist=False)
        self._replies = Replies(redis_url, lambda keys: keys.reply(fleet, self.client_id))

    async def check(self, action: ActionEvent, *, timeout: float | None = DEFAULT_TIMEOUT) -> Verdict:
        """Ask, and wait for the verdict. A person's approval is redeemed: it allows one run.

        Raises GuardTimeout where there is no verdict within ``timeout`` seconds, TierUnavailable where
        Redis is away or refuses, DigestMismatch where the verdict is about another action (EditedAction
        where an approver changed this one), and the typed errors of a refusal. Whatever it raises, the
        tool must not run.
        """
        action = self._placed(action)
        async with _Limit(self, action.id, timeout):
            reply = await self._ask(self._submit_request(action), action.id, _is_decided)
            verdict = self._verdict(reply, action)
            if verdict.outcome is Outcome.APPROVED:
                verdict = await self._redeem(action)
            return verdict

    async def submit(self, action: ActionEvent, *, timeout: float | None = 30.0) -> Status:
        """Publish an action and return once the tier has rated it, with its full id.

        Keep the id: after a restart, :meth:`poll` and :meth:`redeem` need it.
        """
        action = self._placed(action)
        async with _Limit(self, action.id, timeout):
            request = self._submit_request(action)
            return self._status(await self._ask(request, action.id, _is_parked_or_decided), action)

    async def poll(self, action: ActionEvent | str, *, timeout: float | None = 30.0) -> Status:
        """Where an earlier action stands. Given the action itself, its digest is checked as well.

        Raises UnknownAction where the fleet has no such action.
        """
        action_id = action if isinstance(action, str) else self._placed(action).id
        async with _Limit(self, action_id, timeout):
            reply = await self._ask(self._request(action_id, b"poll"), action_id, _is_any)
            return self._status(reply, None if isinstance(action, str) else action)

    async def redeem(self, action: ActionEvent, *, timeout: float | None = 30.0) -> Verdict:
        """Use the approval of an earlier action: it then allows one run, here.

        Raises AlreadyRedeemed where it has been used, WrongState where there is none.
        """
        action = self._placed(action)
        async with _Limit(self, action.id, timeout):
            return await self._redeem(action)

    async def observe(
        self, action: ActionEvent | str, output: str | bytes, *, timeout: float | None = 30.0
    ) -> Observed:
        """Report what came of an action that ran, so that later ones are rated by what was read.

        Of an output over 64 KiB the beginning and the end are sent. Raises WrongState where the action
        was not released (or approved and redeemed), UnknownAction where the fleet has no such action.
        """
        action_id = action if isinstance(action, str) else self._placed(action).id
        payload, whole = _bounded(output)
        async with _Limit(self, action_id, timeout):
            request = self._request(action_id, b"observe") | {"payload": payload}
            await self._ask(request, action_id, lambda reply: reply.observed)
            return Observed(action_id, whole)

    async def pending(
        self,
        agent: str,
        *,
        conversation: str | None = None,
        limit: int = 1000,
        timeout: float | None = 30.0,
    ) -> Pending:
        """What an agent has asked and not finished: waiting, or approved and not yet redeemed.

        For an agent that was restarted and has lost its ids: poll each, redeem what is approved. Asks
        every partition; of the partitions' answers at most about ``limit`` actions are kept.
        """
        async with _Limit(self, f"what is pending of {agent[:128]}", timeout):
            asked = {"agent": agent} | ({"conversation": conversation} if conversation is not None else {})
            pages = (self._open_in(partition, asked, limit) for partition in range(self._partitions))
            found = await asyncio.gather(*pages)
        actions = {status.id: status for listed, _ in found for status in listed}
        more = any(rest for _, rest in found) or len(actions) > limit
        return Pending(tuple(actions.values())[:limit], more)

    def partition_for(self, name: str) -> int:
        """The partition that every client of this tier finds for a name: for ids that outlive a client."""
        return partition_for(name, self._partitions)

    @property
    def trouble(self) -> str | None:
        """Why the tier can't be reached at the moment; None while it can."""
        return self._pipe.trouble or self._replies.trouble

    async def aclose(self) -> None:
        await self._replies.close()
        await self._pipe.close()
        await self._redis.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _placed(self, action: ActionEvent) -> ActionEvent:
        if action.fleet != self.fleet:
            raise InvalidAction(
                f"this client speaks for fleet {self.fleet!r}, the action is of {action.fleet!r}",
                field="fleet",
            )
        return action.placed_in(self._partition)

    def _verdict(self, reply: Reply, action: ActionEvent) -> Verdict:
        return verdict_of(reply, action, accept_edits=self._accept_edits)

    def _status(self, reply: Reply, action: ActionEvent | None) -> Status:
        return status_of(reply, action, accept_edits=self._accept_edits)

    async def _redeem(self, action: ActionEvent) -> Verdict:
        token = token_hex(12)
        request = (
            self._request(action.id, b"redeem") | {"token": token, "agent": action.agent} | self._accepts
        )
        reply = await self._ask(request, action.id, lambda found: found.token == token)
        return self._verdict(reply, action)

    async def _open_in(
        self, partition: int, asked: dict[str, str], limit: int
    ) -> tuple[list[Status], bool]:
        """The open actions in one partition, page after page; whether there are more."""
        found: dict[str, Status] = {}
        after = ""
        while True:
            name = f"{token_hex(12)}.{partition}"
            request = self._request(name, b"pending") | asked | {"after": after}
            reply = await self._ask(request, name, lambda reply: reply.body is not None)
            page = orjson.loads(reply.body or b"{}")
            found |= {row["id"]: open_status(row) for row in page["open"]}
            after = page["after"] or ""
            if not after or len(found) > limit:
                return list(found.values()), bool(after)

    def _submit_request(self, action: ActionEvent) -> dict[str, Any]:
        return self._request(action.id, b"submit") | {"payload": action.to_json()} | self._accepts

    def _request(self, action_id: str, operation: bytes) -> dict[str, Any]:
        return {"op": operation, "id": action_id, "client": self.client_id}

    async def _ask(self, request: dict[str, Any], action_id: str, wanted: Callable[[Reply], bool]) -> Reply:
        partition = partition_of(action_id)
        if partition is None:
            raise InvalidAction(
                f"{action_id[:100]!r} is no full action id: it must end with its partition",
                field="id",
            )
        stream = Keys(partition).actions(self.fleet)
        fields = [part for pair in request.items() for part in pair]

        def send(wait: Wait) -> None:
            # NOMKSTREAM: a fleet that nobody registered has no stream, and gets none by asking.
            sent = self._pipe.post("XADD", stream, "NOMKSTREAM", "*", *fields)
            sent.add_done_callback(lambda done: self._on_sent(done, wait, partition, fields))

        return await self._replies.ask(Wait(action_id, wanted, send), partition)

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
            "XADD", Keys(partition).strays, "NOMKSTREAM", "*", *fields, "fleet", self.fleet
        )

        def on_sent(done: asyncio.Future[Any]) -> None:
            if not done.cancelled():
                done.exception()  # NOPERM or away: the agent is told the same
            wait.fail(
                UnknownFleet(
                    f"no fleet {self.fleet!r} is registered: guardtier fleet add {self.fleet}",
                    field="fleet",
                )
            )

        stray.add_done_callback(on_sent)


class _Limit:
    """A time limit whose end is a GuardTimeout, or a TierUnavailable where Redis is away."""

    def __init__(self, client: GuardClient, action_id: str, seconds: float | None) -> None:
        self._client, self._action_id, self._seconds = client, action_id, seconds
        self._timeout = asyncio.timeout(seconds)

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            await self._timeout.__aexit__(kind, error, trace)
        except TimeoutError as late:
            what = f"no answer about {self._action_id} within {self._seconds:g} s"
            if self._client.trouble is not None:
                raise TierUnavailable(f"{what}: {self._client.trouble}") from late
            raise GuardTimeout(f"{what}: the tool must not run") from late


def _bounded(output: str | bytes) -> tuple[bytes, bool]:
    raw = output.encode("utf-8", "replace") if isinstance(output, str) else output
    if len(raw) <= MAX_OUTPUT:
        return raw, True
    end = MAX_OUTPUT // 4
    return raw[: MAX_OUTPUT - end - 1] + b"\n" + raw[-end:], False


def _is_any(_reply: Reply) -> bool:
    return True


def _is_decided(reply: Reply) -> bool:
    return reply.verdict is not None


def _is_parked_or_decided(reply: Reply) -> bool:
    return reply.verdict is not None or reply.state == State.PARKED


def _as_ours(error: BaseException) -> BaseException:
    if isinstance(error, GuardtierError):
        return error
    return TierUnavailable(f"the tier refused the request: {error}")
