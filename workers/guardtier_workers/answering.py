"""Answering: what an approver says takes effect, where it may."""

from __future__ import annotations

from guardtier.answer import Answer
from guardtier.errors import (
    DigestMismatch,
    GuardtierError,
    NotAuthorized,
    UnknownAction,
    WrongState,
)
from guardtier.store.delivery import Delivery
from guardtier.store.ledger import Transition
from guardtier.store.records import Record, Records
from guardtier.verdict import Verdict
from guardtier_workers.approvers import Approvers, Right
from guardtier_workers.clock import now_ms
from guardtier_workers.lane import Lane

ANSWER_MINUTES = 10  #: an answer's time may be so far from this worker's clock, either way


class Answering:
    """Judges answers. What is wrong with one is raised, and told to the approver by the caller."""

    def __init__(self, approvers: Approvers, records: Records) -> None:
        self._approvers = approvers
        self._records = records

    async def answer(self, lane: Lane, delivery: Delivery) -> None:
        answer, proof = Answer.from_fields(delivery.fields)
        record = await self._authorized(answer, proof, delivery.partition)
        verdict = Verdict(
            id=answer.id,
            outcome=answer.choice.outcome,
            digest=answer.digest,
            risk=record.assessment.risk,
            findings=record.assessment.findings,
            reason=answer.reason,
            policy=record.policy or "",
            decided_by=(answer.approver,),
            decided_at=now_ms(),
        )
        done = await lane.ledger.resolve(
            delivery,
            verdict,
            fleet=record.fleet,
            agent=record.agent,
            waiters=record.waiters,
            approver=answer.approver,
            proof=proof,
            told=answer.client,
        )
        _check_resolved(done, answer)

    async def _authorized(self, answer: Answer, proof: str, partition: int) -> Record:
        """The record that this approver may answer. Raises what the approver is to be told."""
        approver = self._approvers.named(answer.approver)
        if approver is None or not answer.is_proved_by(proof, bytes.fromhex(approver.key)):
            raise NotAuthorized("the answer does not prove a known approver", field="approver")
        if Right.ANSWER not in approver.may:
            raise NotAuthorized(f"{approver.name} may not answer", field="may")
        if abs(answer.at - now_ms()) > ANSWER_MINUTES * 60_000:
            raise NotAuthorized(
                f"the answer's time is more than {ANSWER_MINUTES} minutes off: check the clocks",
                field="at",
                limit=ANSWER_MINUTES,
            )
        try:
            record = await self._records.get(answer.id)
        except GuardtierError as error:
            raise UnknownAction(error.message, field="id") from error
        if not approver.may_answer(record.fleet):
            raise UnknownAction(f"no action {answer.id} in your fleets", field="id")
        if record.action.agent == approver.name:
            raise NotAuthorized("nobody answers their own action", field="approver")
        return record


def _check_resolved(done: Transition, answer: Answer) -> None:
    """Raise what the approver is told where the answer did not take effect."""
    if done.what == "wrong":
        raise WrongState(
            f"{answer.id} is {done.state or 'gone'}: it can't be answered any more",
            field=done.state,
        )
    if done.what == "digest":
        raise DigestMismatch(
            "the answer is about another digest than the parked action's: look at it again",
            field="digest",
        )
    if done.what == "late":
        raise WrongState(f"the deadline of {answer.id} has passed", field="deadline")
