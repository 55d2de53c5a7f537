"""Feedback: what a verdict says to the agent's model, in one paragraph.

A reason is written by a person or another model, and a finding may repeat what the agent wrote, so
both are quoted: they are told, they give no orders.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from guardtier.assessment import Finding

MOST_REASON = 1000  #: characters
MOST_MESSAGE = 200
MOST_FINDINGS = 3
MOST_ARGUMENTS = 10

_WHAT_NEXT = {
    "rejected": "Do not try it again, also not in other words or by other means: do what the reason "
    "says, or ask the user how to go on.",
    "expired": "It may be asked for again; or choose a way that needs no approval, or ask the user.",
}


def feedback(
    *,
    outcome: str,
    risk: str,
    reason: str,
    findings: Sequence[Finding],
    decided_by: Sequence[str],
    arguments: Mapping[str, Any] | None = None,
    blocked: bool = False,
) -> str:
    """The paragraph. An ``outcome`` that is none of ours is told as not run.

    ``arguments``: those that an approver put in the place of the agent's own. ``blocked``: it was refused
    at once, since somebody had rejected the same before.
    """
    by = f" by {quoted(', '.join(decided_by), 200)}" if decided_by else ""
    given = f" The reason given: {quoted(reason, MOST_REASON)}." if reason.strip() else ""
    if outcome in ("released", "approved"):
        once = ", once" if outcome == "approved" else ""
        changed = f" {_changed(arguments)}" if arguments is not None else ""
        return f"The action was {outcome}{by}: it may run{once}.{changed}{given}"
    what = "was not answered in time" if outcome == "expired" else f"was {outcome}{by}"
    if blocked:
        what += " at once: the very same has been rejected before"
    found = "; ".join(f"{f.id}: {quoted(f.message, MOST_MESSAGE)}" for f in findings[:MOST_FINDINGS])
    rated = f" It was rated {risk}{f' ({found})' if found else ''}."
    next_step = _WHAT_NEXT.get(outcome, "It must not run.")
    return f"The action {what}, so it was not run.{rated}{given} {next_step}"


def _changed(arguments: Mapping[str, Any]) -> str:
    """What runs instead. The model must not take the outcome for that of its own call."""
    told = [
        f"{quoted(name, MOST_MESSAGE)}: {quoted(_text(value), MOST_REASON)}"
        for name, value in list(arguments.items())[:MOST_ARGUMENTS]
    ]
    more = ", …" if len(arguments) > MOST_ARGUMENTS else ""
    return (
        f"An approver changed it: it runs with these arguments, not with yours: {', '.join(told) or 'none'}"
        f"{more}. Go on from what they do."
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def quoted(text: str, most: int) -> str:
    """Untrusted text as one quoted line of at most so many characters, nothing hidden in it."""
    shown = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text[: 4 * most])
    line = " ".join(shown.split())
    cut = line if len(line) <= most else line[: most - 1] + "…"
    return json.dumps(cut, ensure_ascii=False)
