"""What a tool's annotations come to, with the defaults of the Model Context Protocol."""

from __future__ import annotations

import re
from typing import Literal

from guardtier.action import ActionEvent
from guardtier.analyzers.tools import tools

#: What a tool says of itself: that it destroys, that it only reads (and where), that it adds without
#: destroying, two things at once, or nothing that helps.
Said = Literal["destroys", "reads", "reads the open world", "adds", "contradicts", "nothing"]

#: Without annotations, a well-known service's names are believed.
_SERVICES: dict[str, Said] = {"": "nothing", "reads": "reads the open world", "adds": "adds"}
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def said_by(action: ActionEvent) -> Said:
    """What the annotations say. A default is no statement: it only withholds trust.

    readOnlyHint is false by default, destructiveHint true, openWorldHint true. idempotentHint says
    how bad a repetition is, and an action is rated as if it ran once: it changes nothing.
    """
    hints = action.annotations
    if hints is None:
        return _SERVICES[tools().done_by(action)]
    if hints.readOnlyHint is True:
        if hints.destructiveHint is True or _is_named_for_change(action.tool_name):
            return "contradicts"
        return "reads" if hints.openWorldHint is False else "reads the open world"
    if hints.destructiveHint is True:
        return "destroys"
    return "adds" if hints.destructiveHint is False else "nothing"


def _is_named_for_change(tool_name: str) -> bool:
    """Whether a tool's own name (without its server's) begins with a verb that changes something."""
    words = _WORD.findall(tool_name.rpartition("__")[2][:256])
    return bool(words) and words[0].lower() in tools().verbs
