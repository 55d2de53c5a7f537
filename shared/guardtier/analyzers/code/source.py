"""Source: a text of code with its place in the action; gives findings their spans."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from itertools import accumulate, count
from operator import add

from guardtier.analyzers.effects.rate import Rated
from guardtier.analyzers.lazy import lazy
from guardtier.analyzers.view import CodePart, Span
from guardtier.assessment import MAX_MESSAGE, Finding, made
from guardtier.risk import SecurityRisk

MAX_PARSED = 24 << 10  #: characters; longer texts are scanned: ast.parse takes 1 to 2.5 µs a character
_NEWLINE = re.compile(r"\r\n?|\n")
_PER_ID = 4  #: findings of one kind that are kept


class Report:
    """Collects findings of one text; several of one kind are cut."""

    def __init__(self, part: CodePart, text: str | None = None, within: Span | None = None) -> None:
        self.part = part
        self.text = part.text if text is None else text
        self.within = within  #: for text that is not in the action itself: where it was made
        self.above = 0  #: lines that stand above the text's first one in the tree
        self.followed = False  #: whether it calls something, so that it is parsed or searched
        self.findings: list[Finding] = []
        self._seen: dict[str, int] = {}
        self._at: set[tuple[str, Span | None]] = set()

    def full_of(self, rule: str) -> bool:
        """Whether no more findings of this kind are kept."""
        return self._seen.get(rule, 0) >= _PER_ID

    def add(self, rule: str, risk: SecurityRisk, message: str, span: Span) -> None:
        if self._seen.get(rule, 0) >= _PER_ID:
            return
        place = self._place(*(self.within or span))
        if (rule, place) in self._at:
            return
        self._at.add((rule, place))
        self._seen[rule] = self._seen.get(rule, 0) + 1
        says = {"id": rule, "risk": risk, "message": message[:MAX_MESSAGE]}
        self.findings.append(made(Finding, says | {"field": self.part.field.path, "span": place}))

    def _place(self, start: int, end: int) -> Span | None:
        """The span in the field. A here-document is a line break longer than what stands there."""
        field, (first, last) = self.part.field, self.part.span
        if self._stands_there:
            return field.place(first + start, min(first + end, last))
        return self.part.place(start, end)

    @lazy
    def _stands_there(self) -> bool:
        return self.part.field.text.startswith(self.part.text.rstrip("\n"), self.part.span[0])

    def adopt(self, findings: Sequence[Finding | Rated], span: Span) -> None:
        """Findings of what the code there hands on, shown where it does."""
        for finding in findings:
            self.add(finding.id, finding.risk, finding.message, span)

    def span_of(self, node: ast.AST) -> Span:
        line, column = getattr(node, "lineno", 1 + self.above), getattr(node, "col_offset", 0)
        last, end = getattr(node, "end_lineno", line), getattr(node, "end_col_offset", column)
        return self._offset(line - self.above, column), self._offset(last - self.above, end)

    def _offset(self, line: int, column: int) -> int:
        text, lines = self.text, self._lines
        start = lines[min(line, len(lines)) - 1]
        if text.isascii():
            return min(start + column, len(text))
        end = text.find("\n", start)
        raw = text[start : None if end < 0 else end].encode("utf-8", "surrogatepass")
        return start + len(raw[:column].decode("utf-8", "replace"))

    @lazy
    def _lines(self) -> list[int]:
        """Where lines start, as Python counts them."""
        if "\r" not in self.text:
            ends = accumulate(map(len, self.text.split("\n")[:-1]), initial=0)
            return list(map(add, ends, count()))
        return [0, *(match.end() for match in _NEWLINE.finditer(self.text))]
