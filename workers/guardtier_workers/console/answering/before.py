"""Before: what an answer to a parked action would do, in words, and whether this visitor may give it.

It is worked out from the record alone, as the policy workers would. They decide: whatever is shown here,
an answer counts as docs/answers.md says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from guardtier.answer import Choice
from guardtier.look import Me
from guardtier.policy.edit import Edit
from guardtier.policy.tally import Vote, count, principals, read_votes, tally, with_vote
from guardtier.policy.terms import Terms
from guardtier.redacted import has_marks
from guardtier.state import State
from guardtier.store.records import Record
from guardtier_workers.console.answering.outcome import outcome_words
from guardtier_workers.console.answering.words import ordinal, span, together

MAY_NOT = "You may see this, and not answer it: that takes an approver's token for this fleet."
UNREADABLE = "What it waits under can't be read, so no answer counts: it ends at its deadline."
_AT_THE_END = {
    "reject": "it expires, and the agent is told no",
    "wait": "it waits for as long again, and everybody is told once more",
    "halt": "it expires, and the agent's conversation is halted",
}


@dataclass(frozen=True, slots=True)
class Offer:
    """Something that the visitor might do: in ``words``; ``why_not`` is empty where they may."""

    words: tuple[str, ...] = ()
    why_not: str = ""
    decides: bool = False  #: whether it ends the waiting at once

    @property
    def can(self) -> bool:
        return not self.why_not


@dataclass(frozen=True, slots=True)
class Before:
    """``ended``: what became of it; "" while it waits. ``outcome``: ``approved``, ``rejected``, … once it
    is decided, ``answered`` where the visitor's answer is among those that count so far, else "".
    """

    ended: str
    outcome: str
    approve: Offer
    reject: Offer
    edit: Offer
    remember: Offer
    given: tuple[Vote, ...] = ()  #: the answers that count so far
    own: Choice | None = None  #: what the visitor has said so far
    reason_required: bool = False
    rating: str = ""  #: who changes it at this moment; "" for nobody
    so_far: str = ""  #: ``1 of 2 approvals``; "" where one is enough
    then: str = ""  #: what happens at the deadline


def before(record: Record, me: Me) -> Before:
    """What this visitor's answer would do."""
    if record.state is not State.PARKED:
        return _ended(record, outcome_words(record))
    try:
        terms, votes = Terms.read(record.terms), read_votes(record.votes)
        editing = Edit.read(record.edit)
    except ValueError:
        return _ended(record, "", UNREADABLE)
    why_not = _why_not(record, terms, me)
    standing = tuple(vote for vote in votes if vote.digest == record.digest)
    own = next((vote.choice for vote in standing if vote.principal == me.principal), None)
    return Before(
        ended="",
        outcome="answered" if own else "",
        approve=_approve(record, terms, standing, me, why_not),
        reject=_reject(record, terms, standing, me, why_not),
        edit=_edit(record, terms, editing, why_not),
        remember=_remember(record, terms, why_not),
        given=standing,
        own=own,
        reason_required=terms.reason_required,
        rating=editing.approver if editing else "",
        so_far=_so_far(record, terms, standing),
        then=_AT_THE_END[terms.on_timeout],
    )


def _ended(record: Record, words: str, why_not: str = "") -> Before:
    closed = Offer(why_not=why_not or words)
    outcome = record.verdict.outcome.value if record.verdict is not None else ""
    return Before(words, outcome, closed, closed, closed, closed)


def _why_not(record: Record, terms: Terms, me: Me) -> str:
    """Why this visitor can't answer it at all; "" where they can."""
    if not me.can("answer", record.fleet):
        return MAY_NOT
    if not record.is_readable:
        return "The action can't be read, so nobody can look at it and no answer counts."
    if _is_own(record, me):
        return "It is your own agent's: somebody else has to answer."
    if terms.roles and not set(terms.roles) & set(me.roles):
        return f"It waits for somebody with the role {' or '.join(terms.roles)}, which you don't have."
    return ""


def _is_own(record: Record, me: Me) -> bool:
    return record.agent in (me.name, me.principal) or any(
        fnmatchcase(f"{record.fleet}/{record.agent}", own) for own in me.agents
    )


def _approve(record: Record, terms: Terms, votes: Sequence[Vote], me: Me, why_not: str) -> Offer:
    after = with_vote(votes, _vote(record, me, Choice.APPROVE))
    decides = tally(terms, after, record.digest) is Choice.APPROVE
    so_far = count(record.id, terms, after, record.digest)
    words: list[str] = []
    if decides:
        words.append(
            f"Your approval decides: {record.agent} may run it, once, exactly as it is shown."
            if terms.approve == 1
            else f"Yours is the {ordinal(terms.approve)} of {terms.approve} approvals and decides: "
            f"{record.agent} may run it, once, exactly as it is shown."
        )
        words.append("It can't be undone: the agent may run it the moment you approve.")
    else:
        more = terms.approve - len(so_far.approved_by)
        words.append(
            f"Yours is the {ordinal(len(so_far.approved_by))} of {terms.approve} approvals: "
            f"it goes on waiting for {more} more."
        )
        words.append("Until it is decided your later answer counts; what is decided can't be undone.")
    if has_marks(record.event):
        words.append("It runs with the secrets that are left out here, and that stand as redacted:….")
    if record.asked is not None:
        words.append("It runs with an approver's arguments, not with those that the agent asked for.")
    if record.accepts_edits and record.edit:
        words.append("Somebody is changing it at this moment: whoever is first decides.")
    return Offer((*words, *_others(votes, me)), why_not, decides)


def _reject(record: Record, terms: Terms, votes: Sequence[Vote], me: Me, why_not: str) -> Offer:
    after = with_vote(votes, _vote(record, me, Choice.REJECT))
    decides = tally(terms, after, record.digest) is Choice.REJECT
    if not decides:
        number = len(principals(after, Choice.REJECT, record.digest))
        words = [
            f"Yours is the {ordinal(number)} of {terms.reject} rejections: it goes on waiting.",
            "Until it is decided your later answer counts; what is decided can't be undone.",
        ]
        return Offer((*words, *_others(votes, me)), why_not)
    words = ["Your rejection decides: it does not run, and the agent's model reads your reason."]
    if terms.retry > 0:
        what = "what the agent asked for" if record.asked else "the same call"
        words.append(
            f"If {record.agent} asks for {what} again within {span(terms.retry * 1000)}, "
            "it is refused at once with your reason."
        )
    else:
        words.append("The agent may ask for the same again at once.")
    words.append("It can't be undone.")
    return Offer((*words, *_others(votes, me)), why_not, decides=True)


def _edit(record: Record, terms: Terms, editing: Edit | None, why_not: str) -> Offer:
    if not why_not and not terms.may_edit:
        why_not = "The policy lets nobody change it: reject it, and say what to do instead."
    if not why_not and not record.accepts_edits:
        why_not = "The agent's client takes no changed arguments: reject it, and say what to do instead."
    if not why_not and editing is not None:
        why_not = f"{editing.approver} is changing it at this moment: look again when that is rated."
    words = (
        "The tier rates what you make of it, and asks the policy.",
        "If it is no riskier than what you see, that is your approval of it; if it is riskier, everybody "
        "has to look at it again, you included.",
        "The agent is told what ran instead of its own call.",
    )
    return Offer(words, why_not)


def _remember(record: Record, terms: Terms, why_not: str) -> Offer:
    """Only whether it may be; what could be remembered is worked out when it is asked for."""
    if not why_not and terms.approve > 1:
        why_not = f"What takes {terms.approve} people to approve can't be remembered."
    if not why_not and not terms.may_remember:
        why_not = "The policy does not let an approval of this be remembered."
    if not why_not and record.assessment.failed:
        why_not = "What could not be analyzed can't be remembered."
    return Offer(
        ("Approves it, and releases what is like it from then on without asking anybody.",), why_not
    )


def _others(votes: Sequence[Vote], me: Me) -> tuple[str, ...]:
    """What was said before: by the visitor, whose answer is replaced, and by others."""
    said: list[str] = []
    for choice, done in ((Choice.APPROVE, "approved"), (Choice.REJECT, "rejected")):
        names = [
            vote.approver for vote in votes if vote.choice is choice and vote.principal != me.principal
        ]
        if names:
            said.append(f"So far it was {done} by {together(names)}.")
    own = next((vote for vote in votes if vote.principal == me.principal), None)
    if own is not None:
        said.append(f"You have answered “{own.choice.value}”: a new answer takes its place.")
    return tuple(said)


def _vote(record: Record, me: Me, choice: Choice) -> Vote:
    return Vote(
        principal=me.principal, approver=me.name, choice=choice, digest=record.digest, at=0, proof=""
    )


def _so_far(record: Record, terms: Terms, votes: Sequence[Vote]) -> str:
    if terms.approve == 1 and terms.reject == 1:
        return ""
    return count(record.id, terms, votes, record.digest).in_words
