"""What was recorded, run through another policy and today's analyzers: what would change."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardtier import ActionEvent, Assessment, SecurityRisk, State
from guardtier.analyzers.registry import ensemble
from guardtier.assessment import Finding
from guardtier.policy.file import PolicyFile
from guardtier.policy.ruling import Effect
from guardtier.settings import Settings
from guardtier.store.records import Records
from guardtier.store.trail import PAGE, Line, Trail
from guardtier_workers.demo.run import FLEETS, calls
from guardtier_workers.policyfiles import FileInForce
from guardtier_workers.replay import Rate, Replay, Trial, with_flow
from guardtier_workers.replay_report import EXAMPLES, Decided, Report
from tier import Tier, high, low

EXAMPLE = Path(__file__).parents[2] / "examples" / "policies" / "coding_agents.toml"
PARKS_LOW = """
version = 1
[[rule]]
name = "strict"
outcome = "park"
risk = "LOW"
"""
MIXED = """
version = 1
[[rule]]
name = "no-rm"
outcome = "reject"
risk = "HIGH"
agent = "agent-1"
[[rule]]
name = "trusted"
outcome = "release"
agent = "robot"
release_high = true
owner = "ops"
"""
SHADOW = 'version = 1\nfleet.web.mode = "shadow"\n'


async def replayed(
    tier: Tier, text: str | None, *, since: int = 0, fleet: str | None = None, rate: Rate | None = None
) -> Report:
    file = FileInForce(PolicyFile.parse(text).compiled(), "new") if text is not None else None
    records = Records(tier.redis, tier.settings.partitions)
    trial = Trial(tier.settings, records, file)
    trail = Trail(tier.redis, tier.settings.partitions)
    return await Replay(records, trail, trial.rule, rate).run(since, fleet=fleet)


def told(report: Report) -> list[tuple[str, str, tuple[str, ...], int]]:
    return [(c.was.value, c.now.value, c.rules, c.count) for c in report.sorted]


async def test_the_same_policy_changes_nothing(tier: Tier) -> None:
    client = tier.client()
    await client.submit(low())
    await client.submit(high())
    before = await tier.redis.dbsize(), await tier.audit()

    report = await replayed(tier, None)

    assert (report.replayed, report.changes) == (2, {})
    assert (await tier.redis.dbsize(), await tier.audit()) == before


async def test_what_would_change_is_told_by_rule_with_examples(tier: Tier) -> None:
    client = tier.client()
    for number in range(5):
        await client.submit(low(f"ls {number}"))
    await client.submit(high())
    await client.submit(high(agent="robot"))
    await client.submit(high(agent="other"))

    parked, mixed = await replayed(tier, PARKS_LOW), await replayed(tier, MIXED)

    assert told(parked) == [("release", "park", ("strict",), 5)]
    (change,) = parked.sorted
    assert [one.action.arguments["command"] for one in change.examples] == ["ls 0", "ls 1", "ls 2"]
    assert len(change.examples) == EXAMPLES
    assert (change.examples[0].was.policy, change.examples[0].policy) == (
        "confirm_risky:HIGH+unknown",
        "new",
    )
    assert told(mixed) == [
        ("park", "reject", ("no-rm",), 1),
        ("park", "release", ("trusted",), 1),
    ]
    assert [mixed.newly(effect) for effect in Effect] == [1, 0, 1]
    assert mixed.replayed == 8


async def test_a_persons_rejection_is_no_decision_of_the_policy(tier: Tier) -> None:
    parked = await tier.client().submit(high())
    await tier.approver().reject(parked.id, reason="no")

    report = await replayed(tier, MIXED)

    assert told(report) == [("park", "reject", ("no-rm",), 1)]


async def test_what_a_rule_did_is_known_by_its_name(tier: Tier) -> None:
    await tier.operator().set_policy_file(PARKS_LOW)
    await tier.client().submit(low())

    (change,) = (await replayed(tier, "version = 1")).sorted

    assert (change.was_rules, change.rules) == (("strict",), ())
    assert (change.was, change.now) == (Effect.PARK, Effect.RELEASE)


async def test_without_a_file_the_one_that_stands_is_tried(tier: Tier) -> None:
    await tier.client().submit(low())
    await tier.operator().set_policy_file(PARKS_LOW)

    assert told(await replayed(tier, None)) == [("release", "park", ("strict",), 1)]


async def test_in_shadow_what_would_have_been_done_is_compared(tier: Tier) -> None:
    await tier.operator().set_policy_file(SHADOW)
    assert (await tier.client().check(high())).allowed

    assert (await replayed(tier, SHADOW)).changes == {}
    assert told(await replayed(tier, MIXED)) == [("park", "reject", ("no-rm",), 1)]


async def test_what_a_rule_in_shadow_mode_would_change_is_marked(tier: Tier) -> None:
    await tier.client().submit(low())

    (change,) = (await replayed(tier, PARKS_LOW + 'mode = "shadow"')).sorted

    assert (change.now, change.rules, change.shadow) == (Effect.PARK, ("strict",), True)


async def test_todays_analyzers_rate(tier: Tier) -> None:
    async def rate(action: ActionEvent) -> Assessment:
        return Assessment(risk=SecurityRisk.HIGH)

    await tier.client().submit(low())

    report = await replayed(tier, "version = 1", rate=rate)

    (change,) = report.sorted
    assert (change.was, change.now) == (Effect.RELEASE, Effect.PARK)
    assert (report.rated_otherwise, change.rated_otherwise) == (1, 1)
    assert (change.examples[0].rated, change.examples[0].risk) == (SecurityRisk.LOW, SecurityRisk.HIGH)


async def test_what_a_halt_or_a_block_decided_is_no_matter_of_the_policy(tier: Tier) -> None:
    client, approver = tier.client(), tier.operator()
    await approver.reject((await client.submit(high())).id, reason="no")
    assert (await client.submit(high())).state is State.REJECTED
    await approver.halt("web", reason="stop")
    assert (await client.submit(low())).is_waiting

    report = await replayed(tier, "version = 1")

    assert (report.replayed, report.beyond, report.changes) == (1, 2, {})


def test_what_a_grant_released_is_no_matter_of_the_policy() -> None:
    fields = {b"id": b"a.0", b"event": b"released", b"details": b'{"grant": "g1"}'}

    found = Decided.on(Line(0, "1-1", fields))

    assert found is not None
    assert not found.by_policy


async def test_what_was_edited_since_is_counted(tier: Tier) -> None:
    parked = await tier.client(accept_edits=True).submit(high())
    await tier.approver().edit(parked.id, {"command": "ls"})

    report = await replayed(tier, MIXED)

    assert (report.replayed, report.edited, report.changes) == (0, 1, {})


async def test_a_record_that_is_gone_is_counted(tier: Tier) -> None:
    status = await tier.client().submit(low())
    await tier.redis.delete(f"gt:{{0}}:action:{status.id}")

    report = await replayed(tier, PARKS_LOW)

    assert (report.replayed, report.gone, report.changes) == (0, 1, {})


async def test_the_time_and_the_fleet_are_looked_at(tier: Tier) -> None:
    await tier.client().submit(low())
    at = Trail(tier.redis, 1)
    last = [line async for line in at.since(0)][-1]

    assert (await replayed(tier, PARKS_LOW, since=last.at + 1)).replayed == 0
    assert (await replayed(tier, PARKS_LOW, since=last.at)).replayed == 1
    assert (await replayed(tier, PARKS_LOW, fleet="ops")).replayed == 0


async def test_a_rule_is_asked_at_the_time_of_the_action(tier: Tier) -> None:
    """Its own clock, not that of the replay: a rule for the night matches what was done at night."""
    await tier.client().submit(low())
    rules: list[int] = []

    async def rule(partition: int, facts):  # type: ignore[no-untyped-def]
        rules.append(facts.now_ms)
        return await Trial(tier.settings, tier.records).rule(partition, facts)

    await Replay(tier.records, Trail(tier.redis, 1), rule).run(0)

    (line,) = [line for line in await tier.audit() if line["event"] == "assessed"]
    assert abs(rules[0] - int(line["entry"].partition("-")[0])) < 60_000


async def test_a_long_trail_is_read_page_by_page(tier: Tier) -> None:
    pipe = tier.redis.pipeline(transaction=False)
    for number in range(2 * PAGE + 1):
        pipe.xadd("gt:{0}:audit", {"id": f"a{number}.0", "event": "released", "fleet": "web"})
    await pipe.execute()

    lines = [line async for line in Trail(tier.redis, 1).since(0)]

    assert [line.text("id") for line in lines] == [f"a{n}.0" for n in range(2 * PAGE + 1)]
    assert (await replayed(tier, PARKS_LOW)).gone == 2 * PAGE + 1


# -- the parts -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {b"event": b"assessed"},
        {b"event": b"rejected", b"by": b"alice"},
        {b"event": b"redeemed"},
        {b"event": b"\xff"},
        {},
    ],
)
def test_other_lines_tell_of_no_decision(fields: dict[bytes, bytes]) -> None:
    assert Decided.on(Line(0, "1-1", fields | {b"id": b"a.0"})) is None


@pytest.mark.parametrize("details", [b"", b"{", b"[]", b"7", b'{"would": "maybe"}'])
def test_details_that_nobody_can_read_are_left_out(details: bytes) -> None:
    found = Decided.on(Line(0, "1-1", {b"id": b"a.0", b"event": b"parked", b"details": details}))

    assert found is not None
    assert (found.effect, found.rules) == (Effect.PARK, ())


def finding(name: str, risk: SecurityRisk) -> Finding:
    return Finding(id=name, risk=risk, message="m")


LOW, MEDIUM, HIGH, UNKNOWN = (SecurityRisk(name) for name in ("LOW", "MEDIUM", "HIGH", "UNKNOWN"))


@pytest.mark.parametrize(
    ("today", "flow", "comes_to"),
    [
        (LOW, HIGH, HIGH),
        (LOW, UNKNOWN, UNKNOWN),
        (UNKNOWN, MEDIUM, UNKNOWN),
        (HIGH, UNKNOWN, HIGH),
        (MEDIUM, LOW, MEDIUM),
    ],
)
def test_what_was_found_in_the_conversation_counts(
    today: SecurityRisk, flow: SecurityRisk, comes_to: SecurityRisk
) -> None:
    recorded = Assessment(
        risk=HIGH,
        findings=(finding("flow.exfiltration", flow), finding("shell.x", HIGH)),
        labels=("web.fetched",),
    )

    rated = with_flow(Assessment(risk=today), recorded)

    assert rated.risk is comes_to
    assert [one.id for one in rated.findings] == ["flow.exfiltration"]
    assert rated.labels == ("web.fetched",)


# -- the demo ------------------------------------------------------------------------------------


async def test_a_recorded_run_of_the_demo(redis_url: str, tmp_path: Path) -> None:
    """Today's analyzers rate it as they did, its conversations included; an example policy does not."""
    example = EXAMPLE.read_text(encoding="utf-8")
    analyzers = ensemble(Settings().analyzers, time_limit=5.0)
    async with Tier(redis_url, tmp_path, analyzers=Settings().analyzers, fleets=FLEETS) as tier:
        await tier.analyzer()
        await tier.policy()
        clients = {fleet: tier.client(fleet) for fleet in FLEETS}
        for call in calls():
            await clients[call.fleet].submit(call.to_action())

        same = await replayed(tier, None, rate=analyzers.assess)
        other = await replayed(tier, example, rate=analyzers.assess)
        as_recorded = await replayed(tier, example)

    assert (same.replayed, same.rated_otherwise, same.changes, same.gone) == (50, 0, {}, 0)
    assert other.newly(Effect.REJECT) > 0
    assert "no-credentials" in {name for change in other.sorted for name in change.rules}
    assert told(other) == told(as_recorded)
