"""Retrying: an approver has a dead letter tried again. What is wrong is raised: the caller tells them."""

from __future__ import annotations

import logging

from guardtier.errors import NotAuthorized, UnknownDeadLetter, WrongState
from guardtier.policy.halts import Halt
from guardtier.policy.retry import RetryRequest
from guardtier.store.dead import DeadLetter, DeadLetters
from guardtier.store.delivery import Delivery
from guardtier_workers.approvers import EVERY_FLEET, Approver, Approvers
from guardtier_workers.keeper import Keeper
from guardtier_workers.lane import Lane
from guardtier_workers.proving import asked_by

log = logging.getLogger(__name__)


async def retry(lane: Lane, delivery: Delivery, approvers: Approvers, keeper: Keeper) -> None:
    """Put it back to work. A letter of another fleet is told as one that is not there."""
    request, proof = RetryRequest.from_fields(delivery.fields)
    approver = asked_by(request, proof, approvers, delivery.partition)
    name = f"{request.letter}.{delivery.partition}"
    letter = await DeadLetters(lane.redis, lane.settings.partitions).get(name)
    _check_may(approver, letter)
    if letter.why_not:
        raise WrongState(f"it can't be tried again: {letter.why_not}", field=letter.stream)
    if letter.op == "halt":
        await _check_stands(lane, letter)
    done = await lane.ledger.retry(
        delivery,
        letter=letter.entry,
        fleet=letter.fleet,
        by=approver.name,
        reason=await keeper.words(letter.fleet or "", request.reason),
        told=request.client,
    )
    if done.what == "unknown":
        raise _unknown(name)
    if done.what == "wrong":
        raise WrongState("it can't be tried again: it is not what the outbox had", field=letter.stream)
    log.info("%s has dead letter %s (%s) tried again", approver.name, name, letter.op)


async def _check_stands(lane: Lane, letter: DeadLetter) -> None:
    """A halt that was lifted meanwhile must not come back in the other partitions. (That it was is
    remembered there for an hour alone, and a dead letter stays for a week.)
    """
    try:
        scope = Halt.model_validate_json(letter.payload).scope
    except ValueError:
        return  # it fails once more, and says so
    if await lane.redis.hget(lane.keys.halts, scope) != letter.payload:  # type: ignore[misc]
        raise WrongState(
            "it can't be tried again: the halt was lifted, or another one took its place", field="halt"
        )


def _check_may(approver: Approver, letter: DeadLetter) -> None:
    fleet = letter.fleet or EVERY_FLEET  # where it can't be told: whoever has a right in every fleet
    if not approver.may_see(fleet):
        raise _unknown(letter.name)
    if not approver.may_halt(fleet):
        raise NotAuthorized(
            f"{approver.name} may not have work of fleet {fleet} tried again: the approvers file must say "
            'may = ["answer", "halt"] and name the fleet',
            field="may",
        )


def _unknown(name: str) -> UnknownDeadLetter:
    return UnknownDeadLetter(f"no dead letter {name} in your fleets", field="letter")
