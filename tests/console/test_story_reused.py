"""An agent that takes an id once more, when its first record is gone, does not change what was decided."""

from __future__ import annotations

from consoles import Desk, StartConsole
from guardtier.store.keys import Keys
from guardtier_workers.approvers import Right
from tier import StartTier, high
from waiting import until


async def taken_twice(console: Desk) -> str:
    """Its first call was approved, and its record has gone since; the second one waits."""
    tier = console.tier
    for command in ("ls -l", "rm -rf /"):
        status = await tier.client().submit(high(command, id="taken.0"))
        (record,) = await tier.parked()
        if command == "ls -l":
            await tier.approver().approve(status.id, digest=record.digest, reason="harmless")
            await tier.redis.delete(Keys(0).action(status.id))
    return str(status.id)


async def test_the_history_does_not_show_what_was_asked_later_as_approved(console: Desk) -> None:
    action_id = await taken_twice(console)
    alice = await console.program("alice")

    (one,) = (await alice.get("/api/v1/history")).json()["decisions"]

    assert (one["id"], one["outcome"], one["reason"]) == (action_id, "approved", "harmless")
    assert (one["kept"], one["headline"], one["state"]) == (False, "", "approved")


async def test_its_story_is_that_of_the_call_that_is_there(console: Desk) -> None:
    action_id = await taken_twice(console)
    alice = await console.program("alice")

    async def counted() -> bool:
        return bool((await alice.get("/api/v1/figures")).json()["ready"])

    await until(counted)

    story = (await alice.get(f"/api/v1/actions/{action_id}/story")).json()

    assert [one["event"] for one in story["steps"]] == ["asked", "assessed", "parked"]
    times = [one["at"] for one in story["steps"]]
    assert times == sorted(times)


async def test_who_takes_the_id_of_another_fleet_sees_nothing_of_what_it_was(
    start_tier: StartTier, start_console: StartConsole
) -> None:
    tier = await start_tier(fleets={"web": {}, "data": {}})
    keys = Keys(0)
    given_up = {"id": "taken.0", "why": "w", "stream": keys.outbox, "op": "notice", "payload": "of data"}
    letter = (await tier.redis.xadd(keys.dead, given_up)).decode() + ".0"
    refused = {
        "id": "taken.0",
        "event": "answer_refused",
        "by": "dora",
        "error": "{}",
        "stream": keys.answers,
    }
    await tier.redis.xadd(keys.audit, refused)
    await tier.client().submit(high(id="taken.0"))
    desk = await start_console(tier)
    wanda = await desk.browser("wanda", ["web"], [Right.SEE, Right.HALT])

    listed = (await wanda.get("/api/v1/dead")).json()
    retried = await wanda.post(f"/api/v1/dead/{letter}/retry", json={})
    audit = (await wanda.get("/api/v1/audit")).json()

    assert listed["letters"] == []
    assert retried.status_code == 404, retried.text
    assert [one["step"]["event"] for one in audit["lines"]] == ["parked", "assessed"]
