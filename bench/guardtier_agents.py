"""Ten thousand agents on one tier, each with a client of its own, in a few processes: what they cost.

An agent with a client of its own is the worst case: two connections each. Agents of one process that share
a client cost no connection at all, so they are measured beside it. Each agent asks, thinks, and asks again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
from random import Random
from time import monotonic
from typing import Any

import uvloop
from redis import Redis

from bench import idle
from bench.measure import cpu_seconds, percentile, rss_mib
from guardtier import ActionEvent, GuardClient

FLEET = "default"
PROCESSES = 4
AT_ONCE = 20  #: clients of a process that connect at the same time
FILES = 65_536
OTHERS = 100  #: connections that are no agent's
CLAIM = '["llm"]'  #: what is measured is the tier, not what rates


async def agents(url: str, number: int, count: int, *, shared: bool, think: float, seconds: float) -> dict:
    """One process: connect all, say so, wait for the word, ask for so long."""
    chance = Random(number)
    before = rss_mib(os.getpid())
    made = [GuardClient(url, fleet=FLEET) for _ in range(1 if shared else count)]
    gate = asyncio.Semaphore(AT_ONCE)

    async def connect(client: GuardClient, n: int) -> None:
        async with gate:
            await client.check(_action(number, n, "ls"), timeout=120)

    await asyncio.gather(*(connect(client, n) for n, client in enumerate(made)))
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    begin, took = monotonic(), []

    async def work(n: int) -> None:
        await asyncio.sleep(chance.uniform(0, think))
        while monotonic() - begin < seconds:
            asked = monotonic()
            verdict = await made[n % len(made)].check(_action(number, n, "ls"), timeout=120)
            took.append(monotonic() - asked)
            if not verdict.allowed:
                raise RuntimeError(f"the bench's actions are all released, not {verdict.outcome}")
            await asyncio.sleep(chance.uniform(0.5 * think, 1.5 * think))

    await asyncio.gather(*(work(n) for n in range(count)))
    grown = rss_mib(os.getpid()) - before
    await asyncio.gather(*(client.aclose() for client in made))
    return {"took": took, "mib": grown}


def _action(number: int, n: int, command: str) -> ActionEvent:
    return ActionEvent(
        fleet=FLEET,
        agent=f"agent-{number}-{n}",
        tool_name="terminal",
        arguments={"command": command},
        security_risk="LOW",
    )


def measure(url: str, count: int, *, shared: bool, think: float, seconds: float) -> dict[str, Any]:
    """All processes together, and what they cost Redis."""
    with Redis.from_url(url) as redis, idle.workers(url, "analyzer", "policy", analyzers=CLAIM) as pids:
        most = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 32, 2 * count + OTHERS)
        redis.config_set("maxclients", most)
        count = count if shared else min(count, (most - OTHERS) // 2)
        server = int(redis.info("server")["process_id"])
        before = int(redis.info("memory")["used_memory"])
        command = [
            sys.executable,
            "-m",
            "bench.guardtier_agents",
            "--redis-url",
            url,
            "--think",
            str(think),
        ]
        command += ["--seconds", str(seconds), "--agents", str(count // PROCESSES)]
        started = [
            subprocess.Popen(
                [*command, "--process", str(number), *(["--shared"] if shared else [])],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for number in range(PROCESSES)
        ]
        begin = monotonic()
        for process in started:
            if process.stdout is None or process.stdout.readline().strip() != "ready":
                raise SystemExit("bench: a process of agents did not come up; its error is above")
        connecting = monotonic() - begin
        connections = int(redis.info("clients")["connected_clients"])
        spent = {name: cpu_seconds(pid) for name, pid in (*pids.items(), ("redis", server))}
        begin = monotonic()
        for process in started:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        said = [json.loads(process.communicate(timeout=600)[0]) for process in started]
        lasted = monotonic() - begin
        after = int(redis.info("memory")["used_memory"])
        busy = {
            name: round(100 * (cpu_seconds(pid) - spent[name]) / lasted, 1)
            for name, pid in (*pids.items(), ("redis", server))
        }
    took = [one for process in said for one in process["took"]]
    return {
        "agents": count,
        "connections": connections,
        "connecting_s": connecting,
        "per_s": len(took) / seconds,
        "p50_ms": 1000 * percentile(took, 0.5),
        "p99_ms": 1000 * percentile(took, 0.99),
        "agent_kib": 1024 * sum(process["mib"] for process in said) / count,
        "redis_kib": (after - before) / 1024 / count,
        "busy_percent": busy,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--redis-url", required=True)
    parser.add_argument("--agents", type=int, default=10_000)
    parser.add_argument("--think", type=float, default=20.0, help="seconds between two actions of an agent")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--shared", action="store_true", help="one client for all agents of a process")
    parser.add_argument("--process", type=int, help="for this program's own use")
    options = parser.parse_args()
    given = {"shared": options.shared, "think": options.think, "seconds": options.seconds}
    if options.process is None:
        print(json.dumps(measure(options.redis_url, options.agents, **given)))
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(FILES, hard), hard))
    print(json.dumps(uvloop.run(agents(options.redis_url, options.process, options.agents, **given))))


if __name__ == "__main__":
    main()
