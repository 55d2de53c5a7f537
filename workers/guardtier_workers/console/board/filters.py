"""Filter: which of the parked actions a page shows."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from guardtier.action import LABEL, NAME
from guardtier.look import Me
from guardtier.risk import SecurityRisk
from guardtier_workers.console.board.item import Item
from guardtier_workers.console.query import Query

Text = Annotated[str, StringConstraints(max_length=200)]


class Filter(Query):
    """What the query of the inbox, of its stream of events and of ``/api/v1/actions`` says alike."""

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
            me.sees(item.fleet)
            and self.fleet in (None, item.fleet)
            and self.agent in (None, item.agent)
            and self.tool in ("", item.tool)
            and (not self.risk or item.risk in self.risk)
            and (not self.detector or any(one.startswith(self.detector) for one in item.detectors))
            and self.group in ("", item.group)
            and self.text.lower() in item.searched
        )
