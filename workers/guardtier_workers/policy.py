"""PolicyWorker: second stage: release or park what was rated, and judge approvers' answers."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, ClassVar

import orjson

from guardtier.errors import (
    AnalysisFailed,
    ConfigError,
    GuardtierError,
)
from guardtier.settings import Settings
from guardtier.store.delivery import Delivery
from guardtier.store.keys import POLICIES
from guardtier.store.records import Records
from guardtier_workers import cosigning
from guardtier_workers.answering import Answering
from guardtier_workers.approvers import Approvers
from guardtier_workers.authority import Authority
from guardtier_workers.blocks import Blocks
from guardtier_workers.configure import configure, configure_file
from guardtier_workers.consumer import StreamWorker
from guardtier_workers.copies import Copies
from guardtier_workers.deciding import Deciding, Schedule
from guardtier_workers.editing import Editing
from guardtier_workers.filecheck import check_file_beside, check_quorums
from guardtier_workers.grants.remembered import Remembered
from guardtier_workers.grants.requests import OPERATIONS as GRANTS
from guardtier_workers.grants.requests import serve as serve_grants
from guardtier_workers.halting import OPERATIONS as HALTS
from guardtier_workers.halting import Halting
from guardtier_workers.keeper import Keeper
from guardtier_workers.lane import Lane
from guardtier_workers.looking import look
from guardtier_workers.notices.plan import Planning, Put
from guardtier_workers.outbox import Handler, Outbox
from guardtier_workers.policies import Policies
from guardtier_workers.reading import Streams
from guardtier_workers.retrying import retry
from guardtier_workers.revising import Revising
from guardtier_workers.sealer import sealer, signing, signing_keys
from guardtier_workers.shown import Shown

log = logging.getLogger(__name__)

#: What may be asked on the answers stream besides an answer; a refusal is audited by its name.
_REQUESTS = frozenset({b"configure", b"configure_file", b"look", b"edit", b"retry", *HALTS, *GRANTS})


class PolicyWorker(StreamWorker):
    """Decides on assessed actions, and lets approvers' answers take effect."""

    group: ClassVar[str] = POLICIES
    kind: ClassVar[str] = "policy"

    def __init__(
        self,
        settings: Settings,
        *,
        schedule: Schedule | None = None,
        notices: Put | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(settings, name=name)
        keys = signing_keys(settings)
        self.seal, shown = sealer(settings, keys), Shown(keys)
        self._approvers = Approvers(settings.approvers_file)
        try:
            self._approvers.named("")
        except ConfigError as error:
            log.warning("nobody can answer: %s", error.message)  # until the file is mended
        self._records = Records(self._redis, settings.partitions)
        self._policies = Policies(settings, self._records)
        self._warn_of_quorums()
        self._remembered = Remembered(settings, self._records, self._approvers)
        self.pipes.append(self._remembered.pipe)
        copies = Copies(self._records)
        self._deciding = Deciding(
            settings, self._policies, self._records, self._remembered, schedule, copies.keep, shown
        )
        self._authority = Authority(self._approvers, self._records)
        self._keeper = Keeper(settings, self._redis)
        self._answering = Answering(
            self._authority, self._approvers, copies, self._keeper, shown, partitions=settings.partitions
        )
        self._editing = Editing(self._authority, self._keeper)
        self._revising = Revising(settings, self._authority, self._records, self._policies)
        self._halting = Halting(self._approvers, self._records, self._keeper, lambda: self.lanes)
        handlers: dict[str, Handler] = {
            "block": Blocks(lambda: self.lanes).spread,
            "halt": self._halting.spread,
            "grant": self._remembered.keep,
        }
        if notices is not None:
            handlers["notice"] = Planning(self._records, notices)
        self._outbox = Outbox(handlers)

    async def run(self, stop: asyncio.Event) -> None:
        try:
            await super().run(stop)
        finally:
            await self._remembered.close()

    async def join(self) -> None:
        await cosigning.check(self._redis, lambda: signing(self.seal)["keys"], name=self.name)

    def says(self, partition: int) -> dict[str, Any]:
        return super().says(partition) | signing(self.seal)

    async def streams(self, partition: int) -> Streams:
        keys = self.lanes[partition].keys
        return {keys.assessed: None, keys.answers: None, keys.outbox: None}

    async def handle(self, lane: Lane, delivery: Delivery) -> None:
        if delivery.stream == lane.keys.answers:
            try:
                await self._serve(lane, delivery, delivery.fields.get(b"op"))
            except GuardtierError as error:
                await self._refuse(lane, delivery, error)
        elif delivery.stream == lane.keys.outbox:
            await self._outbox.deliver(lane, delivery)
        elif delivery.fields.get(b"op") == b"edited":
            await self._revising.decide(lane, delivery)
        else:
            await self._deciding.decide(lane, delivery)

    async def _serve(self, lane: Lane, delivery: Delivery, op: bytes | None) -> None:
        """What approvers ask. Raises what they are to be told."""
        if op == b"configure":
            await configure(lane, delivery, self._approvers, self._records)
        elif op == b"look":
            await look(lane, delivery, self._approvers, self._records)
        elif op == b"configure_file":
            await configure_file(lane, delivery, self._approvers, self._records, self._check_file)
        elif op in HALTS:
            await self._halting.serve(lane, delivery)
        elif op == b"retry":
            await retry(lane, delivery, self._approvers, self._keeper)
        elif op == b"edit":
            await self._editing.edit(lane, delivery)
        elif op in GRANTS:
            await serve_grants(lane, delivery, self._approvers, self._remembered)
        else:
            await self._answering.answer(lane, delivery)

    async def bury(self, lane: Lane, delivery: Delivery) -> None:
        """Park what could not be decided; refuse an answer that could not be judged."""
        why = f"delivered {delivery.deliveries - 1} times without a decision"
        if delivery.stream == lane.keys.answers:
            error = AnalysisFailed(f"the answer could not be judged: {why}", field="answer")
            await self._refuse(lane, delivery, error, dead_letter=why)
            return
        if delivery.stream == lane.keys.outbox:
            await self._outbox.bury(lane, delivery, why)
        elif delivery.fields.get(b"op") == b"edited":
            await self._revising.bury(lane, delivery, why)
        else:
            await self._deciding.bury(lane, delivery, why)

    async def _check_file(self, text: str) -> None:
        """Raise ConfigError where a policy file must not count."""
        compiled = await check_file_beside(text, self.settings, name="the policy file")
        check_quorums(compiled, self._approvers.all(), "the policy file")

    def _warn_of_quorums(self) -> None:
        """Of those in the settings' own file: the people may come yet, so the worker starts."""
        own = self._policies.own_file
        try:
            if own is not None:
                check_quorums(own.compiled, self._approvers.all(), str(self.settings.policy_file))
        except ConfigError as error:
            log.warning("%s", error.message)

    async def _refuse(
        self, lane: Lane, delivery: Delivery, error: GuardtierError, *, dead_letter: str = ""
    ) -> None:
        client = delivery.sender.client
        reply = lane.keys.told(client) if client else None
        op = delivery.text(b"op")
        asks = delivery.fields.get(b"op") in _REQUESTS
        said = await self._keeper.refused(delivery, error)  # it may quote the arguments of an edit
        log.info("answer to %r refused: %s", delivery.id[:80], said.message[:500])
        await lane.ledger.refuse(
            delivery,
            said,
            event=f"{op.partition('_')[0]}_refused" if asks else "answer_refused",
            reply=reply,
            sender=_asked_by(delivery) if asks else delivery.text(b"approver")[:128],
            dead_letter=dead_letter or ("" if reply else "the sender can't be told"),
            wipe=op == "edit",  # it has arguments, and they may hold a secret
        )


def _asked_by(delivery: Delivery) -> str:
    """Who a request says it is from, for the audit line. Never raises: a forger may say anything."""
    try:
        said = orjson.loads(delivery.fields.get(b"request", b""))
        name = said["approver"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return "?"
    return name[:128] if isinstance(name, str) else "?"
