"""The story of an action that was rated long after it came: nothing of it is left out unsaid."""

from __future__ import annotations

from consoles import StartConsole
from guardtier.store.keys import Keys
from tier import StartTier, high, submitted
from waiting import until


async def test_what_was_rated_behind_a_backlog_has_its_rating_in_its_story(
    start_tier: StartTier, start_console: StartConsole
) -> None:
    tier = await start_tier(analyzers=0)
    action = high().placed_in(0)
    await tier.redis.xadd(Keys(0).actions("web"), submitted(action))
    others = tier.redis.pipeline(transaction=False)
    for number in range(2_500):  # what happened to others until a worker came to it
        others.xadd(
            Keys(0).audit, {"id": f"o{number}.0", "event": "assessed", "fleet": "web", "risk": "LOW"}
        )
    await others.execute()
    await tier.analyzer()
    await tier.parked()
    desk = await start_console(tier)
    alice = await desk.program("alice")

    async def counted() -> bool:
        return bool((await alice.get("/api/v1/figures")).json()["ready"])

    await until(counted)

    story = (await alice.get(f"/api/v1/actions/{action.id}/story")).json()

    assert [one["event"] for one in story["steps"]] == ["asked", "assessed", "parked"]
