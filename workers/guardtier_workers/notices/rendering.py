"""Rendering: a parked action as a notice shows it: without secrets, nothing hidden, and bounded.

What is left out is said, since what one does not see may be what matters. A notice is for knowing that
something waits; the console and ``guardtier show`` have all of it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from guardtier.action import ActionEvent
from guardtier.answer import Choice
from guardtier.errors import GuardtierError
from guardtier.policy.tally import read_votes
from guardtier.policy.terms import Terms
from guardtier.settings import Settings
from guardtier.store.records import Record
from guardtier_workers.cli.output import call_text
from guardtier_workers.cli.safe_text import safe, safe_lines, shortened
from guardtier_workers.notices.plan import Notice

if TYPE_CHECKING:
    from guardtier.analyzers.text.redact import Redactor

#: Bytes of a call that is redacted and shown. Measured: 1 MB of text that is not ASCII with 200 secrets
#: takes 9 s, 64 KiB of it 0.5 s.
LARGEST_CALL = 64 * 1024
LARGEST_SUMMARY = 8 * 1024  #: characters of a summary, likewise
MOST_CALL = 2000  #: characters of the call as it is shown
MOST_LINES = 40  #: of the call
MOST_TEXT = 300  #: characters of anything else that others wrote
MOST_FINDINGS = 5


class Shown(NamedTuple):
    """A notice's content. Every text is safe to print; ``call_cut`` says what of the call is left out."""

    notice: Notice
    title: str
    fleet: str
    agent: str
    conversation: str
    tool: str
    summary: str
    call: str
    call_cut: str
    risk: str
    findings: tuple[tuple[str, str, str], ...]  #: risk, detector id, message
    digest: str
    deadline: int
    on_timeout: str
    needs: str
    link: str


class Renderer:
    """Shows actions. It blocks for up to half a second: call it in a thread."""

    def __init__(self, settings: Settings) -> None:
        self._console = (settings.console_url or "").rstrip("/")
        own = settings.analyzer.get("secrets")
        self._rules = own.options.get("file") if own else None  # what is a secret here is one in notices

    def shown(self, record: Record, terms: Terms, notice: Notice) -> Shown:
        action = _action_of(record)
        call, cut = self._call(action)
        said = self._clean(
            *_words_of(action),
            *(finding.message for finding in record.assessment.findings[:MOST_FINDINGS]),
        )
        agent, conversation, tool, summary, *messages = (shortened(text, MOST_TEXT) for text in said)
        found = zip(record.assessment.findings, messages, strict=False)
        return Shown(
            notice=notice,
            title=_title(notice),
            fleet=safe(record.fleet),
            agent=agent,
            conversation=conversation,
            tool=tool,
            summary=summary,
            call=call,
            call_cut=cut,
            risk=record.assessment.risk.value,
            findings=tuple((finding.risk.value, finding.id, message) for finding, message in found),
            digest=record.digest,
            deadline=record.deadline or 0,
            on_timeout=terms.on_timeout,
            needs=_needs(record, terms),
            link=f"{self._console}/actions/{record.id}" if self._console else "",
        )

    def _call(self, action: ActionEvent | None) -> tuple[str, str]:
        """The call, and what is left out of it."""
        if action is None:
            return "", "it can't be read"
        size = len(orjson.dumps(action.arguments))
        if size > LARGEST_CALL:
            return "", f"it has {size} bytes, too many to be shown here"
        (clean,) = self._clean(action.arguments)
        if not isinstance(clean, dict):
            return "", "it holds too many secrets to be shown here"
        return _bounded(safe_lines(call_text(action.model_copy(update={"arguments": clean}))))

    def _clean(self, *values: Any) -> list[Any]:
        """These without secrets; what holds too many of them is not shown at all."""
        from guardtier.analyzers.text.redact import TooManySecrets

        try:
            cleaned: list[Any] = self._redactor(list(values))
        except TooManySecrets:
            return ["[redacted]" for _ in values]
        return cleaned

    @cached_property
    def _redactor(self) -> Redactor:
        from guardtier.analyzers.text.redact import Redactor

        return Redactor(self._rules)


def text_of(shown: Shown) -> list[str]:
    """The notice as lines for people, without its title and link."""
    lines = [
        f"fleet, agent  {shown.fleet}, {shown.agent}",
        *([f"conversation  {shown.conversation}"] if shown.conversation else []),
        f"tool          {shown.tool}",
        f"rated risk    {shown.risk}",
        f"summary       {shown.summary or '-'} (by the agent itself)",
    ]
    if shown.call:
        lines += ["call", *(f"  {line}" for line in shown.call.split("\n"))]
    if shown.call_cut:
        lines += [f"LOOK AT ALL OF THE CALL BEFORE YOU ANSWER: {shown.call_cut}"]
    lines += [f"finding       {risk} {name}: {message}" for risk, name, message in shown.findings]
    return [
        *lines,
        f"needs         {shown.needs}",
        f"until         {time_text(shown.deadline)}, then {_THEN[shown.on_timeout]}",
        f"id            {shown.notice.action_id}",
        f"digest        {shown.digest}",
    ]


_THEN = {
    "reject": "it expires and does not run",
    "wait": "it waits on",
    "halt": "it expires and the agent's conversation is halted",
}


def time_text(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, tz=UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _title(notice: Notice) -> str:
    match notice.what:
        case "parked":
            return "An action waits for an answer"
        case "extended":
            return "Nobody answered in time; the action waits on"
        case "escalated":
            return f"Escalation, step {notice.number}: nobody has answered yet"
        case "test":
            return "A test of this channel: nothing waits"
        case "reminder":
            return f"Reminder {notice.number}: the action still waits"


def _needs(record: Record, terms: Terms) -> str:
    """How many answers it takes, and how many there are."""
    so_far = 0
    try:
        votes = read_votes(record.votes)
        so_far = sum(vote.choice is Choice.APPROVE and vote.digest == record.digest for vote in votes)
    except ValueError:
        pass  # nothing counts that can't be read
    word = "approval" if terms.approve == 1 else "approvals"
    roles = f" by {' or '.join(terms.roles)}" if terms.roles else ""
    return f"{terms.approve} {word}{roles}" + (f", has {so_far}" if so_far else "")


def _action_of(record: Record) -> ActionEvent | None:
    try:
        return record.action
    except GuardtierError:
        return None


def _words_of(action: ActionEvent | None) -> list[str]:
    """What its agent calls itself, the conversation and the tool, and says of the action."""
    if action is None:
        return ["?", "", "?", ""]
    summary = action.summary
    if len(summary) > LARGEST_SUMMARY:  # cut first, half a secret would not be known as one
        summary = f"[{len(summary)} characters, too many to be shown]"
    return [action.agent, action.conversation or "", action.tool_name, summary]


def _bounded(text: str) -> tuple[str, str]:
    lines = text.split("\n")
    kept = "\n".join(lines[:MOST_LINES])[:MOST_CALL]
    if len(kept) == len(text):
        return text, ""
    return kept, f"only the first {len(kept)} of its {len(text)} characters stand here"
