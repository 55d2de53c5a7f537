"""Rows: items as pages take them: HTML in JSON, made once for all pages."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping

import orjson

from guardtier_workers.console.board.change import Change
from guardtier_workers.console.board.item import Item
from guardtier_workers.console.show.row import order_text, row_html

log = logging.getLogger(__name__)

KEPT = 2_000  #: rows, of about 2 kB each


class Rows:
    """Keeps what it has made of the items that were asked for last."""

    def __init__(self, render: Callable[[Item], str] = row_html) -> None:
        self._render = render
        self._made: dict[str, tuple[Item, bytes]] = {}

    def one(self, item: Item) -> bytes:
        """``{"id", "order", "html"}``."""
        item_, made = self._made.get(item.id, (None, b""))
        if item_ is not item:
            made = orjson.dumps(
                {"id": item.id, "order": order_text(item.order), "html": self._render(item)}
            )
            self._made.pop(item.id, None)
            self._made[item.id] = item, made
            if len(self._made) > KEPT:
                del self._made[next(iter(self._made))]
        return made

    def change(self, change: Change) -> bytes:
        """What pages are told of a change."""
        return self.body(change.rows, {"gone": change.gone, "total": change.total, "counts": change.counts})

    def body(self, items: Iterable[Item], more: Mapping[str, object]) -> bytes:
        """``{"rows": […], …}``."""
        rows = [orjson.Fragment(row) for item in items if (row := self._shown(item))]
        return orjson.dumps({"rows": rows, **more})

    def _shown(self, item: Item) -> bytes | None:
        """None where it can't be made, for whatever reason: it hides no other."""
        try:
            return self.one(item)
        except Exception:
            log.exception("the row of %s can't be made: it is left out", item.id)
            return None
