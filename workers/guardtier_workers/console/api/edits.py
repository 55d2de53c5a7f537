"""``/actions/{id}/edit`` and ``/actions/{id}/changes``: other arguments, sent or only compared."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from pydantic import BaseModel, StringConstraints

from guardtier.answer import Choice
from guardtier.canonical import MAX_PAYLOAD, parse_strict
from guardtier.errors import DigestMismatch, GuardtierError, InvalidAction
from guardtier.policy.edit import Revised
from guardtier_workers.changed import MOST_LINES, changes
from guardtier_workers.console.answering.conflicts import explained
from guardtier_workers.console.answering.looking import partition_in, seen_by
from guardtier_workers.console.api.answers import Answered, Body, Digest, Reason, answered, keep_reason
from guardtier_workers.console.api.endpoint import Call, Endpoint

EDIT_SECONDS = 60.0


class Change(Body):
    """``digest``: of the action as you saw it. ``arguments``: the text of a JSON object, all arguments as
    they are to be.

    It is text so that it is read as strictly as an agent's: what two parsers read differently (a key
    twice, an integer of more than 64 bits) is refused.
    """

    digest: Digest
    arguments: Annotated[str, StringConstraints(max_length=MAX_PAYLOAD)]

    def read(self) -> dict[str, Any]:
        """The arguments. Raises InvalidAction."""
        try:
            found = parse_strict(self.arguments.encode())
        except InvalidAction as error:
            raise InvalidAction(
                f"the arguments: {error.message}", field="arguments", limit=error.limit
            ) from error
        if not isinstance(found, dict):
            raise InvalidAction('arguments are a JSON object, as in {"command": "ls"}', field="arguments")
        return found


class Edited(Change):
    """The same, to be sent."""

    reason: Reason = ""


class Changes(BaseModel):
    """Lines, each with what becomes of it before it (``+``, ``-`` or nothing); ``more`` were left out."""

    lines: list[str]
    more: int


async def edit_action(call: Call) -> Answered:
    said: Edited = call.body
    action_id = call.path("id")
    partition_in(action_id, call.console)
    arguments = said.read()
    try:
        came = await call.tier.edit(
            action_id, arguments, digest=said.digest, reason=said.reason, timeout=EDIT_SECONDS
        )
    except GuardtierError as error:
        raise await explained(error, call.console, call.visitor.me, action_id) from error
    keep_reason(call, Choice.APPROVE, said.reason)
    return _edited(action_id, came) if isinstance(came, Revised) else answered(action_id, came)


async def show_changes(call: Call) -> Changes:
    said: Change = call.body
    record = await seen_by(call.visitor.me, call.console, call.path("id"))
    if record.digest != said.digest:
        error = DigestMismatch("it is another action by now: look at it again", field="digest")
        raise await explained(error, call.console, call.visitor.me, record.id)
    after = said.read()
    lines = await asyncio.to_thread(lambda: list(changes(record.action.arguments, after)))
    return Changes(lines=lines[:MOST_LINES], more=max(0, len(lines) - MOST_LINES))


def _edited(action_id: str, came: Revised) -> Answered:
    if came.riskier:
        words = (
            f"Changed, and rated {came.risk.value} now, riskier than what you changed: nobody has approved "
            "it yet. Look at it again."
        )
        return Answered(id=action_id, outcome="riskier", words=words, revised=came)
    words = f"Changed and counted: {came.in_words.removeprefix('changed, ')}. It goes on waiting."
    return Answered(id=action_id, outcome="changed", words=words, revised=came)


ENDPOINTS = (
    Endpoint(
        "POST",
        "/actions/{id}/edit",
        edit_action,
        Answered,
        "Change the arguments, and approve",
        body=Edited,
    ),
    Endpoint(
        "POST", "/actions/{id}/changes", show_changes, Changes, "What an edit would change", body=Change
    ),
)
