"""AnalyzerWorker: what agents ask, first stage: read, rate, record."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from guardtier.action import ActionEvent, is_name
from guardtier.analyzers.ensemble import EnsembleSecurityAnalyzer
from guardtier.analyzers.registry import ensemble
from guardtier.assessment import Assessment
from guardtier.errors import (
    ActionConflict,
    AnalysisFailed,
    GuardtierError,
    InvalidAction,
    TurnedAway,
)
from guardtier.settings import Settings
from guardtier.state import State
from guardtier.store.delivery import Delivery
from guardtier.store.keys import ANALYZERS
from guardtier.store.opened import open_page
from guardtier_workers.consumer import StreamWorker
from guardtier_workers.envelope import action_of, check_place, client_of
from guardtier_workers.keeper import Keeper
from guardtier_workers.lane import Lane
from guardtier_workers.memory import Memory
from guardtier_workers.outcome import OutcomeReader, secret_rules_of
from guardtier_workers.quotas import STRAYS, Quotas
from guardtier_workers.rating import Rating
from guardtier_workers.reading import Streams
from guardtier_workers.refusals import check_found, halted, label_in, not_accepted, not_redeemable, not_run
from guardtier_workers.shedding import Shedding
from guardtier_workers.whose import record_of, whose, whose_to_redeem

if TYPE_CHECKING:
    from guardtier_workers.ask import Pools

OPERATIONS = (b"submit", b"poll", b"redeem", b"pending", b"observe")
RAN = frozenset({State.RELEASED, State.REDEEMED})
MAX_OUTPUT = 64 * 1024  #: bytes of an observed output


class AnalyzerWorker(StreamWorker):
    """Rates submitted actions, and answers polls and redeems, of every fleet."""

    group: ClassVar[str] = ANALYZERS
    kind: ClassVar[str] = "analyzer"

    def __init__(
        self,
        settings: Settings,
        *,
        analyzers: EnsembleSecurityAnalyzer | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(settings, name=name)
        self._pools = _pools(settings, self.name) if settings.pools and analyzers is None else None
        self.ensemble = analyzers or ensemble(
            settings.analyzers,
            time_limit=settings.analyzer_seconds,
            propagate_unknown=settings.propagate_unknown,
            tables=settings.analyzer,
            remote=self._pools.child if self._pools else None,
        )
        self._keeper = Keeper(settings, self._redis, partial(secret_rules_of, self.ensemble))
        wants = self.ensemble.wants_history
        self.memory = Memory(settings, self.ensemble, self._keeper) if wants else None
        self._rating = Rating(self.ensemble, self.memory)
        self._outcomes = OutcomeReader(self.ensemble) if self.memory else None
        self._quotas = Quotas(settings)
        self.pipes.append(self._quotas.pipe)
        self._shedding = Shedding(settings)
        self.pipes.append(self._shedding.pipe)

    async def run(self, stop: asyncio.Event) -> None:
        try:
            async with self._pools or nullcontext():
                await super().run(stop)
        finally:
            await self._quotas.close()
            await self._shedding.close()
            if self.memory is not None:
                await self.memory.close()
            await self.ensemble.aclose()

    def loops(self, lane: Lane) -> list[Coroutine[Any, Any, None]]:
        return [*super().loops(lane), self._shedding.watch(lane)]

    async def prepare(self) -> None:
        """And the key for fingerprints is there before the first action: else all would wait for it."""
        await super().prepare()
        await self._keeper.ready()

    def says(self, partition: int) -> dict[str, Any]:
        """And what its child analyzers took, in all partitions together."""
        return super().says(partition) | {"children": self._rating.times.by_child}

    async def streams(self, partition: int) -> Streams:
        keys = self.lanes[partition].keys
        fleets = await self.upkeep.fleets(partition)
        return {keys.actions(fleet): fleet for fleet in fleets} | {keys.strays: None, keys.edits: None}

    async def handle(self, lane: Lane, delivery: Delivery) -> None:
        if delivery.stream == lane.keys.edits:
            await self._rate_edit(lane, delivery)
            return
        try:
            await self._serve(lane, delivery, client_of(delivery))
        except TurnedAway as error:
            await self._shedding.turn_away(lane, delivery, error)
        except GuardtierError as error:
            await self._refuse_within_quota(lane, delivery, error)

    async def bury(self, lane: Lane, delivery: Delivery) -> None:
        """Park the action unrated, so that a person sees it; refuse what can't even be read."""
        why = f"delivered {delivery.deliveries - 1} times without an answer"
        if delivery.stream == lane.keys.edits:
            failure = Assessment.of_failure(f"The edited action could not be analyzed: {why}.")
            await self._keeper.rated(lane, delivery, delivery.action, failure)
            return
        try:
            if delivery.deliveries > self.settings.max_deliveries + 1:
                raise AnalysisFailed(f"the action could not be read: {why}", field="payload")
            if delivery.fields.get(b"op", b"submit") != b"submit":
                raise AnalysisFailed(f"the request could not be served: {why}", field="op")
            client = client_of(delivery)
            action = action_of(delivery)
            failure = Assessment.of_failure(f"The action could not be analyzed: {why}.")
            await self._record(lane, delivery, client, action, failure, dead_letter=why)
            if self.memory is not None:
                await self.memory.catch_up(action, None)
        except GuardtierError as error:
            await self._refuse(lane, delivery, error, dead_letter=why)

    async def _serve(self, lane: Lane, delivery: Delivery, client: str) -> None:
        operation = delivery.fields.get(b"op", b"submit")
        if operation == b"submit":
            await self._rate(lane, delivery, client)
        elif operation == b"poll":
            check_place(delivery)
            agent, conversation = await whose(lane, delivery.id)
            await self._quotas.admit(delivery.fleet or STRAYS, agent, polls=True)
            done = await lane.ledger.poll(delivery, client=client, agent=agent, conversation=conversation)
            check_found(done.what, delivery.id)
        elif operation == b"redeem":
            check_place(delivery)
            token = delivery.text(b"token")
            if not is_name(token):
                raise InvalidAction("token must be 1 to 64 letters, digits, _ or -", field="token")
            agent, conversation = await whose_to_redeem(lane, delivery.id)
            done = await lane.ledger.redeem(
                delivery, client=client, agent=agent, conversation=conversation, token=token
            )
            check_found(done.what, delivery.id)
            if done.what == "edited":
                raise not_accepted(delivery.id)
            if done.what == "wrong":
                raise not_redeemable(delivery.id, done.state)
            if done.what == "halted":
                raise halted(delivery.id, done.more)
        elif operation == b"observe":
            await self._observe(lane, delivery, client)
        elif operation == b"pending":
            await self._list(lane, delivery, client)
        else:
            raise InvalidAction(
                f"op must be one of {', '.join(o.decode() for o in OPERATIONS)}", field="op"
            )

    async def _rate(self, lane: Lane, delivery: Delivery, client: str) -> None:
        action = action_of(delivery)
        await self._quotas.admit(action.fleet, action.agent)
        rated = await self._rating.rate(action)
        await self._record(lane, delivery, client, action, rated.assessment)
        await self._rating.catch_up(action, rated)

    async def _rate_edit(self, lane: Lane, delivery: Delivery) -> None:
        """Rate what an approver made of an action: under its id, as a further one of its conversation."""
        action = delivery.action
        rated = await self._rating.rate(action)
        await self._keeper.rated(lane, delivery, action, rated.assessment)
        await self._rating.catch_up(action, rated)

    async def _observe(self, lane: Lane, delivery: Delivery, client: str) -> None:
        """What the output shows is written down before the agent is told, so before it asks again."""
        check_place(delivery)
        output = delivery.fields.get(b"payload", b"")
        if len(output) > MAX_OUTPUT:
            raise InvalidAction(
                "the output is too long: send its beginning", field="payload", limit=MAX_OUTPUT
            )
        record = await record_of(lane, delivery.id)
        if record.fleet != delivery.fleet:
            check_found("unknown", delivery.id)
        await self._quotas.admit(record.fleet, record.agent, polls=True)
        if record.state not in RAN:
            raise not_run(delivery.id, record.state)
        if self.memory is not None and self._outcomes is not None:
            rated = record.assessment
            note = self.memory.note(record.action, rated.findings, rated.risk)
            outcome = self._outcomes.read(output.decode("utf-8", "replace"), note)
            await self.memory.observe(record.action, outcome.labels, outcome.secrets, more=outcome.more)
        done = await lane.ledger.observe(delivery, client=client)
        check_found(done.what, delivery.id)
        if done.what == "wrong":
            raise not_run(delivery.id, done.state)

    async def _list(self, lane: Lane, delivery: Delivery, client: str) -> None:
        """Tell an agent what it has not finished: what ``get_unmatched_actions`` is in one process."""
        check_place(delivery)
        agent, conversation = label_in(delivery, b"agent"), None
        if b"conversation" in delivery.fields:
            conversation = label_in(delivery, b"conversation")
        await self._quotas.admit(delivery.fleet or STRAYS, agent, polls=True)
        page = await open_page(
            lane.redis,
            lane.keys,
            fleet=delivery.fleet or "",
            agent=agent,
            conversation=conversation,
            after=delivery.text(b"after"),
        )
        await lane.ledger.listed(
            delivery, client=client, agent=agent, listing=page.to_json(), over=page.over
        )

    async def _record(
        self,
        lane: Lane,
        delivery: Delivery,
        client: str,
        action: ActionEvent,
        assessment: Assessment,
        *,
        dead_letter: str = "",
    ) -> None:
        kept = await self._keeper.kept(delivery, action, assessment)
        done = await lane.ledger.assess(
            delivery,
            client=client,
            action=action,
            event=kept.event,
            assessment=kept.assessment,
            dead_letter=dead_letter,
            redacted=kept.listed,
            rules=" ".join(kept.rules),
            shown=kept.shown,
        )
        if done.what == "ahead":
            raise InvalidAction("its entry is dated ahead of Redis' clock: add it as '*'", field="entry")
        if done.what == "conflict":
            raise ActionConflict(
                f"id {action.id} is known under another digest: give every action an id of its own",
                field="id",
            )

    async def _refuse_within_quota(self, lane: Lane, delivery: Delivery, error: GuardtierError) -> None:
        """Each refusal is a line in the audit stream, so what is refused draws on the fleet's quota too."""
        try:
            await self._quotas.admit(delivery.fleet or STRAYS, None)
        except TurnedAway as spent:
            await self._shedding.turn_away(lane, delivery, spent)
        else:
            await self._refuse(lane, delivery, error)

    async def _refuse(
        self, lane: Lane, delivery: Delivery, error: GuardtierError, *, dead_letter: str = ""
    ) -> None:
        fleet, client = delivery.sender
        reply = lane.keys.reply(fleet, client) if fleet and client else None
        if delivery.stream == lane.keys.strays and client:
            reply = await self._stray_reply(lane, delivery, client)
        why = dead_letter or ("" if reply else "the sender can't be told")
        await lane.ledger.refuse(
            delivery,
            await self._keeper.refused(delivery, error),
            reply=reply,
            sender=f"{fleet or delivery.text(b'fleet')[:64]}/{client or '?'}",
            dead_letter=why,
            payload=await self._keeper.buried(delivery) if why else b"",
            wipe=True,
        )

    async def _stray_reply(self, lane: Lane, delivery: Delivery, client: str) -> str | None:
        """A stray names its own fleet; never tell one that exists: it would be somebody else's."""
        fleet = delivery.text(b"fleet")
        if not is_name(fleet) or fleet in await self.upkeep.fleets(lane.keys.partition):
            return None
        return lane.keys.reply(fleet, client)


def _pools(settings: Settings, worker: str) -> Pools:
    from guardtier_workers.ask import Pools  # here, so that a tier without pools does without arq

    return Pools(settings, worker)
