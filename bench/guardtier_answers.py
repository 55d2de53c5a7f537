"""An approver answers and the agent has the verdict: one action at a time, against a whole tier.

Agent and approver share this process, as the asker and the answered one do in the floor. What is
measured begins when the approver's answer is sent, and ends when the agent's client reads the verdict;
``used`` when the agent may run its tool, the approval redeemed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import uvloop

from bench import idle
from bench.measure import percentile
from guardtier import ActionEvent, ApproverClient, GuardClient
from guardtier.store.keys import Keys
from guardtier.store.tail import Tail
from guardtier_workers import approvers

FLEET = "default"
WARM_UP = 50  #: answers before those that count


async def run(url: str, token: str, answers: int) -> dict[str, Any]:
    read: dict[str, asyncio.Future[float]] = {}

    def on_entry(_entry: str, fields: dict[bytes, Any]) -> None:
        waiting = read.get(fields[b"id"].decode())
        if waiting is not None and b"verdict" in fields and not waiting.done():
            waiting.set_result(perf_counter())

    heard, used = [], []
    async with (
        GuardClient(url, fleet=FLEET) as guard,
        ApproverClient(url, approver="alice", token=token) as approver,
    ):
        tail = Tail(url, Keys(0).reply(FLEET, guard.client_id), on_entry)
        await tail.start()
        for number in range(answers + WARM_UP):
            event = ActionEvent(
                fleet=FLEET,
                agent="agent",
                tool_name="terminal",
                arguments={"command": f"deploy {number}"},
                id=f"a{number}.0",
            )
            read[event.id] = asyncio.get_running_loop().create_future()
            parked = await guard.submit(event)
            if not parked.is_waiting:
                raise SystemExit(f"the bench's actions are all parked, not {parked.state}")
            running = asyncio.create_task(_used_at(guard, event))
            await asyncio.sleep(0.002)  # the agent waits by now
            start = perf_counter()
            await approver.approve(event.id, digest=event.digest)
            if number >= WARM_UP:
                heard.append(await read[event.id] - start)
                used.append(await running - start)
            else:
                await running
        await tail.close()
    return {
        f"{name}_{mark}_ms": 1000 * percentile(took, share)
        for name, took in (("heard", heard), ("used", used))
        for mark, share in (("p50", 0.5), ("p99", 0.99))
    }


async def _used_at(guard: GuardClient, event: ActionEvent) -> float:
    await guard.check(event, timeout=60)
    return perf_counter()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--redis-url", required=True)
    parser.add_argument("--answers", type=int, default=300)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "approvers.toml"
        token = approvers.add(file, "alice")
        settings = {"policy": '{"kind": "always_confirm"}', "approvers_file": str(file)}
        with idle.workers(options.redis_url, "analyzer", "policy", **settings):
            print(json.dumps(uvloop.run(run(options.redis_url, token, options.answers))))


if __name__ == "__main__":
    main()
