"""/healthz, /readyz and /metrics: whether it lives, whether it can serve, how the tier is."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from consoles import Desk, StartConsole
from guardtier.errors import ConfigError, NotAuthorized
from guardtier.settings import Settings
from guardtier.store.exports import Exported, Exports
from guardtier.store.keys import Keys
from guardtier_workers.approvers import Right
from guardtier_workers.console.access import credentials, door
from guardtier_workers.embedded import EmbeddedRedis
from guardtier_workers.worker import HealthAt, serve
from tier import StartTier, Tier, high, low, unknown
from waiting import until

Samples = dict[str, list[tuple[dict[str, str], float]]]


async def scraped(console: Desk, **auth: object) -> Samples:
    """The samples by their names."""
    answer = await (await console.nobody(**auth)).get("/metrics")
    assert answer.status_code == 200, answer.text
    found: Samples = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def value(found: Samples, name: str, **labels: str) -> float | None:
    """The value of the sample that has these labels; None where there is none."""
    for known, number in found.get(name, ()):
        if labels.items() <= known.items():
            return number
    return None


async def ready(console: Desk) -> None:
    """Wait until it counts."""
    somebody = await console.nobody()

    async def is_ready() -> bool:
        return (await somebody.get("/readyz")).status_code == 200

    await until(is_ready)


async def test_an_orchestrator_hears_that_it_lives_and_is_ready(console: Desk) -> None:
    somebody = await console.nobody()

    assert (await somebody.get("/healthz")).json() == {"ok": True, "kind": "console"}
    await ready(console)
    assert (await somebody.get("/readyz")).json()["redis"] is True


async def test_the_metrics_say_what_is_parked_and_what_was_decided(tier: Tier, console: Desk) -> None:
    await ready(console)
    client, alice = tier.client(), tier.approver()
    assert (await client.check(low())).allowed
    parked = await client.submit(high())
    waits = await client.submit(high("rm -rf /srv"))
    await client.submit(unknown())
    await alice.reject(parked.id, reason="no")

    async def all_counted() -> Samples | None:
        found = await scraped(console)
        answered = value(found, "guardtier_answer_seconds_count", outcome="rejected")
        are_parked = value(found, "guardtier_parkings_total", risk="UNKNOWN") == 1
        return (
            found
            if answered and are_parked and value(found, "guardtier_parked", risk="HIGH") == 1
            else None
        )

    found = await until(all_counted)
    assert value(found, "guardtier_parked", fleet="web", risk="HIGH") == 1
    assert value(found, "guardtier_parked", fleet="web", risk="UNKNOWN") == 1
    assert value(found, "guardtier_parked_oldest_seconds", fleet="web") is not None
    assert value(found, "guardtier_verdicts_total", fleet="web", outcome="released", by="policy") == 1
    assert value(found, "guardtier_verdicts_total", fleet="web", outcome="rejected", by="person") == 1
    assert value(found, "guardtier_parkings_total", fleet="web", risk="HIGH") == 2
    assert value(found, "guardtier_decision_seconds_count", outcome="released") == 1
    assert value(found, "guardtier_workers", kind="analyzer") == 1
    assert value(found, "guardtier_queue_unread", queue="actions", fleet="web") == 0
    assert value(found, "guardtier_dead_letters") == 0
    assert value(found, "guardtier_redis_up") == 1
    assert await tier.record(waits.id)


async def test_the_metrics_say_what_an_export_of_the_audit_trail_lacks(tier: Tier, console: Desk) -> None:
    await tier.client().check(low())
    position = Exported("1-0", 0, 1, "0" * 64, 1, faults=2)
    await Exports(tier.redis, 1).reached(0, "0a0b0c0d", position)

    found = await scraped(console)

    assert value(found, "guardtier_audit_unexported", export="0a0b0c0d", partition="0") == 2
    assert value(found, "guardtier_audit_faults", export="0a0b0c0d") == 2
    assert (value(found, "guardtier_audit_waiting_seconds", export="0a0b0c0d") or 0) > 0

    await tier.redis.delete(Keys(0).exported)
    await tier.redis.rpush(Keys(0).exported, "x")
    found = await scraped(console)

    assert value(found, "guardtier_audit_faults", export="unreadable", partition="0") == 1
    assert value(found, "guardtier_audit_unexported", export="unreadable") == 2


async def test_the_metrics_say_what_each_child_analyzer_took(tier: Tier, console: Desk) -> None:
    await tier.client().check(low())

    async def told() -> bool:
        votes = value(await scraped(console), "guardtier_analyzer_seconds_count", child="llm")
        return votes == 1

    await until(told)


async def test_what_expired_and_what_failed_closed_are_counted(
    start_tier: StartTier, start_console: StartConsole
) -> None:
    tier = await start_tier(analyzers=0, park_seconds=0.3, max_deliveries=2)
    console = await start_console(tier)
    await ready(console)
    await tier.hold("dead-1", low("poison").placed_in(0), deliveries=2)
    await tier.analyzer()
    await tier.parked()

    async def expired() -> bool:
        return bool(await tier.steward().sweep())

    await until(expired)

    async def counted() -> bool:
        found = await scraped(console)
        closed = value(found, "guardtier_failed_closed_total", fleet="web", finding="analysis.failed")
        return closed == 1 and value(found, "guardtier_expired_total", fleet="web") == 1

    await until(counted)
    assert value(await scraped(console), "guardtier_dead_letters") == 1


@pytest.mark.parametrize("own", [{"proxies": ["192.0.2.1/32"]}, {"hosts": ["console.example.org"]}])
async def test_behind_a_proxy_the_metrics_are_for_who_sees_every_fleet(
    tier: Tier, start_console: StartConsole, own: dict[str, Any]
) -> None:
    console = await start_console(tier, **own)

    nobodys = await (await console.nobody()).get("/metrics")
    assert (nobodys.status_code, nobodys.headers["www-authenticate"][:5]) == (401, "Basic")
    web = await console.program("wanda", ["web"], [Right.SEE])
    refused = await web.get("/metrics", headers={"accept": "application/json"})
    assert (refused.status_code, refused.json()["code"]) == (403, NotAuthorized.code)
    every = await console.program("prometheus", ["*"], [Right.SEE])
    assert "guardtier_parked" in (await every.get("/metrics")).text


async def test_prometheus_hears_that_nobody_decides_though_nobody_can_prove_it_anew(
    start_tier: StartTier, start_console: StartConsole, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Policy workers say who somebody is: their alert must come while none lives."""
    monkeypatch.setattr(door, "ASK_SECONDS", 0.0)  # each request asks them
    monkeypatch.setattr(credentials, "TIER_SECONDS", 0.2)
    tier = await start_tier(analyzers=0, policies=0)
    deciding = await tier.policy()
    console = await start_console(tier, proxies=["192.0.2.1/32"])
    every = await console.program("prometheus", ["*"], [Right.SEE])
    late = await console.program("late", ["*"], [Right.SEE])
    assert value(await scraped(console, auth=every.auth), "guardtier_workers", kind="policy") == 1

    await deciding.stop()

    async def told() -> bool:  # its last sign of life counts for 3.5 s
        return value(await scraped(console, auth=every.auth), "guardtier_workers", kind="policy") == 0

    await until(told)
    assert (await every.get("/api/v1/workers")).status_code == 504, "nothing else is shown meanwhile"
    assert (await late.get("/metrics")).status_code == 504, "who was never let in is not"

    tier.forget("prometheus")
    await tier.policy()
    refused = await every.get("/metrics")
    assert (refused.status_code, refused.json()["code"]) == (401, NotAuthorized.code), "no page"


async def test_prometheus_hears_that_redis_is_gone_though_it_has_a_token(
    own_server: EmbeddedRedis,
    start_tier: StartTier,
    start_console: StartConsole,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(door, "ASK_SECONDS", 0.0)
    monkeypatch.setattr(credentials, "TIER_SECONDS", 0.2)
    tier = await start_tier(url=own_server.url, analyzers=0)
    console = await start_console(tier, proxies=["192.0.2.1/32"])
    every = await console.program("prometheus", ["*"], [Right.SEE])
    assert value(await scraped(console, auth=every.auth), "guardtier_redis_up") == 1

    own_server.kill()

    assert value(await scraped(console, auth=every.auth), "guardtier_redis_up") == 0


async def test_where_redis_is_gone_it_lives_and_says_so(
    own_server: EmbeddedRedis, start_tier: StartTier, start_console: StartConsole
) -> None:
    tier = await start_tier(url=own_server.url, analyzers=0, policies=0)
    console = await start_console(tier, open_to_viewers=True)
    await ready(console)
    own_server.kill()
    somebody = await console.nobody()

    found = await scraped(console)

    assert value(found, "guardtier_redis_up") == 0
    assert (await somebody.get("/healthz")).status_code == 200
    assert (await somebody.get("/readyz")).status_code == 503
    page = await somebody.get("/workers")
    assert (page.status_code, "Redis does not answer" in page.text) == (503, True)

    async def says_so() -> bool:  # what was read within the last second is still told
        listed = await somebody.get("/api/v1/workers")
        return listed.json().get("code") == "tier_unavailable" and listed.status_code == 503

    await until(says_so)


def test_the_console_takes_no_port_for_its_health() -> None:
    with pytest.raises(ConfigError, match="at its own address") as told:
        serve("console", Settings.load(), HealthAt(0))

    assert told.value.field == "health_port"
