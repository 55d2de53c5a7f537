"""A Redis restored from an older copy, as docs/operations.md tells: what was used may not be used again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from guardtier.errors import Halted, UnknownAction
from guardtier_workers.embedded import EmbeddedRedis
from tier import StartTier, high, low


class Backup:
    """A server whose files are copied, and put back."""

    def __init__(self, folder: Path) -> None:
        self._data, self._copy = folder / "redis", folder / "copy"
        self.server = EmbeddedRedis(self._data)

    def make(self) -> None:
        self.server.kill()
        shutil.copytree(self._data, self._copy)
        self.server.start()

    def restore(self) -> None:
        self.server.kill()
        shutil.rmtree(self._data)
        shutil.copytree(self._copy, self._data)
        self.server.start()


async def test_a_halt_keeps_a_used_approval_of_a_restored_copy_from_running_again(
    start_tier: StartTier, tmp_path: Path
) -> None:
    backup = Backup(tmp_path)
    with backup.server as server:
        tier = await start_tier(url=server.url)
        client, action, later = tier.client(), high().placed_in(0), low().placed_in(0)
        parked = await client.submit(action)
        await tier.approver().approve(parked.id)
        backup.make()
        assert (await client.redeem(action)).allowed
        assert (await client.check(later)).allowed

        backup.restore()
        await tier.operator().halt("web", reason="restored from a copy")

        with pytest.raises(Halted):
            await client.redeem(action)
        with pytest.raises(UnknownAction):
            await client.poll(later)
