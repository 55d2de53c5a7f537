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
from guardtier_workers.notices.cutting import LONGEST, cut, trimmed
from guardtier_workers.notices.plan import Notice

if TYPE_CHECKING:
    from guardtier.analyzers.text.redact import Redactor

#: Bytes of a call that are looked through for secrets. Measured, of text that is not ASCII and full of
#: them: 16 KiB take 0.3 s, 32 KiB 0.9 s, 1 MiB 9 s; of any other text, 1 ms.
LARGEST_CALL = 32 * 1024
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
    """Shows actions. It blocks for up to a second: call it in a thread."""

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
        whole, part = action.arguments, cut(action.arguments)
        size = len(orjson.dumps(whole))
        if len(orjson.dumps(part)) > LARGEST_CALL:
            return "", f"it has {size} bytes, too many to be shown here"
        (clean,) = self._clean(part)
        if not isinstance(clean, dict):
            return "", "it holds too many secrets to be shown here"
        text = safe_lines(call_text(action.model_copy(update={"arguments": trimmed(whole, clean)})))
        kept = "\n".join(text.split("\n")[:MOST_LINES])[:MOST_CALL]
        all_of_it = kept == text and part == whole
        return kept, "" if all_of_it else f"only a part of its {size} bytes stands here"

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
        lines += ["call", *(f"  | {line}" for line in shown.call.split("\n"))]
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
        case "edited":
            return "An approver edited the action; it waits for an answer as it is now"
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
    if len(summary) > LONGEST:
        summary = f"[{len(summary)} characters, too many to be shown]"
    return [action.agent, action.conversation or "", action.tool_name, summary]
