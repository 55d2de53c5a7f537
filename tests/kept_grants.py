"""Kept grants: an approval that is remembered, and what is kept of it."""

from __future__ import annotations

from typing import Any

from guardtier import ActionEvent
from guardtier.policy.grants import Remember, grant_id
from guardtier.store.keys import GrantKeys, Keys
from guardtier.verdict import Verdict
from tier import Tier
from waiting import until

KEYS = Keys(0)

GRANTS = GrantKeys("web").grants


async def remembered(tier: Tier, action: ActionEvent, pattern: str = "command", **remember: Any) -> str:
    """Have an action approved and remembered; the grant's id, once it is kept."""
    parked = await tier.client().submit(action)
    verdict = await tier.approver().approve(parked.id, remember=Remember(pattern=pattern, **remember))
    assert isinstance(verdict, Verdict)
    await kept(tier, parked.id)
    return grant_id(parked.id)


async def kept(tier: Tier, action_id: str) -> None:
    await until(lambda: tier.redis.hexists(GRANTS, grant_id(action_id)))
    await tier.idle()
