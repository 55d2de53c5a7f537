"""A policy file that was set in some partitions alone: what it takes to set the same one in all of them."""

from __future__ import annotations

from consoles import Desk, StartConsole
from guardtier.policy.standing import StandingFile
from guardtier.store.keys import Keys
from guardtier_workers.cli.state import OPERATES
from tier import StartTier

FIRST = 'version = 1\n[[rule]]\nname = "first"\noutcome = "park"\n'
OTHER = 'version = 1\n[[rule]]\nname = "other"\noutcome = "park"\n'


async def divided(start_tier: StartTier, start_console: StartConsole) -> Desk:
    """Of two admins who set a file at the same moment, each was quicker in one partition."""
    desk = await start_console(await start_tier(partitions=2))
    olga = await desk.browser("olga", may=OPERATES)
    redis = desk.tier.redis
    for text in (OTHER, FIRST):
        made = await olga.put("/api/v1/policy-file", json={"text": text})
        assert made.status_code == 200, made.text
        if text == OTHER:
            theirs = await redis.hget(Keys(1).policies, "*")
    await redis.hset(Keys(1).policies, "*", theirs)
    return desk


async def test_who_has_seen_that_partitions_differ_sets_one_for_all(
    start_tier: StartTier, start_console: StartConsole
) -> None:
    desk = await divided(start_tier, start_console)
    olga = await desk.browser("olga")
    shown = (await olga.get("/api/v1/policy-file")).json()
    assert not shown["agreed"]

    wanted = {"text": FIRST, "replaces": shown["set_digest"]}
    put = await olga.put("/api/v1/policy-file", json=wanted)

    assert put.status_code == 200, put.text
    assert put.json()["agreed"]
    assert [part["changed"] for part in put.json()["partitions"]] == [False, True]
    assert 'data-agreed="yes"' in (await olga.get("/policy")).text


async def test_who_has_seen_that_partitions_differ_resets_them(
    start_tier: StartTier, start_console: StartConsole
) -> None:
    desk = await divided(start_tier, start_console)
    olga = await desk.browser("olga")
    page = (await olga.get("/policy")).text
    seen = (await olga.get("/api/v1/policy-file")).json()["set_digest"]
    assert f'data-replaces="{seen}"' in page
    assert 'data-agreed="no"' in page

    reset = await olga.delete("/api/v1/policy-file", params={"replaces": seen})

    assert (reset.status_code, reset.json()["source"]) == (200, "none"), reset.text


async def test_what_was_seen_is_what_stands_in_all_of_them(
    start_tier: StartTier, start_console: StartConsole
) -> None:
    desk = await divided(start_tier, start_console)
    olga = await desk.browser("olga")
    seen = (await olga.get("/api/v1/policy-file")).json()["set_digest"]
    stands = StandingFile.read(await desk.tier.redis.hget(Keys(0).policies, "*"))
    assert stands is not None
    await desk.tier.redis.hdel(Keys(1).policies, "*")  # somebody has reset one of the two meanwhile

    put = await olga.put("/api/v1/policy-file", json={"text": OTHER, "replaces": seen})

    assert put.status_code == 409, put.text
    after = StandingFile.read(await desk.tier.redis.hget(Keys(0).policies, "*"))
    assert after == stands
