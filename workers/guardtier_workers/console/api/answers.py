"""``/answers`` and ``/actions/{id}/…``: approve and reject, one action or many at once."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StringConstraints, field_validator

from guardtier.action import ACTION_ID
from guardtier.answer import MAX_REASON, MAX_RETRY, Choice
from guardtier.approver_answers import Draft
from guardtier.errors import GuardtierError, InvalidAction
from guardtier.policy.edit import Revised
from guardtier.policy.grants import Remember, grant_id
from guardtier.policy.tally import Counted
from guardtier.verdict import Outcome, Verdict
from guardtier_workers.console.answering.conflicts import explained
from guardtier_workers.console.answering.looking import partition_in
from guardtier_workers.console.answering.words import together
from guardtier_workers.console.api.endpoint import Call, Endpoint
from guardtier_workers.console.api.openapi import Problem
from guardtier_workers.console.api.remembering import Like

MOST = 200  #: actions of one request
ANSWER_SECONDS = 30.0
MANY_SECONDS = 10.0  #: for each of many, 64 at a time: 40 s in all where the tier is away

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Reason = Annotated[str, StringConstraints(max_length=MAX_REASON)]
Retry = Annotated[StrictInt, Field(ge=0, le=MAX_RETRY)]


class Body(BaseModel):
    """Of a request: a field that is not known is refused."""

    model_config = ConfigDict(extra="forbid")


class Said(Body):
    """An answer. ``digest``: of the action as you saw it; where it is another by now, nothing is answered.
    ``shown`` is the SHA-256 of what you saw of it, secrets left out; null: whatever is kept.

    ``retry``: seconds for which the same is refused after a rejection, 0 for none; null: as the policy
    says. ``remember``: what an approval leaves behind.
    """

    choice: Choice
    digest: Digest
    shown: Digest | None = None
    reason: Reason = ""
    retry: Retry | None = None
    remember: Like | None = None


class Picked(Body):
    """One of many: which action, and its digest as you saw it, and that of what you saw."""

    id: Annotated[str, StringConstraints(pattern=ACTION_ID)]
    digest: Digest
    shown: Digest | None = None


class SaidOfMany(Body):
    """The same answer to each of these."""

    choice: Choice
    reason: Reason = ""
    retry: Retry | None = None
    actions: list[Picked] = Field(min_length=1, max_length=MOST)

    @field_validator("actions")
    @classmethod
    def _each_once(cls, actions: list[Picked]) -> list[Picked]:
        if len({one.id for one in actions}) < len(actions):
            raise ValueError("an action stands twice")
        return actions


class Answered(BaseModel):
    """What came of an answer. ``answered``: it counts, and more people are needed; ``changed``: an edit
    stands, and more people are needed; ``riskier``: an edit stands, and everybody has to look again.

    ``grant``: what an approval has left behind.
    """

    id: str
    outcome: Literal["approved", "rejected", "answered", "changed", "riskier"]
    words: str
    decided_by: tuple[str, ...] = ()
    verdict: Verdict | None = None
    counted: Counted | None = None
    revised: Revised | None = None
    grant: str | None = None


class Result(BaseModel):
    """What came of the answer to one of many; ``problem``: why it did not count."""

    id: str
    outcome: Literal["approved", "rejected", "answered", "failed"]
    words: str
    decided_by: tuple[str, ...] = ()
    problem: Problem | None = None


class Results(BaseModel):
    """In the order of the request."""

    results: list[Result]


async def answer_action(call: Call) -> Answered:
    said: Said = call.body
    action_id = call.path("id")
    partition_in(action_id, call.console)
    remember = said.remember.wish() if said.remember else None
    draft = Draft(action_id, said.choice, said.digest, said.reason, said.retry, remember, said.shown)
    try:
        came = await call.tier.answer(draft, timeout=ANSWER_SECONDS)
    except GuardtierError as error:
        raise await explained(error, call.console, call.visitor.me, action_id) from error
    keep_reason(call, said.choice, said.reason)
    return answered(action_id, came, remember)


async def answer_many(call: Call) -> Results:
    said: SaidOfMany = call.body
    tier = call.tier
    wrong = {one.id: error for one in said.actions if (error := _wrong_partition(call, one.id))}
    drafts = [
        Draft(one.id, said.choice, one.digest, said.reason, said.retry, shown=one.shown)
        for one in said.actions
        if one.id not in wrong
    ]
    came = await tier.answer_many(drafts, timeout=MANY_SECONDS)
    found = dict(wrong) | {draft.id: one for draft, one in zip(drafts, came, strict=True)}
    results = [await _result(call, one.id, found[one.id]) for one in said.actions]
    if any(one.problem is None for one in results):
        keep_reason(call, said.choice, said.reason)
    return Results(results=results)


def answered(action_id: str, came: Verdict | Counted, remember: Remember | None = None) -> Answered:
    if isinstance(came, Counted):
        words = f"Counted: {came.in_words}. It goes on waiting."
        if remember:
            words += " Nothing is remembered: only the answer that decides leaves a grant."
        return Answered(id=action_id, outcome="answered", words=words, counted=came)
    approved = came.outcome is Outcome.APPROVED
    grant = grant_id(action_id) if remember and approved else None
    words = f"{'Approved' if approved else 'Rejected'} by {together(came.decided_by)}."
    words += f" What is like it is released from now on ({grant})." if grant else ""
    return Answered(
        id=action_id,
        outcome="approved" if approved else "rejected",
        words=words,
        decided_by=came.decided_by,
        verdict=came,
        grant=grant,
    )


def _wrong_partition(call: Call, action_id: str) -> GuardtierError | None:
    try:
        partition_in(action_id, call.console)
    except InvalidAction as error:
        return error
    return None


async def _result(call: Call, action_id: str, came: Verdict | Counted | GuardtierError) -> Result:
    if isinstance(came, GuardtierError):
        error = await explained(came, call.console, call.visitor.me, action_id)
        problem = Problem(code=error.code, message=error.message, field=error.field, limit=error.limit)
        return Result(id=action_id, outcome="failed", words=error.message, problem=problem)
    one = answered(action_id, came)
    return Result(id=action_id, outcome=one.outcome, words=one.words, decided_by=one.decided_by)


def keep_reason(call: Call, choice: Choice, reason: str) -> None:
    call.console.reasons.gave(call.visitor.me.name, choice, reason)


ENDPOINTS = (
    Endpoint("POST", "/actions/{id}/answer", answer_action, Answered, "Approve or reject", body=Said),
    Endpoint("POST", "/answers", answer_many, Results, "Approve or reject up to 200", body=SaidOfMany),
)
