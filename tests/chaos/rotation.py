"""The tier's signing keys are rotated under load, and revoked: no verdict is refused that should count."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path

from chaos.credentials import Keys, embedded
from chaos.mortal import Mortal
from chaos.scenario import Outcome, Place, Scenario

BETWEEN = 150  #: actions between two rotations
#: At once, or known to agents a second before it signs.
ROTATIONS = (("--now",), ("--after", "1"), ("--now",), ("--now",))


async def rotated(folder: Path) -> Outcome:
    """guardtier keys rotate, four times, and then --revoke; a worker that signs is killed each time."""
    with embedded() as server:
        async with Place(server.url, folder) as place:
            mortal = await Mortal(place).begin()
            async with place.load() as load:
                for how in ROTATIONS:
                    await load.more(BETWEEN)
                    killing = asyncio.to_thread(mortal.kill_one, "policy", "steward")
                    await asyncio.gather(_rotate(place.keys, *how), killing)
                await load.more(2 * BETWEEN)
                stolen = place.keys.look()
                await _rotate(place.keys, "--revoke")
                for key_id in stolen:
                    load.history.revoke(key_id)
                await load.more(3 * BETWEEN)
            refused = sum(call.error == "unknown_key" for call in load.history)
            notes = (
                f"{len(ROTATIONS)} rotations, killed: {mortal.killed}; {refused} verdicts refused "
                "that a revoked key had signed"
            )
            return await place.outcome(load, notes, may_fail=frozenset({"unknown_key"}))


async def _rotate(keys: Keys, *how: str) -> None:
    main = "import sys; from guardtier_workers.cli import main; sys.exit(main())"
    files = ("--file", str(keys.signing), "--public", str(keys.public))
    argv = (sys.executable, "-c", main, "keys", "rotate", *files, *how)
    running = await asyncio.create_subprocess_exec(*argv, stdout=DEVNULL, stderr=PIPE)
    _, said = await running.communicate()
    assert running.returncode == 0, said.decode()
    keys.look()


SCENARIOS = (Scenario("keys-rotated", rotated, 40),)
