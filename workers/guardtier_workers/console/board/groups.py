"""Groups: actions that are alike, so that one look may do for many."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from guardtier_workers.console.board.item import Item


@dataclass(slots=True)
class Group:
    """``first`` is the first of them in the order of the inbox."""

    first: Item
    ids: list[str] = field(default_factory=list)  #: in that order
    oldest: int = 0  #: when the one that has waited longest came (ms since 1970)


def grouped(items: Iterable[Item], *, least: int = 2) -> list[Group]:
    """Those of at least so many, in the order of their first actions."""
    found: dict[str, Group] = {}
    for item in items:
        group = found.setdefault(item.group, Group(item, oldest=item.received_at))
        group.ids.append(item.id)
        group.oldest = min(group.oldest, item.received_at)
    return [group for group in found.values() if len(group.ids) >= least]
