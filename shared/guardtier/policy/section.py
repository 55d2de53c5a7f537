"""FleetSection: ``[fleet.NAME]`` of a policy file."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from guardtier.policy.budget import Budget
from guardtier.policy.confirmation import Policy
from guardtier.policy.terms import Terms


class FleetSection(BaseModel):
    """What counts for a fleet where no rule matches.

    ``policy``: its default, unless one was set at run time. ``terms``: what its actions wait under where
    no rule says it. ``mode`` ``shadow``: its actions are released, and what would have been done is
    recorded.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    policy: Policy | None = None
    mode: Literal["enforce", "shadow"] = "enforce"
    terms: Terms | None = None
    budget: Budget | None = None
