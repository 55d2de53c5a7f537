"""Keys of the wrong type and used-up streams: others are served, nothing is let in unseen, and once the key
is mended all goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from guardtier import ActionEvent, State
from guardtier.errors import GuardtierError, GuardTimeout, InvalidAction
from guardtier.store.keys import ANALYZERS, POLICIES, Keys
from guardtier.store.pipe import CommandPipe
from guardtier.store.upkeep import readable, trim
from roleserver import RoleServer, serving_roles
from tier import StartTier, Tier, high, low, submitted
from waiting import until

KEYS = Keys(0)
LAST = "18446744073709551615-18446744073709551615"
FLEETS = {"fleets": {"web": {}, "ops": {}}}
#: Streams that one fleet's work alone goes through, and what else may be damaged without harm to others.
OF_ONE_FLEET = {
    "its stream": KEYS.actions("web"),
    "its reply stream": KEYS.reply("web", "c1"),
    "its agent's open actions": KEYS.open("web", "agent-1"),
    "its record": KEYS.action("a1.0"),
}
OF_ALL = {
    "assessed": KEYS.assessed,
    "audit": KEYS.audit,
    "edits": KEYS.edits,
    "strays": KEYS.strays,
    "answers": KEYS.answers,
    "outbox": KEYS.outbox,
    "dead letters": KEYS.dead,
    "fleets": KEYS.fleets,
    "halts": KEYS.halts,
    "policies": KEYS.policies,
    "parked": KEYS.parked,
}


async def spoil(redis: Redis, key: str) -> None:
    """Put a value of another type there."""
    kind = await redis.type(key)
    await redis.delete(key)
    if kind == b"hash" or key == KEYS.action("a1.0"):
        await redis.rpush(key, "x")
    else:
        await redis.hset(key, "x", "y")


def action(**fields: str) -> ActionEvent:
    return low(id="a1.0", **fields)


async def ask(tier: Tier, fleet: str = "web") -> bool:
    """Whether an agent is released; False where it is told no, or nothing."""
    client = tier.client(fleet, client_id="c1" if fleet == "web" else "c2")
    asked = action() if fleet == "web" else low(fleet=fleet)
    try:
        return (await client.check(asked, timeout=0.4 if fleet == "web" else 60)).allowed
    except (GuardTimeout, GuardtierError):
        return False


def alive(tier: Tier) -> bool:
    return not [running for running in tier.workers if running.task.done()]


async def released_unseen(tier: Tier) -> list[str]:
    """Records of what was released without a line on the audit stream."""
    lines = await tier.audit() if await tier.redis.type(KEYS.audit) == b"stream" else []
    seen = {line["id"] for line in lines if line.get("event") == "released"}
    found = []
    async for key in tier.redis.scan_iter(match="gt:[{]0[}]:action:*"):
        name = key.decode().removeprefix(KEYS.action(""))
        if await tier.redis.type(key) == b"hash":
            state = await tier.redis.hget(key, "state")
            if state == b"released" and name not in seen:
                found.append(name)
    return found


@pytest.mark.parametrize("name", OF_ONE_FLEET)
async def test_a_damaged_key_of_one_fleet_harms_no_other(start_tier: StartTier, name: str) -> None:
    tier = await start_tier(**FLEETS)
    await spoil(tier.redis, OF_ONE_FLEET[name])

    assert not await ask(tier)
    for _ in range(3):
        assert await ask(tier, "ops")

    assert alive(tier)
    await tier.redis.delete(OF_ONE_FLEET[name])
    await until(lambda: ask(tier))
    assert await released_unseen(tier) == []


@pytest.mark.parametrize("name", OF_ALL)
async def test_a_damaged_key_of_all_lets_nothing_in_unseen(start_tier: StartTier, name: str) -> None:
    tier = await start_tier(**FLEETS)
    await spoil(tier.redis, OF_ALL[name])

    await ask(tier)

    assert alive(tier)
    if name == "audit":
        assert await released_unseen(tier) == []
    await tier.redis.delete(OF_ALL[name])
    await tier.upkeep.prepare(tier.settings.fleets)
    await until(lambda: ask(tier, "ops"))
    assert alive(tier)
    assert await released_unseen(tier) == []


async def test_an_audit_stream_that_takes_no_more_lets_nothing_in(tier: Tier) -> None:
    await tier.redis.xadd(KEYS.audit, {"x": "y"}, id=LAST)

    assert not await ask(tier)

    assert await released_unseen(tier) == []
    assert alive(tier)


async def test_a_fleets_stream_that_is_used_up_is_made_anew(start_tier: StartTier) -> None:
    """An agent may name its entry, so it can name the last one that there is."""
    tier = await start_tier(**FLEETS)
    stream = KEYS.actions("web")
    await tier.redis.xadd(stream, submitted(low(id="last.0")), id=LAST)
    with pytest.raises(ResponseError):
        await tier.redis.xadd(stream, {"op": "poll"})
    assert await ask(tier, "ops")

    await until(lambda: ask(tier))

    (line,) = [line for line in await tier.audit() if line["entry"] == LAST or line.get("id") == "last.0"]
    assert (line["event"], "dated ahead" in line["error"]) == ("refused", True)
    assert not await tier.redis.exists(KEYS.action("last.0"))


async def test_what_approvers_write_is_made_anew_too(tier: Tier) -> None:
    await tier.redis.xadd(KEYS.answers, {"op": "look"}, id=LAST)
    parked = await tier.client().submit(high())

    async def approved() -> bool:
        try:
            return (await tier.approver().approve(parked.id)) is not None
        except (GuardtierError, ResponseError):
            return False

    await until(approved)

    assert (await tier.record(parked.id)).state is State.APPROVED


@pytest.fixture(scope="module")
def roles() -> Iterator[RoleServer]:
    with serving_roles() as server:
        yield server


@pytest.mark.parametrize(
    ("role", "stream"),
    [
        ("analyzer", KEYS.actions("web")),
        ("analyzer", KEYS.strays),
        ("policy", KEYS.answers),
        ("policy", KEYS.outbox),
        ("steward", KEYS.actions("web")),
        ("steward", KEYS.answers),
    ],
)
async def test_who_tidies_a_stream_may_make_it_anew(roles: RoleServer, role: str, stream: str) -> None:
    group = ANALYZERS if stream in (KEYS.actions("web"), KEYS.strays) else POLICIES
    async with Redis.from_url(roles.url("admin")) as admin, Redis.from_url(roles.url(role)) as redis:
        await admin.delete(stream)
        await admin.xgroup_create(stream, group, id="0", mkstream=True)
        await admin.xadd(stream, {"op": "poll"}, id=LAST)
        ((_, [(entry, _)]),) = await admin.xreadgroup(group, "c", {stream: ">"})
        pipe = CommandPipe(redis, insist=False)

        assert await trim(pipe, stream) == 0  # it is in work
        await admin.xack(stream, group, entry)
        assert await trim(pipe, stream) == 1

        await admin.xadd(stream, {"op": "poll"})
        assert len(await admin.xreadgroup(group, "c", {stream: ">"})) == 1
        if role != "steward":
            assert await readable(redis, {stream: None}) == {stream: None}
        await pipe.close()


async def test_an_entry_dated_ahead_is_refused(tier: Tier) -> None:
    """Its record would say that it came after all that is said of it: the console would not show that."""
    now = int((await tier.redis.time())[0])
    client = tier.client()
    entry = f"{(now + 3600) * 1000}-0"

    await tier.redis.xadd(KEYS.actions("web"), submitted(low(id="ahead.0")), id=entry)
    ((_, told),) = await until(lambda: tier.redis.xrange(KEYS.reply("web", "raw-1")))

    error = GuardtierError.from_json(told[b"error"])
    assert (type(error), error.field) == (InvalidAction, "entry")
    await until(lambda: released(client))


async def released(client: object) -> bool:
    try:
        return (await client.check(low(), timeout=0.4)).allowed  # type: ignore[attr-defined]
    except (GuardTimeout, GuardtierError):
        return False


async def test_who_trims_their_stream_harms_themselves_alone(start_tier: StartTier) -> None:
    """MAXLEN = 1 drops what is still in work there."""
    tier = await start_tier(**FLEETS)
    asked = [asyncio.create_task(ask(tier, "ops")) for _ in range(20)]

    for number in range(50):
        await tier.redis.xadd(
            KEYS.actions("web"), submitted(low(id=f"t{number}.0")), maxlen=1, approximate=False
        )

    assert all(await asyncio.gather(*asked))
    await tier.idle()
    await until(lambda: ask(tier))
    assert await released_unseen(tier) == []
