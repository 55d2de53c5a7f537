"""Blocks: what was rejected in one partition is refused in the others as well."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from guardtier.policy.block import Spread
from guardtier_workers.lane import Lane


class Blocks:
    """Does what the outbox names ``block``. The agent may come back with another client, elsewhere."""

    def __init__(self, lanes: Callable[[], Sequence[Lane]]) -> None:
        self._lanes = lanes

    async def spread(self, partition: int, action_id: str, body: bytes) -> None:
        """Set it in every other partition, until the same moment. Once more changes nothing."""
        said = Spread.model_validate_json(body)
        for lane in self._lanes():
            if lane.keys.partition != partition:
                await lane.ledger.block(
                    action_id,
                    fleet=said.fleet,
                    digest=said.digest,
                    by=said.block.by,
                    block=said.block.to_json(),
                    until=said.block.until,
                )
