"""Turning away: requests that the tier has no room for are refused unrated, many in one step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from guardtier.errors import TurnedAway
from guardtier.store.delivery import Delivery
from guardtier.store.keys import ANALYZERS, POLICIES
from guardtier.store.scripting import Scripts

ANSWERS = "*answers"  #: in place of a fleet, where it is counted what of approvers was turned away


class Shed(NamedTuple):
    """``refused``: how many left the queue. ``waiting``: how many nobody has been given yet."""

    refused: int
    waiting: int


class TurnAway(Scripts):
    """What the ledger does with more requests than there is room for."""

    async def turn_away(self, fleet: str, refused: Sequence[tuple[Delivery, TurnedAway]]) -> None:
        """Refuse deliveries of one fleet that this worker holds, all for the same reason.

        Their errors differ in ``retry_after`` alone.
        """
        entries: list[str] = []
        for delivery, error in refused:
            entries += [delivery.entry, delivery.sender.client or "", f"{error.retry_after:.3f}"]
        await self._turn(refused[0][0].stream, fleet, refused[0][1], "", entries)

    async def shed(self, stream: str, fleet: str | None, error: TurnedAway, *, most: int) -> Shed:
        """Refuse the newest of what waits in a stream beyond ``most``, a bounded number in one step.

        Where the stream is no fleet's, nobody is told. Call it again while more wait than that.
        """
        more = await self._turn(stream, fleet, error, str(most), ())
        return Shed(*(int(number) for number in more))

    async def shed_answers(self, error: TurnedAway, *, most: int) -> Shed:
        """The same of what approvers ask: whoever has sent the newest is told to come again."""
        keys = self._keys
        more = await self._run_turn(
            [keys.answers, keys.audit, keys.turned(ANSWERS)],
            [POLICIES, "*", error.code, keys.told(""), error.head(), str(most)],
        )
        return Shed(*(int(number) for number in more))

    async def tell_turned(self, stream: str, fleet: str | None, error: TurnedAway) -> None:
        """Have what was refused for this reason, and is not in the audit stream yet, put there.

        There is a line a second at the most: nothing happens within a second of the last one.
        """
        await self._turn(stream, fleet, error, "", ())

    async def _turn(
        self, stream: str, fleet: str | None, error: TurnedAway, most: str, entries: Sequence[str]
    ) -> tuple[bytes, ...]:
        return await self._run_turn(
            [stream, self._keys.audit, self._keys.turned(fleet or "*")],
            [
                ANALYZERS,
                fleet or "*",
                error.code,
                self._keys.reply(fleet, "") if fleet else "",
                error.head(),
                most,
                *entries,
            ],
        )

    async def _run_turn(self, keys: Sequence[str], args: Sequence[str | bytes]) -> tuple[bytes, ...]:
        return (await self._run("turn_away", keys, args)).more
