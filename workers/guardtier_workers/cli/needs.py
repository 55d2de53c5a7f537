"""What a parked action still needs, in words: how many answers, whose, who is told, and the end."""

from __future__ import annotations

from typing import Any

from guardtier.readmodel import view_of
from guardtier.state import State
from guardtier.store.records import Record
from guardtier_workers.cli.output import span_text
from guardtier_workers.clock import now_ms

_ENDS = {
    "reject": "it expires, and does not run",
    "wait": "it waits for as long again",
    "halt": "it expires, and its conversation is halted",
}


def needs_cell(record: Record) -> str:
    """``1 of 2 dba``: approvals given and needed, and of which roles; empty for one of anybody."""
    answers = view_of(record)["answers"]
    given, needed, roles = answers["approve"]["given"], answers["approve"]["needed"], answers["roles"]
    if needed is None:
        return "?"
    count = f"{given} of {needed}" if needed > 1 else ""
    return " ".join(filter(None, (count, "/".join(roles))))


def needs_lines(record: Record) -> list[str]:
    """The lines of ``guardtier show``; none for what is decided."""
    if record.state is not State.PARKED:
        return []
    view = view_of(record)
    terms, answers = view["terms"], view["answers"]
    if terms is None:
        return ["needs         what it is parked under can't be read: no answer counts"]
    lines = [
        f"needs         {_side(answers, 'approve')} or {_side(answers, 'reject')}{_of(answers['roles'])}"
    ]
    lines += [_answer(given) for given in answers["given"]]
    lines += _told(view["escalation"])
    lines.append(f"unanswered    {_ENDS[terms['on_timeout']]}")
    return lines


def _side(answers: dict[str, Any], choice: str) -> str:
    needed, given = answers[choice]["needed"], answers[choice]["given"]
    noun = "approval" if choice == "approve" else "rejection"
    return f"{given} of {needed} {noun}s" if needed > 1 else f"1 {noun}"


def _of(roles: list[str]) -> str:
    return f" by somebody with the role {' or '.join(roles)}" if roles else ""


def _answer(given: dict[str, Any]) -> str:
    person = f" ({given['principal']})" if given["principal"] != given["approver"] else ""
    reason = f": {given['reason']}" if given["reason"] else ""
    return f"answered      {given['approver']}{person} would {given['choice']}{reason}"


def _told(escalation: dict[str, Any] | None) -> list[str]:
    """Who is told of it, at once and later."""
    if escalation is None:
        return []
    told = [f"{', '.join(escalation['notify'])} at once"] if escalation["notify"] else []
    for step in escalation["steps"]:
        left = step["at"] - now_ms()
        told.append(f"{', '.join(step['notify'])} " + (f"in {span_text(left)}" if left > 0 else "since"))
    if escalation["remind_every"]:
        told.append(f"again every {span_text(escalation['remind_every'] * 1000)}")
    return [f"tells         {'; '.join(told)}"]
