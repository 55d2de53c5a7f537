"""Editing: an approver's changed arguments are checked, and handed over to be rated (revising.py)."""

from __future__ import annotations

from collections.abc import Sequence

from guardtier.canonical import canonical
from guardtier.errors import (
    DigestMismatch,
    EditRefused,
    InvalidAnswer,
    WrongState,
)
from guardtier.policy.edit import Edit, EditRequest, Revised
from guardtier.policy.tally import Vote
from guardtier.redacted import has_marks
from guardtier.state import State
from guardtier.store.delivery import Delivery
from guardtier.store.ledger import Transition
from guardtier_workers.authority import Authority, Case
from guardtier_workers.keeper import Keeper
from guardtier_workers.lane import Lane

MOST_TURNS = 100  #: of looking anew; each time something else had changed meanwhile


class Editing:
    """Takes requests. What is wrong with one is raised, and told to the approver by the caller."""

    def __init__(self, authority: Authority, keeper: Keeper) -> None:
        self._authority = authority
        self._keeper = keeper

    async def edit(self, lane: Lane, delivery: Delivery) -> None:
        """Take a request: the edited action goes to the analyzer workers."""
        request, proof = EditRequest.from_fields(delivery.fields)
        for _ in range(MOST_TURNS):
            case = await self._authority.over(request, proof, lane)
            done = await self._taken(lane, delivery, request, proof, case)
            if done.what != "moved":
                _check_taken(done, request)
                return
        raise TimeoutError(f"{request.id} changed {MOST_TURNS} times meanwhile")

    async def _taken(
        self, lane: Lane, delivery: Delivery, request: EditRequest, proof: str, case: Case
    ) -> Transition:
        record, again = case.record, case.record.revised == proof
        if not again:
            _check_may_edit(request, case)
        edited = record.action if again else request.applied_to(record.action)
        edit = Edit(
            proof=proof,
            approver=case.approver.name,
            principal=case.approver.principal,
            client=request.client,
            entry=delivery.entry,
            at=request.at,
            was=request.digest,
            digest=edited.digest,
            reason=await self._keeper.words(record.fleet, request.reason),
        )
        return await lane.ledger.edit(
            delivery,
            fleet=record.fleet,
            told=request.client,
            seen="" if again else request.digest,  # what has taken effect must not be taken once more
            edit=self._authority.marks.edited(record.id, edit).to_json(),
            proof=proof,
            event=edited.to_json(),
            body=_stands(case).to_json() if again else b"",
        )


def _check_may_edit(request: EditRequest, case: Case) -> None:
    """Raise what the approver is told where the action can't be edited."""
    record, terms = case.record, case.terms
    if record.state is not State.PARKED:
        raise WrongState(
            f"{record.id} is {record.state.value}: it can't be edited any more", field=record.state.value
        )
    if request.digest != record.digest:
        raise _other_digest()
    if (
        request.at < record.revised_at
    ):  # as of answers: also where an undone edit has brought back the digest
        raise WrongState(
            f"the edit is older than the last one of {record.id}: look at it again", field="at"
        )
    check_last_word(case.approver.principal, request.at, case.votes, record.id)
    if not terms.may_edit:
        raise EditRefused(
            "the policy lets nobody edit this action: approve it, or reject it with a reason that says "
            "what to do instead",
            field="terms",
        )
    if not record.accepts_edits:
        raise EditRefused(
            "the agent's client takes no edited arguments: approve it, or reject it with a reason that "
            "says what to do instead",
            field="accepts",
        )
    if terms.reason_required and not request.reason.strip():
        raise InvalidAnswer("the policy wants a reason with every answer to this action", field="reason")
    if has_marks(canonical(request.arguments)):
        raise EditRefused(
            "the edit keeps a placeholder of a secret (redacted:…), and the tier does not have the secret: "
            "edit it so that it needs none, or reject it with a reason that says what to do instead",
            field="arguments",
        )


def check_last_word(principal: str, at: int, votes: Sequence[Vote], action_id: str) -> None:
    """Raise what its editor is told where they have answered since: the edit would approve in their name
    what they may have said no to.
    """
    if any(vote.principal == principal and vote.at >= at for vote in votes):
        raise WrongState(f"{principal} has answered {action_id} since: the later answer counts", field="at")


def _check_taken(done: Transition, request: EditRequest) -> None:
    if done.what == "busy":
        raise EditRefused(
            f"another edit of {request.id} is being rated: look at the action again in a moment",
            field="edit",
        )
    check_stands(done, request.id)


def check_stands(done: Transition, action_id: str) -> None:
    """Raise what the approver is told where the action is not what it was."""
    if done.what == "wrong":
        raise WrongState(
            f"{action_id} is {done.state or 'gone'}: it can't be edited any more", field=done.state
        )
    if done.what == "digest":
        raise _other_digest()
    if done.what == "late":
        raise WrongState(f"the deadline of {action_id} has passed", field="deadline")


def _other_digest() -> DigestMismatch:
    return DigestMismatch(
        "the edit is of another action than the one that is parked: look at it again", field="digest"
    )


def _stands(case: Case) -> Revised:
    """What stands of an edit that has taken effect: the action waits for more approvals."""
    record = case.record
    return Revised.of(record.id, record.digest, record.assessment, case.terms, case.votes)
