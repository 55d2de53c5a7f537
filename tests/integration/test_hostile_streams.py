"""10,000 malformed entries, straight into the streams: workers live, nothing is let in, nobody waits."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from guardtier import GuardClient, State
from guardtier.store.keys import Keys
from hostile import raw_entries
from tier import StartTier, Tier, high, low
from waiting import until

KEYS = Keys(0)
COUNTS = {
    "actions": 6000,
    "strays": 800,
    "answers": 1600,
    "assessed": 400,
    "edits": 300,
    "outbox": 300,
    "reply": 300,
    "told": 100,
    "audit": 100,
    "dead": 100,
}
#: What nobody but the tier's own scripts writes: whatever else stands there becomes a dead letter.
OWN = {"assessed": KEYS.assessed, "edits": KEYS.edits, "outbox": KEYS.outbox}
FLEETS = {"fleets": {"web": {}, "ops": {}}}


async def flood(tier: Tier, ids: tuple[str, ...]) -> dict[tuple[str, str], dict[bytes, bytes]]:
    """Send them all; by stream and entry."""
    sent: dict[tuple[str, str], dict[bytes, bytes]] = {}
    waiting: list[tuple[str, dict[bytes, bytes]]] = []

    async def send() -> None:
        pipeline = tier.redis.pipeline(transaction=False)
        for stream, fields in waiting:
            pipeline.xadd(stream, fields)
        for (stream, fields), entry in zip(waiting, await pipeline.execute(), strict=True):
            sent[stream, entry.decode()] = fields
        waiting.clear()

    for one in raw_entries(7, COUNTS, ids):
        waiting.append(one)
        if len(waiting) == 500:
            await send()
    await send()
    return sent


async def served(client: GuardClient, until_over: asyncio.Event) -> int:
    """How often an honest agent was released meanwhile: every time that it asked."""
    count = 0
    while not until_over.is_set():
        assert (await client.check(low(fleet="ops"))).allowed
        count += 1
    return count


async def test_ten_thousand_malformed_entries(start_tier: StartTier) -> None:
    tier = await start_tier(**FLEETS)
    honest, person = tier.client("ops", client_id="honest"), tier.approver()
    parked = await tier.client().submit(high())
    asking = asyncio.create_task(honest.check(high(fleet="ops")))
    (waiting,) = [one for one in await tier.parked(2) if one.fleet == "ops"]

    over = asyncio.Event()
    beside = asyncio.create_task(served(honest, over))
    sent = await flood(tier, (parked.id,))
    await until(tier.is_idle, 180)
    over.set()

    assert len(sent) == sum(COUNTS.values()) == 10_000
    assert await beside > 1
    assert not [running for running in tier.workers if running.task.done()]
    assert (await tier.record(parked.id)).state is State.PARKED
    await person.approve(waiting.id)
    assert (await asking).allowed
    await check_accounted_for(tier, sent)


async def check_accounted_for(tier: Tier, sent: dict[tuple[str, str], dict[bytes, bytes]]) -> None:
    """Each was refused, and audited; or taken for what it says, and told so; or is a dead letter."""
    audited, dead, told = await refused(tier), await buried(tier), await replied(tier)
    missing: list[Any] = []
    for (stream, entry), fields in sent.items():
        kind, _ = KEYS.kind_of(stream)
        if kind in ("actions", "strays", "answers"):
            client = fields.get(b"client", b"")
            if (stream, entry) not in audited and not told[client]:
                missing.append((stream, fields))
    assert not missing, missing[:3]
    assert dead == {stream: COUNTS[kind] for kind, stream in OWN.items()}


async def refused(tier: Tier) -> set[tuple[str, str]]:
    lines = [fields for _, fields in await tier.redis.xrange(KEYS.audit)]
    return {
        (line[b"stream"].decode(), line[b"entry"].decode())
        for line in lines
        if b"stream" in line and b"entry" in line and b"error" in line
    }


async def buried(tier: Tier) -> Counter[str]:
    """How many dead letters came from each of the tier's own streams."""
    letters = [fields for _, fields in await tier.redis.xrange(KEYS.dead)]
    said = [one[b"stream"].decode(errors="replace") for one in letters if {b"stream", b"why"} <= one.keys()]
    return Counter(stream for stream in said if stream in OWN.values())


async def replied(tier: Tier) -> Counter[bytes]:
    """How much each client of the fleet was told."""
    found: Counter[bytes] = Counter()
    prefix = KEYS.reply("web", "").encode()
    async for key in tier.redis.scan_iter(match=prefix.replace(b"{", b"[{]") + b"*", count=1000):
        found[key.removeprefix(prefix)] += await tier.redis.xlen(key)
    return found
