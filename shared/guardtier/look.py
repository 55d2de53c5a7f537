"""LookRequest: what an approver asks to see, and how records travel to them.

An approver sees the actions of their own fleets, through the tier: reading Redis directly would show
those of every fleet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from guardtier.action import ACTION_ID, LABEL, NAME
from guardtier.assessment import Assessment
from guardtier.policy.edit import Edit
from guardtier.policy.request import SignedRequest
from guardtier.policy.tally import read_votes, votes_to_json
from guardtier.risk import SecurityRisk
from guardtier.state import State
from guardtier.store.parked import PAGE
from guardtier.store.records import Record
from guardtier.verdict import Verdict


class LookRequest(SignedRequest):
    """Look at one action, at a page of what is parked, or count it, in the partition of the id.

    ``me``: who the approver is to the tier, and what they may. ``whose``: which approver an identity
    provider's ``subject`` is; only a console that may vouch for them is told.

    ``after`` is the cursor that the page before gave. ``fleet``, ``agent`` and ``risk`` narrow a page;
    counting takes ``fleet`` alone.
    """

    op: Literal["look"] = "look"
    what: Literal["action", "page", "count", "me", "whose"]
    action: Annotated[str, StringConstraints(pattern=ACTION_ID)] | None = None
    after: Annotated[str, StringConstraints(max_length=100)] = ""
    limit: int = Field(default=PAGE, ge=1, le=PAGE)
    fleet: Annotated[str, StringConstraints(pattern=NAME)] | None = None
    agent: Annotated[str, StringConstraints(pattern=LABEL)] | None = None
    risk: tuple[SecurityRisk, ...] = Field(default=(), max_length=4)
    subject: Annotated[str, StringConstraints(max_length=512)] | None = None


class Me(BaseModel):
    """An approver, as the tier knows them. ``fleets``: ``*`` is every fleet; ``may``: rights there."""

    model_config = ConfigDict(frozen=True)

    name: str
    principal: str
    fleets: tuple[str, ...]
    may: tuple[str, ...]
    roles: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()  #: their own, globs over fleet/agent

    def sees(self, fleet: str) -> bool:
        """Whether the actions of a fleet are theirs to see."""
        return bool(set(self.may) - {"vouch"}) and self._has(fleet)

    def can(self, right: str, fleet: str) -> bool:
        """Whether they have a right in a fleet. Who may configure may halt."""
        has = right in self.may or (right == "halt" and "configure" in self.may)
        return has and self._has(fleet)

    def _has(self, fleet: str) -> bool:
        return "*" in self.fleets or fleet in self.fleets


#: Not shown: the agent's clients, the proof of an edit, and a signature.
_HIDDEN = frozenset({"waiters", "revised", "sealed", "_action"})
#: Whose JSON goes as it is.
_MODELS: dict[str, type[Assessment] | type[Verdict]] = {"assessment": Assessment, "verdict": Verdict}


def shown(record: Record) -> dict[str, Any]:
    """A record as it travels to an approver: without the clients that wait, and without proofs."""
    body: dict[str, Any] = {}
    for name in _FIELDS:
        value = _PUBLIC.get(name, _same)(getattr(record, name))
        if name in _MODELS:
            body[name] = orjson.Fragment(value.to_json()) if value is not None else None
        elif isinstance(value, bytes):  # any: that of a dead letter need not be JSON, nor UTF-8
            body[name] = value.decode("latin-1")
        else:
            body[name] = value
    return body


def seen(body: dict[str, Any]) -> Record:
    """The record that :func:`shown` made this of. Raises ValueError where it can't be read."""
    found: dict[str, Any] = {"waiters": ""}
    for name in body.keys() & _FIELDS:  # a newer worker may show more
        value = body[name]
        if name in _MODELS:
            found[name] = _MODELS[name].model_validate(value) if value is not None else None
        elif name in _BYTES:
            found[name] = value.encode("latin-1")
        else:
            found[name] = value
    found["state"] = State(found["state"])
    return Record(**found)


def _same(value: Any) -> Any:
    return value


def _without_proofs(raw: bytes) -> bytes:
    """Votes for others to see. What can't be read is not shown."""
    if not raw:
        return b""
    try:
        return votes_to_json([vote.model_copy(update={"proof": ""}) for vote in read_votes(raw)])
    except ValueError:
        return b""


def _without_proof(raw: bytes) -> bytes:
    """An edit for others to see, as :func:`_without_proofs`."""
    try:
        edit = Edit.read(raw)
    except ValueError:
        return b""
    if edit is None:
        return b""
    return edit.model_copy(update=dict.fromkeys(("proof", "mark", "client", "entry"), "")).to_json()


_PUBLIC: dict[str, Callable[[Any], Any]] = {"votes": _without_proofs, "edit": _without_proof}
_FIELDS = [found.name for found in fields(Record) if found.init and found.name not in _HIDDEN]
_BYTES = frozenset(found.name for found in fields(Record) if found.type == "bytes")
