"""A row of the inbox: the same for every visitor, so that it is made once an item."""

from __future__ import annotations

from typing import Any, Final

from guardtier_workers.console.board.item import HEADLINE, Item
from guardtier_workers.console.pages.page import fragment
from guardtier_workers.console.show.marked import one_line

WHY: Final = 200  #: characters of the reason that a row shows
_LATEST: Final = 10**14  #: milliseconds; counted down from, so that the newest comes first


def row_html(item: Item) -> str:
    """The ``<li>`` of an item."""
    return fragment("_row.html", **row_values(item))


def row_values(item: Item) -> dict[str, Any]:
    """What ``_row.html`` is made of."""
    return {
        "item": item,
        "order": order_text(item.order),
        "headline": one_line(item.headline, HEADLINE - 1),
        "why": one_line(item.why or item.summary, WHY),
        "who": f"{item.fleet} / {item.agent}" if item.agent else item.fleet,
    }


def order_text(order: tuple[int, int, str]) -> str:
    """An item's order as a text that sorts the same way, character by character."""
    rank, newest, action_id = order
    return f"{rank}-{_LATEST + newest:015d}-{action_id}"


def read_order(text: str) -> tuple[int, int, str] | None:
    """The order that :func:`order_text` made a text of; None for any other text."""
    rank, _, rest = text.partition("-")
    newest, _, action_id = rest.partition("-")
    if not (rank.isdecimal() and newest.isdecimal() and len(rank) == 1 and len(newest) == 15 and action_id):
        return None
    return int(rank), int(newest) - _LATEST, action_id
