"""A million parked actions: what each operation takes, and what they weigh, in Redis and in a console.

The first thousand, one of each agent, are parked by the tier's own scripts; the others are copies of their
keys, made in Redis, with ids and deadlines of their own, since a million by the workers would take minutes
of two cores. Redis keeps no files here. Whatever is timed goes through the tier's own processes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from time import monotonic
from typing import Any

import uvloop
from redis.asyncio import Redis

from bench import guardtier_console, idle
from bench.guardtier_parked import KEYS, action, park, rated
from bench.measure import percentile, rss_mib
from guardtier import ActionEvent, ApproverClient, GuardClient
from guardtier.settings import Settings
from guardtier.store.ledger import Ledger
from guardtier.store.pipe import CommandPipe
from guardtier.store.records import Records
from guardtier_workers import approvers
from guardtier_workers.clock import now_ms
from guardtier_workers.console.board.board import MOST
from guardtier_workers.steward import Steward

FLEET = "default"
AGENTS = 1000
CHUNK = 500
LATER_MS = 24 * 3600 * 1000  #: nothing falls due meanwhile
DUE = 1000

#: KEYS: the parked set, audit. ARGV: where records begin, where lists of agents' open actions begin, a
#: deadline, then pairs of the id to copy and the copy's.
COPY = """
local parked, audit = unpack(KEYS)
for i = 4, #ARGV, 2 do
  local from, to = ARGV[i], ARGV[i + 1]
  local fields = redis.call('HGETALL', ARGV[1] .. from)
  for at = 1, #fields, 2 do
    if fields[at] == 'event' then
      local event = fields[at + 1]
      local begins, ends = string.find(event, from, 1, true)
      fields[at + 1] = string.sub(event, 1, begins - 1) .. to .. string.sub(event, ends + 1)
    elseif fields[at] == 'deadline' then
      fields[at + 1] = ARGV[3]
    end
  end
  redis.call('HSET', ARGV[1] .. to, unpack(fields))
  redis.call('ZADD', parked, ARGV[3], to)
  redis.call('ZADD', ARGV[2] .. 'agent-' .. tonumber(string.sub(from, 1, 24), 16), ARGV[3], to)
  redis.call('XADD', audit, '*', 'id', to, 'event', 'assessed', 'fleet', 'default', 'risk', 'HIGH')
  redis.call('XADD', audit, '*', 'id', to, 'event', 'parked', 'fleet', 'default', 'policy', 'copied')
end
"""


async def fill(redis: Redis, number: int) -> float:
    """Park so many; returns what each weighs, in bytes."""
    before = int((await redis.info("memory"))["used_memory"])
    pipe = CommandPipe(redis, insist=True)
    ledger, assessment = Ledger(pipe, KEYS), rated(action(0))
    await asyncio.gather(*(park(ledger, n, assessment) for n in range(AGENTS)))
    await pipe.close()
    await redis.xtrim(KEYS.assessed, maxlen=0)
    copy = redis.register_script(COPY)
    deadline = now_ms() + LATER_MS
    for start in range(AGENTS, number, CHUNK):
        pairs = [
            name for n in range(start, start + CHUNK) for name in (f"{n % AGENTS:024x}.0", f"{n:024x}.0")
        ]
        await copy(
            [KEYS.parked, KEYS.audit], [KEYS.action(""), KEYS.open(FLEET, ""), deadline + start, *pairs]
        )
    if await redis.zcard(KEYS.parked) != number:
        raise RuntimeError("not all are parked")
    return (int((await redis.info("memory"))["used_memory"]) - before) / number


async def timed(times: int, call: Callable[[int], Awaitable[Any]]) -> dict[str, float]:
    """Milliseconds, one after the other."""
    took = []
    for n in range(times):
        begin = monotonic()
        await call(n)
        took.append(1000 * (monotonic() - begin))
    return {"p50_ms": percentile(took, 0.5), "max_ms": max(took)}


def asked(number: int, command: str) -> ActionEvent:
    return ActionEvent(
        id=f"new{number}.0",
        fleet=FLEET,
        agent="new",
        tool_name="terminal",
        arguments={"command": f"{command}-{number}"},
    )


async def measure(url: str, people: dict[str, str]) -> dict[str, Any]:
    """Every operation that a person, an agent or the steward does."""
    found: dict[str, Any] = {}
    async with (
        Redis.from_url(url) as redis,
        GuardClient(url, fleet=FLEET) as guard,
        ApproverClient(url, approver="all", token=people["all"]) as everywhere,
        ApproverClient(url, approver="one", token=people["one"]) as of_fleet,
    ):
        records = Records(redis, 1)
        found["page, from Redis"] = await timed(20, lambda _: records.pending(limit=50))
        found["page, approver of all fleets"] = await timed(20, lambda _: everywhere.pending(limit=50))
        found["page, approver of one fleet"] = await timed(20, lambda _: of_fleet.pending(limit=50))
        found["count, approver of all fleets"] = await timed(20, lambda _: everywhere.count())
        found["count, approver of one fleet"] = await timed(1, lambda _: of_fleet.count(timeout=600))
        found["released"] = await timed(100, lambda n: guard.check(asked(n, "ls src")))
        found["parked"] = await timed(100, lambda n: guard.submit(asked(1000 + n, "rm -rf /etc/x")))
        found["answered"] = await timed(100, lambda n: everywhere.approve(f"new{1000 + n}.0"))
        found["redeemed"] = await timed(100, lambda n: guard.redeem(asked(1000 + n, "rm -rf /etc/x")))
        found["an agent's 1,000 open ones"] = await timed(5, lambda _: guard.pending("agent-7", limit=1000))
        found[f"{DUE} expired, each"] = await expired(url, redis)
    return found


async def expired(url: str, redis: Redis) -> dict[str, float]:
    """What the steward takes for each of those that have fallen due."""
    past = now_ms() - 1
    for n in range(DUE):
        name = f"{AGENTS + n:024x}.0"
        await redis.hset(KEYS.action(name), "deadline", past)
        await redis.zadd(KEYS.parked, {name: past})
    steward = Steward(Settings.load(redis_url=url))
    begin = monotonic()
    done = await steward.expire_due(0)
    each = 1000 * (monotonic() - begin) / DUE
    await steward.close()
    if done != DUE:
        raise RuntimeError(f"{done} of {DUE} have expired")
    return {"p50_ms": each, "max_ms": each}


async def run(url: str, number: int) -> tuple[float, float]:
    async with Redis.from_url(url) as redis:
        await redis.config_set("appendonly", "no")
        begin = monotonic()
        return await fill(redis, number), monotonic() - begin


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--redis-url", required=True)
    parser.add_argument("--actions", type=int, default=1_000_000)
    options = parser.parse_args()
    url = options.redis_url
    guardtier_console.START_SECONDS = 300.0
    with tempfile.TemporaryDirectory() as folder, ExitStack() as parts:
        file = Path(folder) / "approvers.toml"
        people = {"all": approvers.add(file, "all"), "one": approvers.add(file, "one", [FLEET])}
        os.environ["GUARDTIER_APPROVERS_FILE"] = str(file)
        weight, filling = uvloop.run(run(url, options.actions))
        pids = parts.enter_context(idle.workers(url, "analyzer", "policy", approvers_file=str(file)))
        found = uvloop.run(measure(url, people))
        workers = {kind: round(rss_mib(pid), 1) for kind, pid in pids.items()}
        viewer = ("all", people["all"])
        held = min(MOST, options.actions - DUE)
        port, pid, loading = parts.enter_context(guardtier_console.console(url, held, viewer))
        first = uvloop.run(guardtier_console.first_pages(port, pid, viewer))
        console = {"loading_s": loading, "rss_mib": rss_mib(pid), **first}
    said = {"parked": options.actions, "bytes_per_action": weight, "filling_s": filling}
    print(json.dumps({**said, "operations": found, "rss_mib": workers, "console": console}))


if __name__ == "__main__":
    main()
