"""Shows the demo: a line for each verdict as it comes, and below them what waits for a person."""

from __future__ import annotations

import sys
from collections import Counter
from statistics import median
from typing import TYPE_CHECKING, Self

from guardtier.action import ActionEvent
from guardtier.verdict import Outcome, Verdict
from guardtier_workers.cli.output import (
    OUTCOME_STYLES,
    RISK_STYLES,
    call_text,
    cell,
    console,
    emit,
    span_text,
)
from guardtier_workers.cli.safe_text import shortened
from guardtier_workers.clock import now_ms

if TYPE_CHECKING:
    from rich.text import Text

CALL_WIDTH = 58


class Stage:
    """A table that grows. With ``as_json``, one JSON object a verdict and one for the sum."""

    def __init__(self, *, as_json: bool) -> None:
        from rich.live import Live

        self._parked: dict[str, tuple[ActionEvent, int]] = {}
        self._outcomes: Counter[str] = Counter()
        self._released_ms: list[float] = []
        self._as_json = as_json
        self._console = console()
        self._live = Live(
            get_renderable=self._waiting,
            console=self._console,
            auto_refresh=True,
            refresh_per_second=8,
            transient=True,
        )
        self._shows_live = sys.stdout.isatty() and not as_json

    def __enter__(self) -> Self:
        if self._shows_live:
            self._live.start()
        if not self._as_json:
            self._print(("fleet/agent", "tool", "call", "risk", "verdict", "waited"), {})
        return self

    def __exit__(self, *_: object) -> None:
        if self._shows_live:
            self._live.stop()

    def park(self, action: ActionEvent, deadline: int) -> None:
        """It waits for a person now."""
        self._parked[_name(action)] = (action, deadline)
        self._outcomes["parked"] += 1

    def show(self, action: ActionEvent, verdict: Verdict, ms: float) -> None:
        """It has its verdict, after so many milliseconds."""
        self._parked.pop(_name(action), None)
        self._outcomes[verdict.outcome.value] += 1
        if verdict.outcome is Outcome.RELEASED:
            self._released_ms.append(ms)
        if self._as_json:
            body = verdict.model_dump(mode="json")
            emit({"event": "verdict", "fleet": action.fleet, "agent": action.agent} | body | {"ms": ms})
            return
        self._print(
            (
                f"{action.fleet}/{action.agent}",
                action.tool_name,
                call_text(action),
                verdict.risk.value,
                verdict.outcome.value,
                f"{ms:.1f} ms" if ms < 100 else span_text(ms),
            ),
            {3: RISK_STYLES[verdict.risk.value], 4: OUTCOME_STYLES[verdict.outcome.value]},
        )
        if verdict.reason and verdict.outcome is Outcome.REJECTED:
            self._console.print(cell(f"{'':28}told: {shortened(verdict.reason, 110)}", "dim"))
        if verdict.allowed and verdict.is_edited:
            runs = shortened(call_text(verdict.apply(action)), 110)
            self._console.print(cell(f"{'':28}changed by the approver, it runs: {runs}", "dim"))

    def sum_up(self) -> None:
        """The last line: how many of each, and how long a released call waited."""
        released = sorted(self._released_ms)
        counts = {
            name: self._outcomes[name] for name in ("released", "parked", "approved", "rejected", "expired")
        }
        p50 = median(released) if released else 0.0
        p99 = released[int(0.99 * (len(released) - 1))] if released else 0.0
        if self._as_json:
            emit({"event": "done", **counts, "p50_ms": p50, "p99_ms": p99})
            return
        said = ", ".join(f"{count} {name}" for name, count in counts.items())
        self._console.print()
        self._console.print(cell(said, "bold"))
        self._console.print(cell(f"a released call waited {p50:.1f} ms (median), {p99:.1f} ms (p99)"))

    def _print(self, texts: tuple[str, ...], styles: dict[int, str]) -> None:
        from rich.text import Text

        line = Text(no_wrap=True, overflow="ellipsis")
        for index, (text, width) in enumerate(zip(texts, (13, 14, CALL_WIDTH, 8, 9, 9), strict=True)):
            line.append_text(cell(shortened(text, width).ljust(width), styles.get(index, "")))
            line.append(" ")
        self._console.print(line)

    def _waiting(self) -> Text:
        from rich.text import Text

        lines = Text(f"waiting for a person: {len(self._parked)}\n", style="yellow")
        for action, deadline in self._parked.values():
            left = span_text(deadline - now_ms())
            lines.append_text(cell(f"  {left:>6} left  {shortened(call_text(action), 80)}\n"))
        return lines


def _name(action: ActionEvent) -> str:
    """The id as the agent made it, without the partition that the client adds."""
    return action.id.partition(".")[0]
