"""Editing: an approver's changed arguments are checked, rated, judged by the policy, and take effect."""

from __future__ import annotations

from guardtier.action import ActionEvent
from guardtier.answer import Choice
from guardtier.assessment import Assessment
from guardtier.errors import (
    AnalysisFailed,
    DigestMismatch,
    EditRefused,
    GuardtierError,
    InvalidAnswer,
    NotAuthorized,
    UnknownAction,
    WrongState,
)
from guardtier.policy.edit import Edit, EditRequest, Revised, is_riskier, stricter
from guardtier.policy.ruling import Effect, Ruling
from guardtier.policy.tally import Vote, principals, tally, votes_to_json
from guardtier.policy.terms import Terms
from guardtier.state import State
from guardtier.store.delivery import Delivery
from guardtier.store.edits import Revision
from guardtier.store.ledger import Circumstances, Transition
from guardtier.store.records import Record, Records
from guardtier_workers.authority import Authority, Case
from guardtier_workers.counting import details_of, verdict_by
from guardtier_workers.deciding import facts_of
from guardtier_workers.lane import Lane
from guardtier_workers.policies import Policies
from guardtier_workers.stopping import stop_under

MOST_TURNS = 100  #: of looking anew; each time something else had changed meanwhile


class Editing:
    """What is wrong with a request is raised, and told to the approver by the caller; what is wrong with
    an edit that was rated, is told here.
    """

    def __init__(self, authority: Authority, records: Records, policies: Policies) -> None:
        self._authority = authority
        self._records = records
        self._policies = policies

    async def edit(self, lane: Lane, delivery: Delivery) -> None:
        """Take a request: the edited action goes to the analyzer workers."""
        request, proof = EditRequest.from_fields(delivery.fields)
        for _ in range(MOST_TURNS):
            case = await self._authority.over(request, proof, delivery.partition)
            done = await self._taken(lane, delivery, request, proof, case)
            if done.what != "moved":
                _check_taken(done, request)
                return
        raise TimeoutError(f"{request.id} changed {MOST_TURNS} times meanwhile")

    async def rated(self, lane: Lane, delivery: Delivery) -> None:
        """Decide on an edit that was rated; once more for as long as something changes."""
        action = ActionEvent.from_json(delivery.fields[b"payload"])
        assessment = Assessment.from_json(delivery.fields[b"assessment"])
        under = self._policies.expected(delivery.partition, action.fleet)
        for _ in range(MOST_TURNS):
            found = await self._awaited(delivery)
            if found is None:
                await lane.ledger.drop_edit(delivery)
                return
            record, edit = found
            try:
                made = await self._made(delivery, record, edit, action, assessment, under)
                done = await lane.ledger.revise(delivery, made, waiters=record.waiters)
                _check_made(done, record)
            except GuardtierError as error:
                done = await _drop(lane, delivery, record, edit, error)
            if done.what == "moved" and done.more:
                under = Circumstances(*done.more)
            elif done.what not in ("moved", "edit"):
                return
        raise TimeoutError(f"{delivery.id} changed {MOST_TURNS} times meanwhile")

    async def bury(self, lane: Lane, delivery: Delivery, why: str) -> None:
        """Give up an edit that could not be judged: the action is as it was."""
        error = AnalysisFailed(f"the edit could not be judged: {why}", field="edit")
        for _ in range(MOST_TURNS):
            found = await self._awaited(delivery)
            if found is None:
                await lane.ledger.drop_edit(delivery, dead_letter=why)
                return
            if (await _drop(lane, delivery, *found, error, dead_letter=why)).what != "moved":
                return

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
            reason=request.reason,
        )
        return await lane.ledger.edit(
            delivery,
            fleet=record.fleet,
            told=request.client,
            seen="" if again else request.digest,  # what has taken effect must not be taken once more
            edit=edit.to_json(),
            proof=proof,
            event=edited.to_json(),
            body=_stands(case).to_json() if again else b"",
        )

    async def _awaited(self, delivery: Delivery) -> tuple[Record, Edit] | None:
        """The record, and its edit, where it is the one that was rated."""
        try:
            record = await self._records.get(delivery.id)
        except UnknownAction:
            return None
        edit = Edit.read(record.edit)
        return (record, edit) if edit is not None and edit.proof == delivery.text(b"proof") else None

    async def _made(
        self,
        delivery: Delivery,
        record: Record,
        edit: Edit,
        action: ActionEvent,
        assessment: Assessment,
        under: Circumstances,
    ) -> Revision:
        """What the edit comes to. Raises what its approver is told where it comes to nothing."""
        ruling = await self._ruling(delivery, action, assessment, under)
        terms = Terms.read(record.terms)
        if ruling.effect is Effect.PARK:
            terms = stricter(terms, ruling.terms)
        vote = _vote(edit)
        self._check_may_approve(vote, record, terms)
        riskier = is_riskier(assessment, record.assessment)
        votes = () if riskier else (vote,)
        verdict = None
        if tally(terms, votes, action.digest) is Choice.APPROVE:
            asked = record.asked or record.digest
            back = asked == action.digest  # to what the agent asked for: that is no edit any more
            verdict = verdict_by(
                votes,
                Choice.APPROVE,
                record,
                digest=action.digest,
                risk=assessment.risk,
                findings=assessment.findings,
                policy=ruling.version,
                rules=ruling.rules,
                arguments=None if back else action.arguments,
                edited_from=None if back else asked,
            )
        told = _revised(action.digest, record.id, assessment, terms, votes, riskier=riskier)
        return Revision(
            edit=record.edit,
            proof=edit.proof,
            entry=edit.entry,
            told=edit.client,
            approver=edit.approver,
            reason=edit.reason,
            action=action,
            event=delivery.fields[b"payload"],
            assessment=assessment,
            policy=ruling.version,
            terms=terms.to_json(),
            votes=votes_to_json(votes) if votes else b"",
            verdict=verdict,
            body=told.to_json(),
            details=details_of(
                vote, votes, terms, risk=assessment.risk.value, riskier=True if riskier else None
            ),
            under=under,
        )

    async def _ruling(
        self, delivery: Delivery, action: ActionEvent, assessment: Assessment, under: Circumstances
    ) -> Ruling:
        """What the policy says of the edited action. Raises EditRefused where it is a no."""
        stop = stop_under(under)
        if stop is not None:
            raise EditRefused(
                f"nothing is edited under a {stop.rule}, answer the action as it is: {stop.reason}",
                field="policy",
            )
        policy = await self._policies.under(delivery.partition, action.fleet, under)
        ruling = policy.rule(facts_of(delivery, assessment, action))
        if ruling.effect is Effect.REJECT:
            rules = f" (rule {', '.join(ruling.rules)})" if ruling.rules else ""
            why = f": {ruling.reason}" if ruling.reason else ""
            raise EditRefused(f"the policy rejects the edited action{rules}{why}", field="policy")
        return ruling

    def _check_may_approve(self, vote: Vote, record: Record, terms: Terms) -> None:
        """The edited action may need other people than the one that was asked for."""
        if not self._authority.counting((vote,), record, terms):
            role = f" with the role {' or '.join(terms.roles)}" if terms.roles else ""
            raise NotAuthorized(f"the edited action waits for somebody{role}: it is not you", field="roles")
        if terms.reason_required and not vote.reason.strip():
            raise InvalidAnswer("the policy wants a reason with an approval of this", field="reason")


def _check_may_edit(request: EditRequest, case: Case) -> None:
    """Raise what the approver is told where the action can't be edited."""
    record, terms = case.record, case.terms
    if record.state is not State.PARKED:
        raise WrongState(
            f"{record.id} is {record.state.value}: it can't be edited any more", field=record.state.value
        )
    if request.digest != record.digest:
        raise _other_digest()
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


def _check_taken(done: Transition, request: EditRequest) -> None:
    if done.what == "busy":
        raise EditRefused(
            f"another edit of {request.id} is being rated: look at the action again in a moment",
            field="edit",
        )
    _check_stands(done, request.id)


def _check_made(done: Transition, record: Record) -> None:
    if done.what not in ("edit", "moved"):
        _check_stands(done, record.id)


def _check_stands(done: Transition, action_id: str) -> None:
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


async def _drop(
    lane: Lane,
    delivery: Delivery,
    record: Record,
    edit: Edit,
    error: GuardtierError,
    *,
    dead_letter: str = "",
) -> Transition:
    return await lane.ledger.drop_edit(
        delivery,
        edit=record.edit,
        told=edit.client,
        approver=edit.approver,
        entry=edit.entry,
        error=error,
        dead_letter=dead_letter,
    )


def _vote(edit: Edit) -> Vote:
    """The editor's approval, of what they have made of the action."""
    return Vote(
        principal=edit.principal,
        approver=edit.approver,
        choice=Choice.APPROVE,
        digest=edit.digest,
        at=edit.at,
        proof=edit.proof,
        reason=edit.reason,
    )


def _stands(case: Case) -> Revised:
    """What stands of an edit that has taken effect: the action waits for more approvals."""
    record = case.record
    seen = record.assessment
    return _revised(record.digest, record.id, seen, case.terms, case.votes, riskier=not case.votes)


def _revised(
    digest: str,
    action_id: str,
    assessment: Assessment,
    terms: Terms,
    votes: tuple[Vote, ...],
    *,
    riskier: bool,
) -> Revised:
    return Revised(
        id=action_id,
        digest=digest,
        risk=assessment.risk,
        findings=assessment.findings,
        riskier=riskier,
        approved_by=principals(votes, Choice.APPROVE, digest),
        approve=terms.approve,
    )
