"""An approval that was remembered, for tests that look at what it left."""

from __future__ import annotations

import asyncio

from guardtier import ApproverClient
from guardtier.policy.grants import Remember
from tier import Tier, high


async def remembered(tier: Tier, fleet: str = "web", command: str = "rm -rf build/a") -> str:
    """The id of a grant that an approval has left."""
    client = tier.client(fleet)
    action = high(command, fleet=fleet)
    waiting = asyncio.create_task(client.check(action))
    record = (await tier.parked())[0]
    approver: ApproverClient = tier.approver("giver", ["*"])
    await approver.approve(record.id, remember=Remember(pattern="exact", scope="agent"))
    await waiting
    return (await approver.grants(fleet))[0].grant.id
