"""World: what one tier wrote and what its clients saw, to be forged."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from audit_model import ENTRY
from chaos.checker import Report, check
from chaos.history import Call, History
from chaos.order import chain_end, hash_of
from chaos.reading import Line, Written
from guardtier.verdict import Verdict


@dataclass
class World:
    """What one tier wrote, and what its clients saw; forgeries change a copy."""

    written: Written
    history: History

    def copy(self) -> World:
        return deepcopy(self)

    def check(self, **options: Any) -> Report:
        return check(self.written, self.history, **options)

    @property
    def lines(self) -> list[Line]:
        return self.written.lines[0]

    def of(self, kind: str) -> str:
        """The id of the first action of this kind (load.py)."""
        return next(call.id for call in self.history if call.kind == kind and call.verdict is not None)

    def line(self, kind: str, event: str) -> Line:
        """The first line of that action with this event."""
        action_id = self.of(kind)
        return next(line for line in self.lines if line["id"] == action_id and line["event"] == event)

    def record(self, kind: str) -> dict[str, Any]:
        """That action's record."""
        found = self.written.records[self.of(kind)] = dict(self.written.records[self.of(kind)])
        return found

    def call(self, kind: str, *ops: str) -> Call:
        """The last call about it, of an agent unless told."""
        wanted = ops or ("check", "submit", "poll", "redeem")
        return [c for c in self.history if c.id == self.of(kind) and c.op in wanted][-1]

    def cut(self, kind: str, *events: str) -> None:
        """Take its lines with these events out."""
        for event in events:
            self.lines.remove(self.line(kind, event))

    def add(self, line: Line, **fields: Any) -> None:
        """One more line at the end, like this one."""
        milliseconds = int(self.lines[-1][ENTRY].partition("-")[0]) + 1
        self.lines.append(line | {ENTRY: f"{milliseconds}-0"} | fields)

    def before(self, line: Line, **fields: Any) -> None:
        """One more line right before this one."""
        milliseconds = int(line[ENTRY].partition("-")[0]) - 1
        made = {"id": "h1.0", "fleet": "web"} | fields | {ENTRY: f"{milliseconds}-999999"}
        self.lines.insert(self.lines.index(line), made)

    def chained(self) -> World:
        """With a number and a hash in each line, as a tier has them that writes a chain."""
        end = ""
        for number, line in enumerate(self.lines, 1):
            line |= {"n": str(number), "h": hash_of(end, line)}
            end = chain_end(line)
        return self

    def verdict(self, kind: str, **changed: Any) -> Verdict:
        """The verdict that its agent was told, changed."""
        told = self.call(kind).verdict
        assert told is not None
        return told.model_copy(update=changed)

    def told(self, kind: str, **changed: Any) -> None:
        self.call(kind).verdict = self.verdict(kind, **changed)

    def recorded(self, kind: str, **changed: Any) -> None:
        self.record(kind)["verdict"] = self.verdict(kind, **changed).to_json().decode()
