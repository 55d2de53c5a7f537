"""Change: what open pages are told, and whom it concerns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from guardtier_workers.console.board.item import Item


@dataclass(frozen=True, slots=True)
class Ended:
    """Why an action is not shown any more. ``by``: the approver, or what else decided it; else "".

    ``state`` is ``parked`` where it still waits, but not among what is shown (an edit has changed it),
    ``gone`` where nothing can be said of it.
    """

    id: str
    state: str
    by: str = ""


@dataclass(frozen=True)
class Change:
    """What has changed of what one kind of page shows. ``counts``: by risk, of what its visitor sees.

    ``must_reload``: changes were lost on the way, since this page took them too slowly.
    """

    rows: Sequence[Item]
    gone: Sequence[Ended]
    total: int
    counts: Mapping[str, int]
    must_reload: bool = False
    cache: dict[str, bytes] = field(default_factory=dict, repr=False, compare=False)  #: of whoever sends it


@dataclass(frozen=True, slots=True)
class Step:
    """What has become of one action: how it stood before (None: not there), and how it stands now."""

    before: Item | None
    after: Item | None
    ended: Ended | None = None  #: where ``after`` is None
