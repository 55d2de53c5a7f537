"""Filter: which of the parked actions a page shows."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from guardtier.action import LABEL, NAME
from guardtier.errors import InvalidAction
from guardtier.look import Me
from guardtier.risk import SecurityRisk
from guardtier_workers.console.board.item import Item
from guardtier_workers.console.query import Query
from guardtier_workers.console.show.row import read_order

MOST = 200  #: actions of one page

Text = Annotated[str, StringConstraints(max_length=200)]


class Filter(Query):
    """What the query of the inbox, of its stream of events and of ``/api/v1/actions`` says alike."""

    id: Text = ""  #: this action alone
    fleet: Annotated[str, StringConstraints(pattern=NAME)] | None = None
    agent: Annotated[str, StringConstraints(pattern=LABEL)] | None = None
    tool: Text = ""
    risk: tuple[SecurityRisk, ...] = ()
    detector: Text = ""  #: a detector's id begins so
    text: Text = ""
    group: Text = ""  #: those that are alike

    def takes(self, item: Item, me: Me) -> bool:
        """Whether the page of this approver shows it."""
        return (
            self.id in ("", item.id)
            and me.sees(item.fleet)
            and self.fleet in (None, item.fleet)
            and self.agent in (None, item.agent)
            and self.tool in ("", item.tool)
            and (not self.risk or item.risk in self.risk)
            and (not self.detector or any(one.startswith(self.detector) for one in item.detectors))
            and self.group in ("", item.group)
            and self.text.lower() in item.searched
        )


class Wanted(Filter):
    """A page of what the filter takes: ``after`` is the order of the last row of the page before."""

    limit: int = Field(default=50, ge=1, le=MOST)
    after: Annotated[str, StringConstraints(max_length=120)] = ""

    @property
    def behind(self) -> tuple[int, int, str] | None:
        """None: from the first on. Raises InvalidAction for what is no order."""
        order = read_order(self.after) if self.after else None
        if self.after and order is None:
            raise InvalidAction("after must be what the page before it gave", field="after")
        return order
