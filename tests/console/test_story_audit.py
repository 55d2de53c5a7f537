"""The audit lines of one fleet: whoever asks, the same ones."""

from __future__ import annotations

import pytest

from consoles import Desk
from guardtier.errors import NotAuthorized
from guardtier_workers.approvers import Right
from tier import high


async def test_a_refused_answer_is_found_under_the_fleet_of_its_action(console: Desk) -> None:
    tier = console.tier
    await tier.client().submit(high())
    (record,) = await tier.parked()
    tier.approver()
    with pytest.raises(NotAuthorized):
        await tier.impostor().approve(record.id, digest=record.digest)

    for name, fleets in (("wanda", ["web"]), ("eve", ["*"])):
        who = await console.program(name, fleets, [Right.SEE])
        page = (await who.get("/api/v1/audit", params={"fleet": "web"})).json()
        told = [(one["step"]["event"], one["fleet"]) for one in page["lines"]]
        assert ("answer_refused", "web") in told, name
        none = (await who.get("/api/v1/audit", params={"fleet": "data"})).json()
        assert none["lines"] == []
