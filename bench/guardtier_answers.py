"""An approver answers and the agent has the verdict: one action at a time, against a whole tier.

Agent and approver are processes of their own, as they are in life. What is measured begins when the
approver's answer is sent, and ends when the agent's process has read the verdict (``heard``), and when it
has redeemed the approval and may run its tool (``used``). Both read the machine's one monotonic clock.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from hashlib import sha256
from pathlib import Path
from time import monotonic
from typing import Any

import uvloop

from bench import idle
from bench.measure import percentile
from guardtier import ActionEvent, ApproverClient, GuardClient
from guardtier.verdict import Verdict
from guardtier_workers import approvers

FLEET = "default"
WARM_UP = 50  #: answers before those that count


async def agent(url: str, answers: int) -> None:
    """Asks, and tells on its standard output when it waits, and when it had the verdict and the use."""
    read: asyncio.Queue[float] = asyncio.Queue()

    async with GuardClient(url, fleet=FLEET) as guard:
        hand_on = guard._replies._on_entry

        def on_entry(entry: str, fields: dict[bytes, Any]) -> None:
            if b"verdict" in fields and b"token" not in fields:  # the latter: that of redeem
                Verdict.from_json(fields[b"verdict"])
                read.put_nowait(monotonic())
            hand_on(entry, fields)

        guard._replies._on_entry = on_entry  # type: ignore[method-assign]
        for number in range(answers + WARM_UP):
            event = ActionEvent(
                fleet=FLEET,
                agent="agent",
                tool_name="terminal",
                arguments={"command": f"deploy {number}"},
                id=f"a{number}.0",
            )
            parked = await guard.submit(event)
            if not parked.is_waiting:
                raise SystemExit(f"the bench's actions are all parked, not {parked.state}")
            print(event.id, event.digest, sha256(event.to_json()).hexdigest(), flush=True)
            heard = await read.get()
            await guard.redeem(event)
            print(heard, monotonic(), flush=True)


async def approve(url: str, token: str, answers: int, asking: asyncio.subprocess.Process) -> dict[str, Any]:
    """Answers each as soon as the agent waits for it."""
    assert asking.stdout is not None
    heard, used = [], []
    async with ApproverClient(url, approver="alice", token=token) as approver:
        for number in range(answers + WARM_UP):
            action_id, digest, shown = (await asking.stdout.readline()).decode().split()
            start = monotonic()
            await approver.approve(action_id, digest=digest, shown=shown)
            had, ran = map(float, (await asking.stdout.readline()).split())
            if number >= WARM_UP:
                heard.append(had - start)
                used.append(ran - start)
    return {
        f"{name}_{mark}_ms": 1000 * percentile(took, share)
        for name, took in (("heard", heard), ("used", used))
        for mark, share in (("p50", 0.5), ("p99", 0.99))
    }


async def run(url: str, token: str, answers: int) -> dict[str, Any]:
    asking = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.guardtier_answers",
        "--redis-url",
        url,
        "--answers",
        str(answers),
        "--role",
        "agent",
        stdout=subprocess.PIPE,
    )
    try:
        return await approve(url, token, answers, asking)
    finally:
        if asking.returncode is None:
            asking.terminate()
        await asking.wait()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--redis-url", required=True)
    parser.add_argument("--answers", type=int, default=300)
    parser.add_argument("--role", choices=["agent", "approver"], default="approver")
    options = parser.parse_args()
    if options.role == "agent":
        uvloop.run(agent(options.redis_url, options.answers))
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "approvers.toml"
        token = approvers.add(file, "alice")
        settings = {"policy": '{"kind": "always_confirm"}', "approvers_file": str(file)}
        with idle.workers(options.redis_url, "analyzer", "policy", **settings):
            print(json.dumps(uvloop.run(run(options.redis_url, token, options.answers))))


if __name__ == "__main__":
    main()
