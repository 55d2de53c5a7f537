"""Authority: who may say what about a parked action. What is wrong is raised, and told to the approver."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from guardtier.action import partition_of
from guardtier.errors import AnalysisFailed, GuardtierError, NotAuthorized, UnknownAction
from guardtier.policy.tally import Vote, read_votes
from guardtier.policy.terms import Terms
from guardtier.store.records import Asked, Record, Records
from guardtier_workers.approvers import Approver, Approvers, Right
from guardtier_workers.clock import now_ms
from guardtier_workers.lane import Lane
from guardtier_workers.marks import Marks

ANSWER_MINUTES = 10  #: an answer's time may be so far from this worker's clock, either way


class Said(Protocol):
    """What an approver signed about one action."""

    @property
    def id(self) -> str: ...

    @property
    def approver(self) -> str: ...

    @property
    def at(self) -> int: ...

    def is_proved_by(self, proof: str, key: bytes) -> bool: ...


@dataclass(frozen=True, slots=True)
class Case:
    """An action, the terms and votes that it is parked with, and the approver who may answer it."""

    approver: Approver
    record: Record
    terms: Terms
    votes: tuple[Vote, ...]  #: of those who still may answer


def _check_partition(action_id: str, lane: Lane) -> None:
    if partition_of(action_id) not in (None, lane.keys.partition):
        raise UnknownAction(f"no action {action_id} in partition {lane.keys.partition}", field="id")


class LookUp(NamedTuple):
    """A record that was asked for, a copy of one, or why it can't be asked for."""

    id: str
    asked: Asked | Record | GuardtierError


class Authority:
    """Looks everybody up in the approvers file, at the moment of asking."""

    def __init__(self, approvers: Approvers, records: Records) -> None:
        self._approvers = approvers
        self._records = records
        self.marks = Marks(approvers)

    def proved(self, said: Said, proof: str) -> Approver:
        """Who said it. Raises NotAuthorized for a proof or a time that isn't theirs, now."""
        approver = self._approvers.proved(said, proof)
        if Right.ANSWER not in approver.may:
            raise NotAuthorized(f"{approver.name} may not answer", field="may")
        if abs(said.at - now_ms()) > ANSWER_MINUTES * 60_000:
            raise NotAuthorized(
                f"the answer's time is more than {ANSWER_MINUTES} minutes off: check the clocks",
                field="at",
                limit=ANSWER_MINUTES,
            )
        return approver

    async def look_up(self, action_id: str, lane: Lane) -> LookUp:
        """Ask for the action's record, and return once that is sent: there is more to do meanwhile."""
        asked: Asked | GuardtierError
        try:
            _check_partition(action_id, lane)
            asked = self._records.ask(action_id, lane.pipe)
        except GuardtierError as error:
            asked = error
        await asyncio.sleep(0)
        return LookUp(action_id, asked)

    async def over(self, said: Said, proof: str, lane: Lane, found: LookUp | None = None) -> Case:
        """The action that this approver may answer, as it stands: as it was ``found``, or is now.

        Raises NotAuthorized, UnknownAction, and AnalysisFailed where its terms or votes can't be read.
        """
        approver = self.proved(said, proof)
        record = await self._record(said.id, lane, found)
        # Of the action too: an analyzer worker may write the record's, and can't make the digest say so.
        if not approver.may_answer(record.fleet) or not approver.may_answer(record.action.fleet):
            raise _unknown(said.id)
        if self._approvers.is_own(approver, record.fleet, record.action.agent):
            raise NotAuthorized("nobody answers their own action, or that of their agent", field="agent")
        try:
            terms, votes = Terms.read(record.terms), read_votes(record.votes)
        except ValueError as error:
            raise AnalysisFailed(
                f"what {said.id} is parked under can't be read, so no answer can count: it ends at its "
                "deadline",
                field="terms",
            ) from error
        if not approver.has_role(terms.roles):
            raise NotAuthorized(
                f"{said.id} waits for somebody with the role {' or '.join(terms.roles)}", field="roles"
            )
        return Case(approver, record, terms, self.counting(votes, record, terms))

    async def _record(self, action_id: str, lane: Lane, found: LookUp | None) -> Record:
        try:
            if found is None or found.id != action_id:
                found = await self.look_up(action_id, lane)
            if isinstance(found.asked, GuardtierError):
                raise found.asked
            return found.asked if isinstance(found.asked, Record) else await found.asked.get()
        except UnknownAction as error:
            raise _unknown(action_id) from error
        except GuardtierError as error:
            raise UnknownAction(error.message, field="id") from error

    def counting(self, votes: Sequence[Vote], record: Record, terms: Terms) -> tuple[Vote, ...]:
        """A vote counts for as long as its approver might still give it: not after its token was revoked or
        replaced. One that stands there and was not given counts for nothing.
        """
        return tuple(vote for vote in votes if self._still_may(vote, record, terms))

    def _still_may(self, vote: Vote, record: Record, terms: Terms) -> bool:
        voter = self._approvers.named(vote.approver)
        return (
            voter is not None
            and voter.principal == vote.principal
            and self.marks.is_vote(record.id, vote)
            and voter.may_answer(record.fleet)
            and voter.has_role(terms.roles)
            and not self._approvers.is_own(voter, record.fleet, record.action.agent)
        )


def _unknown(action_id: str) -> UnknownAction:
    """The same whether there is none or it is another fleet's: nobody learns which."""
    return UnknownAction(
        f"no action {action_id} in your fleets: never published, or past its retention", field="id"
    )
