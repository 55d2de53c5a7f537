"""Answering: what an approver says counts, and takes effect once enough have said it."""

from __future__ import annotations

from collections.abc import Sequence

from guardtier.action import partition_of
from guardtier.answer import Answer
from guardtier.errors import DigestMismatch, GuardtierError, InvalidAnswer, WrongState
from guardtier.policy.block import Block, Spread
from guardtier.policy.tally import Vote, count, tally, votes_to_json, with_vote
from guardtier.policy.terms import Terms
from guardtier.state import State
from guardtier.store.answers import Resolution
from guardtier.store.delivery import Delivery
from guardtier.store.ledger import Transition
from guardtier.store.record import Record
from guardtier.verdict import Outcome, Verdict
from guardtier_workers.approvers import Approver, Approvers
from guardtier_workers.authority import Authority, Case, LookUp
from guardtier_workers.copies import Copies
from guardtier_workers.counting import details_of, verdict_by
from guardtier_workers.grants.drafting import Approval, check_one_is_enough, draft
from guardtier_workers.grants.vouched import vouched
from guardtier_workers.keeper import Keeper
from guardtier_workers.lane import Lane
from guardtier_workers.shown import Shown

MOST_TURNS = 100  #: of counting anew; each time another answer was counted meanwhile


class Answering:
    """Counts answers. What is wrong with one is raised, and told to the approver by the caller."""

    def __init__(
        self,
        authority: Authority,
        approvers: Approvers,
        copies: Copies,
        keeper: Keeper,
        shown: Shown,
        *,
        partitions: int,
    ) -> None:
        self._authority = authority
        self._approvers = approvers
        self._keeper = keeper
        self._shown = shown
        self._copies = copies
        self._partitions = partitions

    async def answer(self, lane: Lane, delivery: Delivery) -> None:
        is_here = partition_of(delivery.id) == lane.keys.partition  # else the copy is another lane's
        copy = self._copies.take(delivery.id) if is_here else None
        if b"shown" not in delivery.fields:
            copy = None  # what its approver has seen may be what stands there now, and not the copy
        found: LookUp | None = (
            LookUp(delivery.id, copy) if copy else await self._authority.look_up(delivery.id, lane)
        )
        answer, proof = Answer.from_fields(delivery.fields)
        for _ in range(MOST_TURNS):
            try:
                case = await self._authority.over(answer, proof, lane, found)
                reason = await self._keeper.words(case.record.fleet, answer.reason)
                counted = self._counted(answer.model_copy(update={"reason": reason}), proof, case)
            except GuardtierError:
                if copy is None:
                    raise
                copy = found = None  # what a copy refuses, only the record may refuse
                continue
            copy = found = None  # another turn takes another look
            done = await lane.ledger.resolve(
                delivery,
                counted,
                fleet=case.record.fleet,
                agent=case.record.agent,
                waiters=case.record.waiters,
                told=answer.client,
            )
            if done.what != "moved":
                _check_resolved(done, answer, case.record)
                return
        raise TimeoutError(f"the votes on {answer.id} changed {MOST_TURNS} times meanwhile")

    def _counted(self, answer: Answer, proof: str, case: Case) -> Resolution:
        """What the answer comes to. Raises what the approver is to be told where it can't count."""
        record = case.record
        vote = self._authority.marks.voted(record.id, vote_of(answer, proof, case.approver))
        same = vote in case.votes  # the same answer, delivered or sent once more
        if not same:
            _check_may_count(vote, case)
            self._shown.check(record, answer)
        votes = case.votes if same else with_vote(case.votes, vote)
        choice = None if same else tally(case.terms, votes, record.digest)
        verdict = verdict_by(votes, choice, record) if choice else None
        retry = case.terms.retry if answer.retry is None else float(answer.retry)
        block = _block_after(verdict, retry)
        return Resolution(
            digest=answer.digest,
            seen=record.votes,
            votes=record.votes if same else votes_to_json(votes),
            verdict=verdict,
            counted=b""
            if verdict is not None
            else _counted_json(answer.id, case.terms, votes, record.digest),
            approver=answer.approver,
            reason=answer.reason,
            details=details_of(
                vote, votes, case.terms, until=block.until if block else None, shown=answer.shown
            ),
            block=block.to_json() if block else b"",
            block_ms=max(1, int(retry * 1000)),
            revised=record.revised,
            terms=record.terms,
            received_at=record.received_at,
            blocked=record.asked or "",  # of what was edited, the agent would ask for its own once more
            outbox=(*self._left(block, case), *self._remembered(answer, verdict, votes, case)),
        )

    def _left(self, block: Block | None, case: Case) -> tuple[tuple[str, bytes], ...]:
        """What is to be done outside of the action's partition, once this has been decided."""
        if block is None or self._partitions == 1:
            return ()
        spread = Spread(
            fleet=case.record.fleet, digest=case.record.asked or case.record.digest, block=block
        )
        return (("block", spread.model_dump_json().encode()),)

    def _remembered(
        self, answer: Answer, verdict: Verdict | None, votes: Sequence[Vote], case: Case
    ) -> tuple[tuple[str, bytes], ...]:
        """The grant that this answer leaves, where it decides. Raises InvalidAnswer where it can't leave
        it.
        """
        if answer.grant is None:
            return ()
        check_one_is_enough(case.terms)
        if verdict is None or verdict.outcome is not Outcome.APPROVED:
            return ()
        by = tuple(vote.approver for vote in votes if vote.principal in verdict.decided_by)
        record = case.record
        approval = Approval(record.action, record.assessment, case.terms, by, verdict.decided_at)
        return (("grant", vouched(draft(answer.grant, approval), self._approvers)),)


def _counted_json(action_id: str, terms: Terms, votes: Sequence[Vote], digest: str) -> bytes:
    return count(action_id, terms, votes, digest).model_dump_json().encode()


def vote_of(said: Answer, proof: str, approver: Approver) -> Vote:
    """The vote that an answer is."""
    return Vote(
        principal=approver.principal,
        approver=approver.name,
        choice=said.choice,
        digest=said.digest,
        at=said.at,
        proof=proof,
        reason=said.reason,
    )


def _block_after(verdict: Verdict | None, retry: float) -> Block | None:
    """What a rejection leaves, so that the same action is refused at once for ``retry`` seconds."""
    if verdict is None or verdict.outcome is not Outcome.REJECTED or retry <= 0:
        return None
    until = verdict.decided_at + int(retry * 1000)
    return Block.after(verdict.id, verdict.decided_by, verdict.reason, until)


def _check_may_count(vote: Vote, case: Case) -> None:
    """Raise what the approver is told where the answer can't count. What is decided, the script says."""
    record = case.record
    if record.state is not State.PARKED:
        return
    if vote.digest != record.digest:
        raise _other_digest()
    if vote.at < record.revised_at:
        # Also where an edit and its undoing have brought back the digest: the votes on it are gone, and an
        # old answer that somebody sends once more must not stand for what its giver said last.
        raise WrongState(
            f"the answer is older than the last edit of {record.id}: look at it again", field="at"
        )
    if case.terms.reason_required and not vote.reason.strip():
        raise InvalidAnswer("the policy wants a reason with every answer to this action", field="reason")
    earlier = next((one for one in case.votes if one.principal == vote.principal), None)
    if earlier is not None and vote.at <= earlier.at:
        raise WrongState(
            f"{vote.principal} has answered {record.id} since: the later answer counts", field="at"
        )


def _check_resolved(done: Transition, answer: Answer, record: Record) -> None:
    """Raise what the approver is told where the answer did not take effect."""
    if done.what == "wrong":
        raise WrongState(
            f"{answer.id} is {done.state or 'gone'}{_by_whom(record)}: it can't be answered any more",
            field=done.state,
        )
    if done.what == "digest":
        raise _other_digest()
    if done.what == "late":
        raise WrongState(f"the deadline of {answer.id} has passed", field="deadline")


def _by_whom(record: Record) -> str:
    """Who was quicker; nothing where the record was read before they were."""
    verdict = record.verdict
    if verdict is None or not verdict.decided_by:
        return ""
    return f" ({verdict.outcome.value} by {', '.join(verdict.decided_by)})"


def _other_digest() -> DigestMismatch:
    return DigestMismatch(
        "the answer is about another digest than the parked action's: look at it again", field="digest"
    )
