"""``/actions/{id}/suggestions``, ``/actions/{id}/grant``, ``/reasons``: what an answer could say."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictFloat,
    StrictInt,
    StringConstraints,
    ValidationError,
)

from guardtier.action import invalid_action
from guardtier.answer import Choice
from guardtier.errors import InvalidAnswer
from guardtier.policy.grants import MAX_USES, Grant, Pattern, Remember, Scope
from guardtier.policy.terms import MAX_SECONDS
from guardtier_workers.cli.safe_text import safe
from guardtier_workers.console.answering.looking import seen_by
from guardtier_workers.console.answering.remembering import drafted, suggestions, why_nothing
from guardtier_workers.console.answering.words import span
from guardtier_workers.console.api.endpoint import Call, Endpoint
from guardtier_workers.console.query import Query

Below = Annotated[str, StringConstraints(min_length=1, max_length=1024)]


class Like(BaseModel):
    """What is to be remembered of an approval: how much, whose, for how many seconds, how often.

    ``below``: of a command's paths, those below this folder may be others.
    """

    model_config = ConfigDict(extra="forbid")

    pattern: Pattern
    scope: Scope = Scope.AGENT
    seconds: Annotated[StrictFloat | StrictInt, Field(ge=1, le=MAX_SECONDS)] = 3600
    uses: Annotated[StrictInt, Field(ge=1, le=MAX_USES)] = 10
    below: Below | None = None

    def wish(self) -> Remember:
        """As the tier takes it. Raises InvalidAnswer for what is too wide."""
        return _wish(self.model_dump())


class LikeQuery(Query):
    """The same, behind a question mark."""

    pattern: Pattern
    scope: Scope = Scope.AGENT
    seconds: float = Field(default=3600, ge=1, le=MAX_SECONDS)
    uses: int = Field(default=10, ge=1, le=MAX_USES)
    below: Below | None = None


class Suggestion(BaseModel):
    pattern: Pattern
    scope: Scope
    words: str


class Suggestions(BaseModel):
    """The narrowest first. ``why``: why there are none. ``digest``: of the action that they are of."""

    digest: str
    suggestions: list[Suggestion]
    why: str


class Drafted(BaseModel):
    """What an approval would leave behind, in words. ``digest``: of the action that it is of."""

    digest: str
    words: str


class ReasonsQuery(Query):
    choice: Choice = Choice.REJECT


class Recent(BaseModel):
    """What you have written lately, the newest first."""

    reasons: list[str]


async def suggest_grants(call: Call) -> Suggestions:
    me = call.visitor.me
    record = await seen_by(me, call.console, call.path("id"))
    found = await suggestions(record, me.name)
    return Suggestions(
        digest=record.digest,
        suggestions=[Suggestion(pattern=one.pattern, scope=one.scope, words=_words(one)) for one in found],
        why="" if found else await why_nothing(record, me.name),
    )


async def draft_grant(call: Call) -> Drafted:
    me = call.visitor.me
    record = await seen_by(me, call.console, call.path("id"))
    grant = await drafted(record, _wish(call.query.model_dump()), me.name)
    return Drafted(digest=record.digest, words=_words(grant))


async def recent_reasons(call: Call) -> Recent:
    console, me = call.console, call.visitor.me
    if call.visitor.signer is None:
        return Recent(reasons=[])
    partitions = console.settings.partitions
    return Recent(reasons=await console.reasons.of(me.name, call.query.choice, console.redis, partitions))


def _wish(said: dict[str, Any]) -> Remember:
    try:
        return Remember.model_validate(said)
    except ValidationError as error:
        wrong = invalid_action(error)
        field = "remember" if wrong.field == "payload" else wrong.field
        raise InvalidAnswer(wrong.message, field=field, limit=wrong.limit) from error


def _words(grant: Grant) -> str:
    return safe(f"{grant.words}, for {span(grant.expires_at - grant.given_at)}")


ENDPOINTS = (
    Endpoint(
        "GET",
        "/actions/{id}/suggestions",
        suggest_grants,
        Suggestions,
        "What could be remembered of an approval",
        tag="grants",
    ),
    Endpoint(
        "GET",
        "/actions/{id}/grant",
        draft_grant,
        Drafted,
        "What an approval that is remembered so would release",
        query=LikeQuery,
        tag="grants",
    ),
    Endpoint("GET", "/reasons", recent_reasons, Recent, "Reasons that you gave lately", query=ReasonsQuery),
)
