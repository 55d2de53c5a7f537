"""Sheet: one parked action as ``guardtier review`` lays it before somebody who is about to answer it.

Whatever an agent wrote stands behind a bar, and what is longer than a row goes on further in: no line of it
can look like one of the sheet's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from textwrap import wrap

import orjson

from guardtier.action import ActionEvent
from guardtier.risk import SecurityRisk
from guardtier.store.records import Record
from guardtier_workers.cli.output import broken, span_text, terminal_width
from guardtier_workers.cli.safe_text import safe, safe_lines, shortened, without_gaps
from guardtier_workers.cli.show import MOST_THOUGHT, finding_lines
from guardtier_workers.clock import now_ms
from guardtier_workers.console.answering.before import Before
from guardtier_workers.headline import shortest_first

BAR = "  │ "
FURTHER_IN = "      "  #: where a line of the sheet's own goes on
MOST_ROWS = 40  #: of one argument; of more, the beginning and the end
LAST_ROWS = 8


@dataclass(frozen=True, slots=True)
class Sheet:
    """``lines`` are safe to print. ``left_out``: so many rows of the arguments are not among them."""

    lines: tuple[str, ...]
    left_out: int


def sheet(record: Record, before: Before, *, whole: bool = False) -> Sheet:
    """What there is to be known of it. ``whole``: every argument from its beginning to its end."""
    width = terminal_width()
    runs = list(_runs(record.action, width))
    left_out = 0 if whole else sum(max(0, len(rows) - MOST_ROWS) for rows in runs)
    lines = [
        *_own(_head(record), width),
        "what will run",
        *(row for rows in runs for row in (rows if whole else _ends(rows))),
        *_own(_why(record), width),
        *_says(record.action, width),
        *_own(_does(before), width),
    ]
    return Sheet(tuple(safe(line) for line in lines), left_out)


def _head(record: Record) -> Iterator[str]:
    action, now = record.action, now_ms()
    left = span_text((record.deadline or 0) - now)
    yield f"{record.assessment.risk.value}  {shortened(action.tool_name, 80)}  {left} left"
    talk = f" in {action.conversation}" if action.conversation else ""
    yield f"  {record.fleet} / {action.agent}{talk}, asked {span_text(now - record.received_at)} ago"
    yield f"  {record.id}"


def _why(record: Record) -> Iterator[str]:
    yield "why it waits"
    for found in record.assessment.findings:
        first, *where = finding_lines(found, record.action)
        yield f"  {first}"
        yield from (f"    {line}" for line in where)
    claims, rated = record.action.security_risk, record.assessment.risk
    if claims not in (SecurityRisk.UNKNOWN, rated):
        yield f"  the agent claims {claims.value}, the tier rates it {rated.value}"
    yield f"  under {record.policy}"


def _does(before: Before) -> Iterator[str]:
    """What an approval does, or why there can be none."""
    yield "your approval"
    yield from (f"  {words}" for words in (before.approve.words if before.approve.can else ()))
    if not before.approve.can:
        yield f"  {before.approve.why_not}"
    yield f"  If nobody answers until its deadline, {before.then}."


def _runs(action: ActionEvent, width: int) -> Iterator[list[str]]:
    """The rows of each argument, the command first, and long ones last."""
    for name, value in sorted(
        shortest_first(action.arguments).items(), key=lambda one: one[0] != "command"
    ):
        text = value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
        yield list(_barred(f"{safe(without_gaps(name))}: {safe_lines(without_gaps(text))}", width))
    if not action.arguments:
        yield [f"{BAR}(no arguments)"]


def _ends(rows: list[str]) -> list[str]:
    if len(rows) <= MOST_ROWS:
        return rows
    gap = f"  … {len(rows) - MOST_ROWS} rows of it are not shown: v shows all …"
    return [*rows[: MOST_ROWS - LAST_ROWS], gap, *rows[-LAST_ROWS:]]


def _says(action: ActionEvent, width: int) -> Iterator[str]:
    said = {"summary": action.summary, "thought": action.thought}
    if any(said.values()):
        yield "what the agent says of it (nothing of this is checked)"
    for name, words in said.items():
        if words:
            yield from _barred(f"{name}: {shortened(words, MOST_THOUGHT)}", width)


def _barred(text: str, width: int) -> Iterator[str]:
    """The text behind a bar, row by row."""
    for line in text.split("\n"):
        for row in broken(line, width - len(BAR)):
            yield f"{BAR}{row}"


def _own(lines: Iterator[str], width: int) -> Iterator[str]:
    """Lines of the sheet's own, which may quote what an agent wrote."""
    for line in lines:
        if line.isascii():
            yield from wrap(line, width, subsequent_indent=FURTHER_IN)
            continue
        for number, row in enumerate(broken(line, width - len(FURTHER_IN))):
            yield f"{FURTHER_IN}{row}" if number else row
