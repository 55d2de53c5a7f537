"""Workers, queues, dead letters, fleets and halts: what a visitor sees, and what the tier lets them do."""

from __future__ import annotations

from typing import Any

import pytest

from consoles import Desk, StartConsole, time_passes_as_sessions_are_looked_at
from guardtier import GuardClient
from guardtier.errors import Halted
from guardtier.store.keys import Keys
from guardtier_workers.approvers import Right
from tier import StartTier, Tier, high
from waiting import until

KEYS = Keys(0)
PAYLOADS = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "\u202egnp.exe\u200b")


@pytest.fixture
async def two(start_tier: StartTier) -> Tier:
    return await start_tier(fleets={"web": {}, "ops": {}})


async def bury(tier: Tier, fleet: str = "web", **fields: str) -> str:
    """A dead letter; returns its name."""
    known = {"id": "a.0", "why": "delivered 5 times", "stream": KEYS.actions(fleet), "payload": "{}"}
    return (await tier.redis.xadd(KEYS.dead, known | fields)).decode() + ".0"


async def outbox_letter(tier: Tier, fleet: str = "web") -> str:
    parked = await tier.client(fleet).submit(high(fleet=fleet).placed_in(0))
    halt = '{"reason":"x","by":"guardtier.breaker","at":1,"scope":"web"}'  # spreads to no other partition
    await tier.redis.hset(KEYS.halts, "web", halt)
    return await bury(tier, id=parked.id, stream=KEYS.outbox, op="halt", payload=halt)


async def submitted(client: GuardClient, **fields: Any) -> str:
    return (await client.submit(high(**fields))).id


async def test_the_workers_that_live_are_listed_with_what_they_did(tier: Tier, console: Desk) -> None:
    viewer = await console.program("vera", may=[Right.SEE])

    found = (await viewer.get("/api/v1/workers")).json()

    assert [one["kind"] for one in found["workers"]] == ["analyzer", "policy"]
    assert all(one["heartbeat_age"] < 5 for one in found["workers"])
    assert found["pools"] == []


async def test_the_page_says_that_no_worker_lives_and_what_to_do(
    start_tier: StartTier, start_console: StartConsole
) -> None:
    tier = await start_tier(analyzers=0)
    viewer = await (await start_console(tier)).browser("vera", may=[Right.SEE])

    async def told() -> bool:
        page = (await viewer.get("/workers")).text
        return "No analyzer worker lives" in page and "guardtier worker analyzer" in page

    await until(told)


async def test_queues_say_how_much_waits_and_for_how_long(
    start_tier: StartTier, start_console: StartConsole
) -> None:
    tier = await start_tier(analyzers=0)
    await tier.redis.xadd(KEYS.actions("web"), {"op": "submit"})
    await tier.redis.xadd(KEYS.actions("web"), {"op": "submit"})
    viewer = await (await start_console(tier)).program("vera", may=[Right.SEE])

    found = (await viewer.get("/api/v1/queues")).json()

    (web,) = found["fleets"]
    assert (web["fleet"], web["pending"]) == ("web", 0)
    assert web["unread"] == 2
    assert web["oldest"] is not None
    assert {one["kind"] for one in found["shared"]} == {"assessed", "answers", "outbox", "edits", "strays"}


async def test_nobody_sees_queues_letters_fleets_or_halts_of_another_fleet(
    two: Tier, start_console: StartConsole
) -> None:
    await two.operator().halt("ops", reason="secret")
    await bury(two, "ops")
    await bury(two, "web")
    await bury(two, id="gone.0", stream=KEYS.outbox, op="block")  # nobody knows whose it was
    console = await start_console(two)
    wanda = await console.browser("wanda", ["web"], [Right.SEE])

    queues = (await wanda.get("/api/v1/queues")).json()
    dead = (await wanda.get("/api/v1/dead")).json()
    fleets = (await wanda.get("/api/v1/fleets")).json()
    halts = (await wanda.get("/api/v1/halts?fleet=ops")).json()

    assert [one["fleet"] for one in queues["fleets"]] == ["web"]
    assert [one["fleet"] for one in dead["letters"]] == ["web"]
    assert [one["fleet"] for one in fleets["fleets"]] == ["web"]
    assert halts == {"halts": [], "after": None, "total": 0}
    for path in ("/workers", "/fleets", "/workers/live", "/fleets/live", "/workers/dead"):
        text = (await wanda.get(path)).text
        assert "secret" not in text
        assert "fleet-ops" not in text
        assert "of ops" not in text


async def test_an_operator_retries_a_dead_letter_by_the_page(tier: Tier, console: Desk) -> None:
    name = await outbox_letter(tier)
    olga = await console.browser("olga", may=[Right.HALT])
    assert f'data-letter="{name}"' in (await olga.get("/workers")).text

    done = await olga.post(f"/api/v1/dead/{name}/retry", json={"reason": "mended"})

    assert (done.status_code, done.json()["letter"]) == (200, name)
    assert name not in (await olga.get("/workers")).text
    (line,) = [line for line in await tier.audit() if line["event"] == "retried"]
    assert (line["by"], line["reason"]) == ("olga", "mended")
    again = await olga.post(f"/api/v1/dead/{name}/retry", json={})
    assert (again.status_code, again.json()["code"]) == (404, "unknown_dead_letter")


async def test_who_may_not_retry_sees_why_and_is_refused(tier: Tier, console: Desk) -> None:
    name, other = await outbox_letter(tier), await bury(tier)
    viewer = await console.browser("vera", may=[Right.SEE])

    page = (await viewer.get("/workers")).text
    assert 'data-do="retry"' not in page
    assert "the right <code>halt</code>" in page
    assert (await viewer.post(f"/api/v1/dead/{name}/retry", json={})).status_code == 403

    olga = await console.browser("olga", may=[Right.HALT])
    refused = await olga.post(f"/api/v1/dead/{other}/retry", json={})
    assert (refused.status_code, refused.json()["code"]) == (409, "wrong_state")


async def test_what_names_no_letter_is_refused(console: Desk) -> None:
    olga = await console.browser("olga", may=[Right.HALT])
    for name in ("1", "1-1.0%0a", "1-1", "x" * 300):
        answer = await olga.post(f"/api/v1/dead/{name}/retry", json={})

        assert answer.status_code in (404, 422)


async def test_what_a_dead_letter_holds_is_text(tier: Tier, console: Desk) -> None:
    for payload in PAYLOADS:
        await bury(tier, payload=payload, id=payload[:80], why=payload, op=payload)
    olga = await console.browser("olga", may=[Right.HALT])

    text = (await olga.get("/workers")).text

    assert "<script>alert" not in text
    assert "<img" not in text
    assert "\u202e" not in text
    assert "\u200b" not in text
    assert "&lt;script&gt;" in text
    listed = (await olga.get("/api/v1/dead")).json()["letters"]
    assert {one["payload"] for one in listed} == set(PAYLOADS)


async def test_an_operator_halts_a_fleet_and_lets_it_go_on(tier: Tier, console: Desk) -> None:
    olga, client = await console.browser("olga", may=[Right.HALT]), tier.client()
    action = high().placed_in(0)
    await tier.approver().approve((await client.submit(action)).id)

    done = await olga.post("/api/v1/halts", json={"fleet": "web", "reason": "look at it"})

    assert done.status_code == 200, done.text
    assert (done.json()["standing"], done.json()["halt"]["by"]) == (True, "olga")
    with pytest.raises(Halted):
        await client.redeem(action)
    assert "look at it" in (await olga.get("/fleets")).text
    (halt,) = (await olga.get("/api/v1/halts")).json()["halts"]
    lifted = await olga.post("/api/v1/halts/resume", json={"fleet": "web", "lifts": halt["lifts"]})
    assert (lifted.status_code, lifted.json()["lifted"]) == (200, 1)
    assert (await olga.get("/api/v1/halts")).json()["halts"] == []
    assert (await client.redeem(action)).allowed


async def test_what_somebody_has_halted_meanwhile_stays_halted(tier: Tier, console: Desk) -> None:
    olga = await console.browser("olga", may=[Right.HALT])
    await tier.operator("otto").halt("web", reason="first")
    (seen,) = (await olga.get("/api/v1/halts")).json()["halts"]
    await tier.operator("otto").halt("web", reason="worse")

    refused = await olga.post("/api/v1/halts/resume", json={"fleet": "web", "lifts": seen["lifts"]})

    assert (refused.status_code, refused.json()["code"]) == (409, "wrong_state")
    (stands,) = await tier.operator("otto").halts("web")
    assert stands.halt.reason == "worse"


async def test_a_halt_that_is_not_everywhere_says_so(
    start_tier: StartTier, start_console: StartConsole
) -> None:
    tier = await start_tier(partitions=2)
    olga = await (await start_console(tier)).browser("olga", may=[Right.HALT])
    await olga.post("/api/v1/halts", json={"fleet": "web", "agent": "bot", "reason": "stop"})
    await tier.redis.hdel(Keys(1).halts, "web bot")

    async def told() -> bool:
        return "only in 1 of 2 partitions" in (await olga.get("/fleets")).text

    await until(told)
    (halt,) = (await olga.get("/api/v1/halts")).json()["halts"]
    assert (halt["stands_in"], halt["of"], len(halt["lifts"])) == (1, 2, 2)
    wanted = {"fleet": "web", "agent": "bot", "lifts": halt["lifts"]}
    assert (await olga.post("/api/v1/halts/resume", json=wanted)).json()["lifted"] == 1
    wrong = await olga.post("/api/v1/halts/resume", json=wanted | {"lifts": halt["lifts"][:1]})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "lifts")


async def test_who_may_not_halt_sees_why_and_is_refused(two: Tier, start_console: StartConsole) -> None:
    console = await start_console(two)
    alice = await console.browser("alice")
    otto = await console.browser("otto", ["ops"], [Right.HALT])

    assert "Halting takes the right halt" in (await alice.get("/fleets")).text
    for who in (alice, otto):
        refused = await who.post("/api/v1/halts", json={"fleet": "web", "reason": "mine"})
        assert refused.status_code == 403
    assert await two.operator().halts() == []


async def test_a_halt_that_is_wrong_names_the_field(console: Desk) -> None:
    olga = await console.browser("olga", may=[Right.HALT])
    wrongs: tuple[tuple[dict[str, object], str], ...] = (
        ({"reason": ""}, "reason"),
        ({"fleet": "a b"}, "fleet"),
        ({"conversation": "c1"}, "conversation"),
        ({"then": "burn"}, "then"),
        ({"reason": "x" * 1001}, "reason"),
        ({"other": 1}, "other"),
    )
    for wrong, field in wrongs:
        refused = await olga.post("/api/v1/halts", json={"fleet": "web", "reason": "stop"} | wrong)

        assert (refused.status_code, refused.json()["field"]) == (422, field)


async def test_a_fleet_can_be_halted_whose_policy_can_not_be_read(tier: Tier, console: Desk) -> None:
    await tier.redis.hset(KEYS.policies, "*", "x")
    await tier.redis.hset(KEYS.policies, "web", "x")
    olga = await console.browser("olga", may=[Right.HALT])

    text = (await olga.get("/fleets")).text

    assert "everything is parked" in text.lower()
    assert (await olga.post("/api/v1/halts", json={"fleet": "web", "reason": "stop"})).status_code == 200


async def test_fleets_say_what_waits_and_since_when(two: Tier, start_console: StartConsole) -> None:
    await submitted(two.client("web"))
    await submitted(two.client("ops"), fleet="ops")
    console = await start_console(two)
    alice = await console.browser("alice")

    async def counted() -> bool:
        found = {one["fleet"]: one for one in (await alice.get("/api/v1/fleets")).json()["fleets"]}
        return all(found[name]["by_risk"] == {"HIGH": 1} and found[name]["oldest"] for name in found)

    await until(counted)
    text = (await alice.get("/fleets")).text
    assert 'href="/?fleet=web"' in text
    assert "HIGH 1" in text


async def test_lists_go_on_where_the_page_before_ended(
    start_tier: StartTier, start_console: StartConsole
) -> None:
    names = [f"f{n:02}" for n in range(7)]
    tier = await start_tier(fleets={name: {} for name in names}, analyzers=0)
    alice = await (await start_console(tier)).program("alice")
    for what in ("fleets", "queues"):
        found: list[str] = []
        after = ""
        while after is not None:
            page = (await alice.get(f"/api/v1/{what}", params={"limit": 3, "after": after})).json()
            found += [one["fleet"] for one in page["fleets"]]
            after = page["after"]
        assert found == names


async def test_a_page_that_is_merely_open_keeps_no_session_alive(
    tier: Tier, start_console: StartConsole, monkeypatch: pytest.MonkeyPatch
) -> None:
    time_passes_as_sessions_are_looked_at(monkeypatch)
    olga = await (await start_console(tier, idle_seconds=1)).browser("olga")

    async def is_over() -> bool:
        answer = await olga.get("/workers/live", headers={"x-guardtier-poll": "1"})
        return answer.status_code == 303

    await until(is_over)
