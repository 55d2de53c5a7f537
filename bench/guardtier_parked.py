"""How long the confirmation set takes to read, and what it weighs, with many actions parked."""

from __future__ import annotations

import argparse
import asyncio
import json
from time import perf_counter
from typing import Any

import uvloop

from guardtier.action import ActionEvent
from guardtier.analyzers.registry import ensemble
from guardtier.assessment import Assessment
from guardtier.risk import SecurityRisk
from guardtier.settings import Settings
from guardtier.store.connection import connect
from guardtier.store.delivery import Delivery
from guardtier.store.keys import ANALYZERS, POLICIES, Keys
from guardtier.store.ledger import Decision, Ledger
from guardtier.store.pipe import CommandPipe
from guardtier.store.records import Records

KEYS = Keys(0)
CHUNK = 500


def action(number: int) -> ActionEvent:
    """An action whose event is 1 kB: 1,000 bytes, as the 3 kB that it may take are 3,000."""
    bare = ActionEvent(
        id=f"{number:024x}.0",
        fleet="default",
        agent=f"agent-{number % 1000}",
        tool_name="terminal",
        arguments={"command": ""},
    )
    command = f"rm -rf /etc/nginx/sites-{number} # ".ljust(1000 - len(bare.to_json()), "x")
    return bare.model_copy(update={"arguments": {"command": command}})


def rated(event: ActionEvent) -> Assessment:
    """What the tier says of it, with the reasons, as it does by default."""
    settings = Settings.load()
    found = ensemble(settings.analyzers, time_limit=settings.analyzer_seconds).assess_cheaply(event)
    if found is None or found.risk is not SecurityRisk.HIGH:
        raise RuntimeError("the bench's actions are to be parked")
    return found


async def park(ledger: Ledger, number: int, assessment: Assessment) -> None:
    """Through the same scripts as any action, without the workers' time."""
    event = action(number)
    raw = event.to_json()
    envelope = {b"id": event.id.encode(), b"agent": event.agent.encode(), b"payload": raw}
    came = Delivery(0, KEYS.actions("default"), ANALYZERS, f"{number + 1}-1", envelope, "default")
    client = f"{number % 1000:016x}"
    await ledger.assess(came, client=client, action=event, event=raw, assessment=assessment)
    rated = Delivery(0, KEYS.assessed, POLICIES, f"{number + 1}-1", envelope)
    decision = Decision("parked", "confirm_risky:HIGH+unknown", park_ms=3_600_000)
    await ledger.decide(
        rated,
        decision,
        fleet="default",
        agent=event.agent,
        conversation=event.conversation or "",
        digest=event.digest,
        waiters=client,
    )


async def run(url: str, actions: int) -> dict[str, Any]:
    redis = connect(url)
    pipe = CommandPipe(redis, insist=True)
    ledger = Ledger(pipe, KEYS)
    assessment = rated(action(0))
    before = int((await redis.info("memory"))["used_memory"])
    for start in range(0, actions, CHUNK):
        await asyncio.gather(*(park(ledger, n, assessment) for n in range(start, start + CHUNK)))
        await redis.xtrim(KEYS.assessed, maxlen=0)  # what the workers' trimming does
    after = int((await redis.info("memory"))["used_memory"])
    records = Records(redis, 1)
    pages = []
    for _ in range(50):
        begin = perf_counter()
        page = await records.pending(limit=50)
        pages.append(perf_counter() - begin)
        if len(page) != 50:
            raise RuntimeError("the first page is not full")
    await pipe.close()
    await redis.aclose()
    pages.sort()
    return {
        "parked": actions,
        "bytes_per_action": (after - before) / actions,
        "first_page_ms": 1000 * pages[len(pages) // 2],
        "first_page_p99_ms": 1000 * pages[-1],
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--redis-url", required=True)
    parser.add_argument("--actions", type=int, default=100_000)
    options = parser.parse_args()
    print(json.dumps(uvloop.run(run(options.redis_url, options.actions))))
