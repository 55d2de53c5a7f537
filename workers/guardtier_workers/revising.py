"""Revising: an edit that was rated is judged by the policy, and takes effect or not."""

from __future__ import annotations

from dataclasses import replace

from guardtier.action import ActionEvent
from guardtier.answer import Choice
from guardtier.assessment import Assessment
from guardtier.canonical import canonical
from guardtier.errors import (
    AnalysisFailed,
    EditRefused,
    GuardtierError,
    InvalidAction,
    InvalidAnswer,
    NotAuthorized,
    UnknownAction,
    UnusableEntry,
)
from guardtier.policy.edit import Edit, Revised, is_riskier, stricter
from guardtier.policy.ruling import Effect, Ruling
from guardtier.policy.tally import Vote, read_votes, tally, votes_to_json
from guardtier.policy.terms import Terms
from guardtier.redacted import has_marks, rules_marked_in
from guardtier.settings import Settings
from guardtier.store.delivery import Delivery
from guardtier.store.edits import Revision
from guardtier.store.ledger import Circumstances, Transition
from guardtier.store.records import Record, Records
from guardtier.verdict import Verdict
from guardtier_workers.authority import Authority
from guardtier_workers.clock import now_ms
from guardtier_workers.counting import details_of, verdict_by
from guardtier_workers.deciding import facts_of
from guardtier_workers.editing import MOST_TURNS, check_last_word, check_stands
from guardtier_workers.labels import OwnLabels
from guardtier_workers.lane import Lane
from guardtier_workers.notices.plan import posted
from guardtier_workers.policies import Policies
from guardtier_workers.stopping import stop_under


class Revising:
    """Decides on rated edits. What is wrong with one is told to its approver here."""

    def __init__(
        self, settings: Settings, authority: Authority, records: Records, policies: Policies
    ) -> None:
        self._authority = authority
        self._records = records
        self._policies = policies
        self._labels = OwnLabels(settings)

    async def decide(self, lane: Lane, delivery: Delivery) -> None:
        """Decide on an edit that was rated; once more for as long as something changes."""
        action, assessment = delivery.action, delivery.assessment
        under = self._policies.expected(delivery.partition, action.fleet)
        for _ in range(MOST_TURNS):
            found = await self._awaited(delivery)
            if found is None:
                if (await lane.ledger.drop_edit(delivery)).what == "moved":
                    continue
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
                done = await lane.ledger.drop_edit(delivery, dead_letter=why)
            else:
                done = await _drop(lane, delivery, *found, error, dead_letter=why)
            if done.what != "moved":
                return

    async def _awaited(self, delivery: Delivery) -> tuple[Record, Edit] | None:
        """The record, and its edit, where it is the one that was rated."""
        try:
            record = await self._records.get(delivery.id)
        except (InvalidAction, UnknownAction) as error:
            raise UnusableEntry(f"it is about no action: {error.message}", field="id") from error
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
        if has_marks(canonical(action.arguments)):  # by an analyzer worker: nobody else has the rules
            raise EditRefused(
                "the edit holds a secret, which would be kept: have the agent take it from its environment "
                "or a secret store",
                field="arguments",
            )
        ruling = await self._ruling(delivery, action, assessment, under)
        terms = Terms.read(record.terms)
        votes_before = self._authority.counting(read_votes(record.votes), record, terms)
        check_last_word(edit.principal, edit.at, votes_before, record.id)
        if ruling.effect is Effect.PARK:
            terms = stricter(terms, ruling.terms)
        vote = self._vote(edit, record)
        self._check_may_approve(vote, record, terms)
        riskier = is_riskier(assessment, record.assessment)
        votes = () if riskier else (vote,)
        verdict = None
        if tally(terms, votes, action.digest) is Choice.APPROVE:
            verdict = _approved(votes, record, action, assessment, ruling)
        told = Revised.of(record.id, action.digest, assessment, terms, votes)
        return Revision(
            edit=record.edit,
            proof=edit.proof,
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
            seen=record.votes,
            outbox=() if verdict is not None else posted(terms, "edited", now_ms()),
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
        fleet, tool = action.fleet, action.tool_name
        asked = policy.asks_labels(fleet, tool) or policy.needs_action(fleet, tool)
        if asked and action.conversation is None:  # of one in a conversation, they are known
            labels = self._labels.of(action, assessment)
            assessment = assessment.model_copy(update={"labels": labels})
        facts = facts_of(delivery, assessment, action)
        ruling = policy.rule(replace(facts, redacted=rules_marked_in(action)))
        if ruling.effect is Effect.REJECT:
            rules = f" (rule {', '.join(ruling.rules)})" if ruling.rules else ""
            why = f": {ruling.reason}" if ruling.reason else ""
            raise EditRefused(f"the policy rejects the edited action{rules}{why}", field="policy")
        return ruling

    def _vote(self, edit: Edit, record: Record) -> Vote:
        """The editor's approval, of what they have made of the action. Raises NotAuthorized where they
        have not asked for this, or with a token that is no longer theirs.
        """
        marks = self._authority.marks
        if not marks.is_edit(record.id, edit):
            raise NotAuthorized("its token was replaced since, or nobody asked for this edit", field="edit")
        vote = Vote(
            principal=edit.principal,
            approver=edit.approver,
            choice=Choice.APPROVE,
            digest=edit.digest,
            at=edit.at,
            proof=edit.proof,
            reason=edit.reason,
        )
        return marks.voted(record.id, vote)

    def _check_may_approve(self, vote: Vote, record: Record, terms: Terms) -> None:
        """The edited action may need other people than the one that was asked for."""
        if not self._authority.counting((vote,), record, terms):
            role = f" with the role {' or '.join(terms.roles)}" if terms.roles else ""
            raise NotAuthorized(f"the edited action waits for somebody{role}: it is not you", field="roles")
        if terms.reason_required and not vote.reason.strip():
            raise InvalidAnswer("the policy wants a reason with an approval of this", field="reason")


def _check_made(done: Transition, record: Record) -> None:
    if done.what not in ("edit", "moved"):
        check_stands(done, record.id)


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
        error=error,
        dead_letter=dead_letter,
    )


def _approved(
    votes: tuple[Vote, ...],
    record: Record,
    action: ActionEvent,
    assessment: Assessment,
    ruling: Ruling,
) -> Verdict:
    asked = record.asked or record.digest
    back = asked == action.digest  # to what the agent asked for: that is no edit any more
    return verdict_by(
        votes,
        Choice.APPROVE,
        record,
        digest=action.digest,
        risk=assessment.risk,
        findings=assessment.findings,
        policy=ruling.version,
        arguments=None if back else action.arguments,
        edited_from=None if back else asked,
    )
