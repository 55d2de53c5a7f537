"""PolicyWorker: second stage: release or park what was rated, and judge approvers' answers."""

from __future__ import annotations

import logging
from typing import ClassVar

from guardtier.errors import (
    AnalysisFailed,
    ConfigError,
    GuardtierError,
)
from guardtier.policy.standing import PolicyRequest
from guardtier.settings import Settings
from guardtier.store.delivery import Delivery
from guardtier.store.keys import POLICIES
from guardtier.store.records import Records
from guardtier_workers.answering import Answering
from guardtier_workers.approvers import Approvers
from guardtier_workers.authority import Authority
from guardtier_workers.blocks import Blocks
from guardtier_workers.configure import configure
from guardtier_workers.consumer import StreamWorker
from guardtier_workers.deciding import Deciding, Schedule
from guardtier_workers.lane import Lane, Streams
from guardtier_workers.looking import look
from guardtier_workers.outbox import Outbox
from guardtier_workers.policies import Policies

log = logging.getLogger(__name__)


#: How the audit stream calls a refused request, where it is no answer.
_REFUSALS = {b"configure": "configure_refused", b"look": "look_refused"}


class PolicyWorker(StreamWorker):
    """Decides on assessed actions, and lets approvers' answers take effect."""

    group: ClassVar[str] = POLICIES
    kind: ClassVar[str] = "policy"

    def __init__(
        self, settings: Settings, *, schedule: Schedule | None = None, name: str | None = None
    ) -> None:
        super().__init__(settings, name=name)
        self._approvers = Approvers(settings.approvers_file)
        try:
            self._approvers.named("")
        except ConfigError as error:
            log.warning("nobody can answer: %s", error.message)  # until the file is mended
        self._records = Records(self._redis, settings.partitions)
        self._policies = Policies(settings, self._records)
        self._deciding = Deciding(settings, self._policies, self._records, schedule)
        self._authority = Authority(self._approvers, self._records)
        self._answering = Answering(self._authority, partitions=settings.partitions)
        self._outbox = Outbox({"block": Blocks(lambda: self.lanes).spread})

    async def streams(self, partition: int) -> Streams:
        keys = self.lanes[partition].keys
        return {keys.assessed: None, keys.answers: None, keys.outbox: None}

    async def handle(self, lane: Lane, delivery: Delivery) -> None:
        if delivery.stream == lane.keys.answers:
            try:
                if delivery.fields.get(b"op") == b"configure":
                    await configure(lane, delivery, self._approvers, self._records)
                elif delivery.fields.get(b"op") == b"look":
                    await look(lane, delivery, self._approvers, self._records)
                else:
                    await self._answering.answer(lane, delivery)
            except GuardtierError as error:
                await self._refuse(lane, delivery, error)
        elif delivery.stream == lane.keys.outbox:
            await self._outbox.deliver(lane, delivery)
        else:
            await self._deciding.decide(lane, delivery)

    async def bury(self, lane: Lane, delivery: Delivery) -> None:
        """Park what could not be decided; refuse an answer that could not be judged."""
        why = f"delivered {delivery.deliveries - 1} times without a decision"
        if delivery.stream == lane.keys.answers:
            error = AnalysisFailed(f"the answer could not be judged: {why}", field="answer")
            await self._refuse(lane, delivery, error, dead_letter=why)
            return
        if delivery.stream == lane.keys.outbox:
            await self._outbox.bury(lane, delivery, why)
        else:
            await self._deciding.bury(lane, delivery, why)

    async def _refuse(
        self, lane: Lane, delivery: Delivery, error: GuardtierError, *, dead_letter: str = ""
    ) -> None:
        client = delivery.sender.client
        reply = lane.keys.told(client) if client else None
        answers = delivery.fields.get(b"op") != b"configure"
        log.info("answer to %s refused: %s", delivery.id[:80], error.message)
        await lane.ledger.refuse(
            delivery,
            error,
            event=_REFUSALS.get(delivery.fields.get(b"op", b""), "answer_refused"),
            reply=reply,
            sender=delivery.text(b"approver")[:128] if answers else _asked_by(delivery),
            dead_letter=dead_letter or ("" if reply else "the sender can't be told"),
        )


def _asked_by(delivery: Delivery) -> str:
    """Who a request says it is from, for the audit line."""
    try:
        return PolicyRequest.from_fields(delivery.fields)[0].approver
    except GuardtierError:
        return "?"
