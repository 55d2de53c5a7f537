"""Slots: which node of a cluster a command belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.crc import key_slot

from guardtier.store.address import Host

_SCRIPTS = frozenset({"EVALSHA", "EVAL"})
_READS = frozenset({"XREAD", "XREADGROUP"})


def slot_of(command: Sequence[Any]) -> int | None:
    """The slot of a command's first key; None where it has none (WAIT goes where the one before went)."""
    name = command[0]
    if name in _SCRIPTS:
        key = command[3] if int(command[2]) else None
    elif name in _READS:
        key = command[command.index("STREAMS") + 1]
    else:
        key = command[1] if name != "WAIT" else None
    if key is None:
        return None
    return int(key_slot(key if isinstance(key, bytes) else str(key).encode()))


class SlotMap:
    """Which node serves which slot, as the cluster said last, corrected by what nodes said since."""

    def __init__(self, seeds: Sequence[Host]) -> None:
        self._seeds = tuple(seeds)
        self._ranges: list[tuple[int, int, Host]] = []
        self._moved: dict[int, Host] = {}
        self.nodes: list[Host] = []  #: every node that it named, replicas too
        self.stale = True  #: the cluster must be asked before this is believed again

    @property
    def known(self) -> list[Host]:
        """Whom to ask: the nodes that were named last, then those of the URL."""
        return [*self.nodes, *(seed for seed in self._seeds if seed not in self.nodes)]

    def owner(self, slot: int) -> Host | None:
        """None where the cluster said that nobody serves it."""
        moved = self._moved.get(slot)
        if moved is not None:
            return moved
        return next((host for first, last, host in self._ranges if first <= slot <= last), None)

    def learn(self, slots: Sequence[Any], asked: Host) -> None:
        """Take the answer to CLUSTER SLOTS. A node that names no host means its own: the one ``asked``."""
        self._moved.clear()
        self._ranges, nodes = [], []
        for first, last, *named in slots:
            hosts = [(_host(node[0], asked), int(node[1])) for node in named]
            self._ranges.append((int(first), int(last), hosts[0]))
            nodes += hosts
        self.nodes = list(dict.fromkeys(nodes))
        self.stale = not self._ranges

    def moved(self, slot: int, host: Host) -> None:
        """A node said that this slot is another's."""
        self._moved[slot] = host
        self.stale = True


def _host(said: Any, asked: Host) -> str:
    text = said.decode() if isinstance(said, bytes) else str(said or "")
    return text if text not in ("", "?") else asked[0]
