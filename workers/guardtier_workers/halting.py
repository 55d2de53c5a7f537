"""Halting: approvers' requests to halt and to resume, and halts that scripts have set elsewhere."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from hashlib import sha256

import orjson

from guardtier.errors import NotAuthorized, UnknownFleet, WrongState
from guardtier.policy.halts import (
    Halt,
    HaltReport,
    HaltRequest,
    ResumeRequest,
    Scope,
)
from guardtier.policy.request import SignedRequest
from guardtier.store.delivery import Delivery
from guardtier.store.records import Records
from guardtier_workers.approvers import Approvers
from guardtier_workers.clock import now_ms
from guardtier_workers.halt_report import unstopped
from guardtier_workers.halt_sweep import Sweep
from guardtier_workers.keeper import Keeper
from guardtier_workers.lane import Lane
from guardtier_workers.proving import asked_by

log = logging.getLogger(__name__)

OPERATIONS = (b"halt", b"resume")
_NOT_THIS = b"\0"  # no halt is kept like this: resume.lua finds another one, or that it was done before


class Halting:
    """Lets requests take effect. What is wrong with one is raised: the caller tells the approver."""

    def __init__(
        self,
        approvers: Approvers,
        records: Records,
        keeper: Keeper,
        lanes: Callable[[], Sequence[Lane]],
    ) -> None:
        self._approvers = approvers
        self._keeper = keeper
        self._records = records
        self._lanes = lanes

    async def serve(self, lane: Lane, delivery: Delivery) -> None:
        if delivery.fields.get(b"op") == b"halt":
            await self._halt(lane, delivery)
        else:
            await self._resume(lane, delivery)

    async def spread(self, partition: int, action_id: str, body: bytes) -> None:
        """An entry of the outbox: a halt that a script set there counts in every other partition too."""
        halt = Halt.model_validate_json(body)
        scope = Scope.of_key(halt.scope)
        for lane in self._lanes():
            if lane.keys.partition != partition:
                await lane.ledger.spread(
                    action_id,
                    scope=scope.key,
                    fleet=scope.fleet,
                    halt=body,
                    at=halt.at,
                    by=halt.by,
                    reason=halt.reason,
                )

    async def _halt(self, lane: Lane, delivery: Delivery) -> None:
        """First nothing new gets through; then what is parked is seen to; then it is reported."""
        request, proof = HaltRequest.from_fields(delivery.fields)
        self._check_may(request, request.scope, proof, delivery.partition)
        scope = request.scope
        made = Halt(
            reason=await self._keeper.words(scope.fleet, request.reason),
            by=request.approver,
            at=now_ms(),
            then=request.then,
            scope=scope.key,
        )
        done = await lane.ledger.halt(
            delivery,
            scope=scope.key,
            fleet=scope.fleet,
            halt=made.to_json(),
            by=made.by,
            reason=made.reason,
        )
        if done.what == "unknown":
            raise _unknown(scope.fleet)
        raw = done.state.encode()
        if done.what == "again":
            made = Halt.model_validate_json(raw)
        log.info("%s is halted by %s", scope.words, made.by)
        sweep = Sweep(lane, delivery, self._records, scope, made, raw)
        await sweep.run(reject=request.reject_parked)
        report = HaltReport(
            partition=lane.keys.partition,
            scope=scope,
            halt=made,
            rejected=sweep.rejected,
            waiting=sweep.waiting,
            standing=await lane.redis.hget(lane.keys.halts, scope.key) == raw,  # type: ignore[misc]
        )
        report = await unstopped(lane, self._records, report)
        await lane.ledger.reported(delivery, what="halted", body=report.to_json(), told=request.client)

    async def _resume(self, lane: Lane, delivery: Delivery) -> None:
        request, proof = ResumeRequest.from_fields(delivery.fields)
        self._check_may(request, request.scope, proof, delivery.partition)
        scope = request.scope
        raw = await lane.redis.hget(lane.keys.halts, scope.key) or b""  # type: ignore[misc]
        seen = sha256(raw).hexdigest() == request.lifts
        done = await lane.ledger.resume(
            delivery,
            scope=scope.key,
            fleet=scope.fleet,
            halt=raw if seen else _NOT_THIS,
            by=request.approver,
            reason=await self._keeper.words(scope.fleet, request.reason),
            details=orjson.dumps({"scope": scope.key}),
            told=request.client,
        )
        if done.what == "unknown":
            raise _unknown(scope.fleet)
        if done.what == "moved":
            raise WrongState(
                f"the halt of {scope.words} is not the one that this would lift: look at it again",
                field="lifts",
            )

    def _check_may(self, request: SignedRequest, scope: Scope, proof: str, partition: int) -> None:
        approver = asked_by(request, proof, self._approvers, partition)
        if not approver.may_halt(scope.fleet):
            raise NotAuthorized(
                f"{approver.name} may not halt {scope.fleet}: the approvers file must say "
                'may = ["answer", "halt"] and name the fleet',
                field="may",
            )


def _unknown(fleet: str) -> UnknownFleet:
    return UnknownFleet(f"no fleet {fleet!r} is registered: guardtier fleet add {fleet}", field="fleet")
