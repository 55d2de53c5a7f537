"""Remembering: what an approval could leave behind, in words, before it is given (docs/grants.md)."""

from __future__ import annotations

import asyncio

from guardtier.errors import AnalysisFailed, GuardtierError, InvalidAction, WrongState
from guardtier.policy.grants import Grant, Pattern, Remember, Scope
from guardtier.policy.terms import Terms
from guardtier.state import State
from guardtier.store.records import Record
from guardtier_workers.clock import now_ms
from guardtier_workers.grants.drafting import Approval, draft, suggested


async def suggestions(record: Record, name: str) -> list[Grant]:
    """The grants that fit, the narrowest first; none where nothing may be remembered of it."""
    return await asyncio.to_thread(suggested, _approval(record, name))


async def drafted(record: Record, remember: Remember, name: str) -> Grant:
    """The grant that this approval would leave. Raises InvalidAnswer where it can't leave such a one."""
    return await asyncio.to_thread(draft, remember, _approval(record, name))


async def why_nothing(record: Record, name: str) -> str:
    """Why nothing can be remembered of it."""
    try:
        await drafted(record, Remember(pattern=Pattern.EXACT, scope=Scope.AGENT), name)
    except GuardtierError as error:
        return error.message
    return ""


def _approval(record: Record, name: str) -> Approval:
    if record.state is not State.PARKED:
        raise WrongState(
            f"{record.id} is {record.state.value}: it can't be approved", field=record.state.value
        )
    try:
        return Approval(record.action, record.assessment, Terms.read(record.terms), (name,), now_ms())
    except InvalidAction:
        raise
    except ValueError as error:
        raise AnalysisFailed(
            "what it is parked under can't be read, so no answer counts", field="terms"
        ) from error
