"""sql_findings(text): what SQL statements do, by the rules of ``data/sql.toml``."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import re2

from guardtier.analyzers.code.rows import Rows
from guardtier.analyzers.code.rules import Model, Verdict
from guardtier.analyzers.code.source import Report
from guardtier.analyzers.code.value import clean
from guardtier.analyzers.view import CodePart
from guardtier.assessment import Finding
from guardtier.risk import SecurityRisk


class Statement(Verdict):
    """One kind of statement.

    ``raw`` looks at the text as it stands, literals and comments too. ``own`` says that it is no more
    than MEDIUM where all that it names was created before, by the same text. ``rows`` says that it is
    about every row, so that a WHERE that hides in a subquery, or is always true, does not excuse it.
    """

    pattern: str
    unless: str | None = None
    raw: bool = False
    own: bool = False
    rows: bool = False


class _File(Model):
    statement: list[Statement]


class _Compiled(NamedTuple):
    rule: Statement
    pattern: Any
    unless: Any


#: Comments go (what MySQL runs in one stays), the inside of literals becomes blanks: the length stays.
_ASIDE = re.compile(
    r"((?>(?:(?:--[^\n]*+|/\*(?![!+]).*?(?:\*/|\Z)|/\*!?\d*|\*/)\s*+)+)|'(?>(?:[^'\\]++|(?>(?:''[^'\\]*+)+)|\\.)*)'?)",
    re.DOTALL,
)
_TAG = re.compile(r"((?>(?:\$\w*+\$)+))")  #: around a text in PostgreSQL, which may be code
_COMMENTS = ("--", "/*", "*/")
_EDGE = " \t\r\n;"

_REMEMBERED = 1024  #: characters of a text that is kept with the rules that match
_MANY = 16  #: such texts
MAX_STATEMENTS = 4096  #: that a rule asks for its exception; more of them are HIGH


class Statements:
    """All rules as one automaton over the whole text, and one by one where it says so."""

    def __init__(self, rules: list[Statement]) -> None:
        options = re2.Options()
        options.case_sensitive = False
        options.dot_nl = True
        options.max_mem = 64 << 20
        self._rules = [
            _Compiled(
                rule, re2.compile(_within(rule), options), rule.unless and re2.compile(rule.unless, options)
            )
            for rule in rules
        ]
        self._raw = [at for at, rule in enumerate(rules) if rule.raw]
        self._raw_set = re2.Set.SearchSet(options)
        for pattern in [r"\A", *(rules[at].pattern for at in self._raw)]:
            self._raw_set.Add(pattern)
        self._raw_set.Compile()
        self._known: dict[str, Sequence[int]] = {}
        self._set = re2.Set.SearchSet(options)
        for rule in rules:
            self._set.Add(_within(rule))
        self._set.Compile()

    def rate(self, report: Report, bare: str, created: Callable[[], Mapping[str, int]]) -> None:
        """Adds what there is to say of the text; ``bare``: the same, blanked.

        ``created`` finds out what exists because of it, from where on.
        """
        for at in self._hits(report.text, bare):
            if self._rules[at].rule.raw:
                self._rate_raw(self._rules[at], report)
            else:
                self._rate_with(self._rules[at], report, bare, created)

    def suspects(self, text: str) -> bool:
        """Whether something may be said of the text; False is certain."""
        return bool(self._hits(text, blanked(text)))

    def _hits(self, text: str, bare: str) -> Sequence[int]:
        """The rules that may match, in order. Asked before a text's code is parsed, and after."""
        if len(text) > _REMEMBERED:
            return self._matching(text, bare)
        found = self._known.get(text)
        if found is None:
            if len(self._known) >= _MANY:
                self._known.clear()
            found = self._known[text] = self._matching(text, bare)
        return found

    def _matching(self, text: str, bare: str) -> Sequence[int]:
        """Of the rules that look at the text as it stands, all if it can't be told."""
        likely = self._set.Match(bare.encode("utf-8", "replace")) or ()
        hits = self._raw_set.Match(text.encode("utf-8", "replace"))
        raw = self._raw if hits is None else [self._raw[hit - 1] for hit in hits if hit]
        return sorted({*likely, *raw})

    def _rate_raw(self, one: _Compiled, report: Report) -> None:
        found = one.pattern.search(report.text)
        if found:
            _add(report, one.rule, found.span())

    def _rate_with(
        self, one: _Compiled, report: Report, bare: str, created: Callable[[], Mapping[str, int]]
    ) -> None:
        rows = Rows()
        asked, excused, own = (-1, -1), False, False
        for number, (start, end, found) in enumerate(_matches(one.pattern, bare)):
            if number > MAX_STATEMENTS:
                _add(report, one.rule, (start, end))
                break
            if asked != (start, end):  # a statement may be a megabyte and match thousands of times
                asked, text = (start, end), bare[start:end]
                excused = bool(one.unless and one.unless.search(text)) and not (
                    one.rule.rows and rows.all_of(text, report.text[start:end])
                )
                own = not excused and one.rule.own and _is_own(text, start, created)
            if excused:
                continue
            span = _trimmed(bare, *found)
            if own:
                report.add(
                    "sql.own", SecurityRisk.MEDIUM, "Changes or deletes what it has itself created.", span
                )
            else:
                _add(report, one.rule, span)
            if report.full_of(one.rule.id or ""):
                break


_NEVER = 1 << 60
_CREATE = re.compile(
    r"(?i)\bcreate\s+(?:(?:or\s+replace|global|local|temp|temporary|unlogged|materialized|external|virtual)\s+)*"
    r"(?:table|view)\s+(?:if\s+not\s+exists\s+)?([\w.\"`\[\]$]+)"
)
_AFFECTED = re.compile(
    r"(?i)\b(?:drop\s+(?:\w+\s+)?(?:table|view)|delete\s+from|truncate(?:\s+table)?|update)\s+"
    r"(?:(?:if\s+exists|only|ignore)\s+)?([\w.\"`\[\]$]+(?:\s*,\s*[\w.\"`\[\]$]+)*)"
)
_QUOTES = str.maketrans("", "", '"`[]')


def created_in(text: str) -> dict[str, int]:
    """The tables that the text creates, and where it does so first."""
    found: dict[str, int] = {}
    for match in _CREATE.finditer(text):
        found.setdefault(match[1].translate(_QUOTES).lower(), match.start())
    return found


def _is_own(text: str, start: int, created: Callable[[], Mapping[str, int]]) -> bool:
    return all(created().get(name, _NEVER) <= start for name in _affected(text))


def _affected(text: str) -> set[str]:
    """The tables that it changes or drops; something that nothing is called where that can't be told."""
    names = [name for names in dict.fromkeys(_AFFECTED.findall(text)) for name in names.split(",")]
    return {name.strip().split(" ")[0].translate(_QUOTES).lower() for name in names} or {"\x00"}


def _add(report: Report, rule: Statement, span: tuple[int, int]) -> None:
    report.add(rule.id or "sql.statement", rule.risk or SecurityRisk.MEDIUM, rule.text, span)


def blanked(text: str) -> str:
    """The text with nothing in its comments and literals, as long as before."""
    if "'" in text or any(mark in text for mark in _COMMENTS):
        bare = _blanked_literals(text) if _is_regular(text) else None
        text = _without(_ASIDE, text) if bare is None else bare
    return _without(_TAG, text) if "$" in text else text


def _without(pattern: re.Pattern[str], text: str) -> str:
    """What the pattern finds is blanked; what is there often is looked at once."""
    pieces = pattern.split(text)
    if len(pieces) > 1:
        found = pieces[1::2]
        blank = {one: _blank(one) for one in dict.fromkeys(found)}
        pieces[1::2] = [blank[one] for one in found]
        text = "".join(pieces)
    return text


def _is_regular(text: str) -> bool:
    """Whether it has many literals, and nothing by which one of them could be other than it looks."""
    if text.count("'") <= _FEW or "\\" in text:
        return False
    return not any(mark in text for mark in _COMMENTS)


def _blanked_literals(text: str) -> str | None:
    """The same as with ``_ASIDE``, where the text is regular. Measured: a fourth of the time.

    None where a literal holds a quote, which is written as two.
    """
    pieces = text.split("'")
    if not all(pieces[2:-1:2]):
        return None
    last = "" if len(pieces) % 2 else _blank("'" + pieces.pop())  # of a literal that does not end
    inside = pieces[1::2]
    blank = {one: " " * len(one) for one in dict.fromkeys(inside)}
    pieces[1::2] = [blank[one] for one in inside]
    return "'".join(pieces) + last


def _blank(found: str) -> str:
    if found[0] == "'" and len(found) > 1 and found[-1] == "'":
        return f"'{' ' * (len(found) - 2)}'"
    return found.translate(_BLANKS) if "\n" in found else " " * len(found)


class _Blanks(dict[int, int]):
    """Every character but a line's end becomes a blank. None is remembered: there are a million."""

    def __missing__(self, char: int) -> int:
        return 0x20


_BLANKS = _Blanks({0x0A: 0x0A})


def _within(rule: Statement) -> str:
    """The pattern, kept within one statement."""
    if rule.raw:
        return rule.pattern
    return (
        rule.pattern.replace("[^", "\x00")
        .replace("^", r"(?:^|;)")
        .replace("\x00", "[^")
        .replace(".*", "[^;]*")
    )


def _matches(pattern: Any, text: str) -> Iterator[tuple[int, int, tuple[int, int]]]:
    """Each different statement that the pattern is found in: where it is, and where the match."""
    if text.count(";") > _FEW:
        for statement in dict.fromkeys(text.split(";")):
            if found := pattern.search(statement):
                start = text.find(statement)
                yield start, start + len(statement), (start + found.start(), start + found.end())
        return
    start = end = -1
    for found in pattern.finditer(text):
        first, last = found.span()
        if not (start <= first and last <= end):  # else it is in the same statement as the one before
            start = text.rfind(";", 0, first + 1) + 1
            end = text.find(";", last)
            end = end if end >= 0 else len(text)
        yield start, end, (first, last)


_FEW = 50


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    found = text[start:end]
    return end - len(found.lstrip(_EDGE)), start + len(found.rstrip(_EDGE))


@cache
def statements() -> Statements:
    text = (files("guardtier.analyzers.code") / "data" / "sql.toml").read_text(encoding="utf-8")
    return Statements(_File.model_validate(tomllib.loads(text)).statement)


def sql_findings(text: str, part: CodePart, created: Mapping[str, int] | None = None) -> list[Finding]:
    """What the text does; ``created`` is what the code around it has created before."""
    text = clean(text)
    report = Report(part, text)
    bare = blanked(text)
    statements().rate(report, bare, cache(lambda: created_in(bare) if created is None else created))
    return report.findings
