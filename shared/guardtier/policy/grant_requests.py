"""What an approver asks about a fleet's grants: to see them, to revoke one."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

from guardtier.action import NAME
from guardtier.policy.grants import Grant, GrantId
from guardtier.policy.request import SignedRequest

Fleet = Annotated[str, StringConstraints(pattern=NAME)]


class RevokeRequest(SignedRequest):
    """Revoke one grant of a fleet. Sent once more it changes nothing: an id is never used again."""

    op: Literal["revoke"] = "revoke"
    fleet: Fleet
    grant: GrantId


class GrantsRequest(SignedRequest):
    """See a page of a fleet's grants. ``after`` is the cursor that the page before gave."""

    op: Literal["grants"] = "grants"
    fleet: Fleet
    after: Annotated[str, StringConstraints(max_length=100)] = ""


class GrantInUse(BaseModel):
    """A grant as it stands, and how many actions it has released."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    grant: Grant
    uses: int

    @property
    def left(self) -> int:
        return max(0, self.grant.max_uses - self.uses)


class GrantsPage(BaseModel):
    """Some of a fleet's grants, those that end first before the others. ``after`` None: it is the last."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    grants: tuple[GrantInUse, ...] = ()
    after: str | None = None
