"""GuardClient: how an agent asks the tier before it runs a tool."""

from __future__ import annotations

import asyncio
from secrets import token_hex

from guardtier.action import ActionEvent
from guardtier.client_base import GuardBase
from guardtier.errors import InvalidAction
from guardtier.limit import Limit
from guardtier.patience import patiently
from guardtier.replies import Reply
from guardtier.state import State
from guardtier.status import Observed, Pending, Status, read_page, status_of, verdict_of
from guardtier.store.keys import partition_for
from guardtier.verdict import Outcome, Verdict
from guardtier.verifying import check_time, now_ms

__all__ = ["DEFAULT_TIMEOUT", "GuardClient", "Observed", "Pending", "Status"]

DEFAULT_TIMEOUT = 600.0  #: seconds; a person may have to answer
MAX_OUTPUT = 64 * 1024  #: bytes of an output that are sent


class GuardClient(GuardBase):
    """Asks for any number of agents of one fleet, over one reply connection.

    Used as ``async with GuardClient(url, fleet="web") as guard: verdict = await guard.check(action)``.
    Run the tool where ``verdict.allowed``; on any exception, do not. ``client_id`` must be unique among
    running clients; leave it out unless you have a reason. With ``accept_edits`` approvers may change the
    arguments: run ``verdict.apply(action)`` then, never the action itself. With ``replicas`` (0 to 64, by
    default what GUARDTIER_REPLICAS says) a verdict that allows a run counts once so many replicas of Redis
    have it, so that a failover can't take it back.

    ``verdict_keys`` are the tier's public keys, or a file of them, by default what GUARDTIER_VERDICT_KEYS
    says (docs/signatures.md): then nothing is believed that they have not signed. Without any, verdicts
    are believed unsigned. Raises ConfigError for keys that can't be used.
    """

    async def check(
        self,
        action: ActionEvent,
        *,
        timeout: float | None = DEFAULT_TIMEOUT,
        wait_for_quota: bool = False,
    ) -> Verdict:
        """Ask, and wait for the verdict. A person's approval is redeemed: it allows one run.

        Raises GuardTimeout where there is no verdict within ``timeout`` seconds, TierUnavailable where
        Redis is away or refuses, DigestMismatch where the verdict is about another action (EditedAction
        where an approver changed this one), BadSignature and StaleVerdict where keys were given and none
        signed it, or its time is over, and the typed errors of a refusal. QuotaExceeded and QueueFull say
        when to ask again (``retry_after``); with ``wait_for_quota`` it does so itself, within ``timeout``.
        Whatever it raises, the tool must not run.
        """
        action = self._placed(action)
        async with Limit(self, action.id, timeout):
            if wait_for_quota:
                return await patiently(lambda: self._checked(action))
            return await self._checked(action)

    async def submit(self, action: ActionEvent, *, timeout: float | None = 30.0) -> Status:
        """Publish an action and return once the tier has rated it, with its full id.

        Keep the id: after a restart, :meth:`poll` and :meth:`redeem` need it.
        """
        action = self._placed(action)
        async with Limit(self, action.id, timeout):
            request = self._submit_request(action)
            return self._status(await self._ask(request, action.id, _is_parked_or_decided), action)

    async def poll(self, action: ActionEvent | str, *, timeout: float | None = 30.0) -> Status:
        """Where an earlier action stands. Given the action itself, its digest is checked as well.

        Raises UnknownAction where the fleet has no such action.
        """
        action_id = action if isinstance(action, str) else self._placed(action).id
        async with Limit(self, action_id, timeout):
            reply = await self._ask(self._request(action_id, b"poll"), action_id, _is_any)
            return self._status(reply, None if isinstance(action, str) else action)

    async def redeem(self, action: ActionEvent, *, timeout: float | None = 30.0) -> Verdict:
        """Use the approval of an earlier action: it then allows one run, here.

        Raises AlreadyRedeemed where it has been used, WrongState where there is none.
        """
        action = self._placed(action)
        async with Limit(self, action.id, timeout):
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
        async with Limit(self, action_id, timeout):
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
        async with Limit(self, f"what is pending of {agent[:128]}", timeout):
            asked = {"agent": agent} | ({"conversation": conversation} if conversation is not None else {})
            pages = (self._open_in(partition, asked, limit) for partition in range(self._partitions))
            found = await asyncio.gather(*pages)
        actions = {status.id: status for listed, _ in found for status in listed}
        more = any(rest for _, rest in found) or len(actions) > limit
        return Pending(tuple(actions.values())[:limit], more)

    def still_good(self, verdict: Verdict) -> None:
        """Look right before a run, where time has passed since this client told the verdict.

        Raises StaleVerdict where it is over by now (a release is, in minutes), and UnknownKey where its key
        was taken away. Whatever it raises, the tool must not run.
        """
        if self._verifier is not None:
            self._verifier.again(verdict)
        elif verdict.valid_until is not None:
            check_time(verdict, now_ms())

    def partition_for(self, name: str) -> int:
        """The partition that every client of this tier finds for a name: for ids that outlive a client."""
        return partition_for(name, self._partitions)

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
        return status_of(reply, action, accept_edits=self._accept_edits, sealed=self._verifier is not None)

    async def _checked(self, action: ActionEvent) -> Verdict:
        reply = await self._ask(self._submit_request(action), action.id, _is_decided)
        verdict = self._verdict(reply, action)
        return await self._redeem(action) if verdict.outcome is Outcome.APPROVED else verdict

    async def _redeem(self, action: ActionEvent) -> Verdict:
        token = token_hex(12)
        request = (
            self._request(action.id, b"redeem") | {"token": token, "agent": action.agent} | self._accepts
        )
        reply = await self._ask(request, action.id, lambda found: found.token == token)
        verdict = self._verdict(reply, action)
        if self._verifier is not None and verdict.allowed:
            self._used.use(verdict)
        return verdict

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
            listed, after = read_page(reply.body or b"")
            found |= {status.id: status for status in listed}
            if not after or len(found) > limit:
                return list(found.values()), bool(after)


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
