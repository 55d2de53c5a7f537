"""SignatureAnalyzer: known shapes of harmful commands and of injected text.

The signatures are data (``signature_data/*.toml``): one more needs no code. They match spellings, and
cheaply, in linear time and at any length; what a command does in truth is for an analyzer that
parses it. Text that an agent merely thinks is never searched for commands.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from enum import StrEnum
from functools import cache, cached_property
from importlib.resources import files
from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from guardtier.action import ActionEvent
from guardtier.analyzers.base import SecurityAnalyzer
from guardtier.assessment import Assessment, Finding
from guardtier.risk import SecurityRisk, highest

DATA = files(__package__) / "signature_data"
_FRAGMENT = re.compile(r"<([a-z_]+)>")

# Before commands are searched for, in text of the same length so that spans stay true: what looks
# like a separator and is none (a continued line, an escaped bracket, 2>&1) becomes blank, and the
# quote that opens a command inside a command (sh -c '…', system("…"), ["rm", …]) becomes a line break.
_NO_SEPARATOR = re.compile(r"\\[\n();|&]|\d?>&\d|&>")
_OPENED = re.compile(
    r"(?<=[ \t]-c)(?:[ \t]{1,8})[\"']|(?<=\beval)[ \t]{1,8}[\"']|\[[\"']"
    r"|(?:system|[pP]open|run|call|output|exec|execSync|spawn)\([ \t]{0,8}f?[\"']"
)
_EDGE = " \t\n;&|(`"


class Corpus(StrEnum):
    """Which text a signature is searched for in."""

    RUNS = "runs"  #: what will run: the tool's name and every string in the arguments
    WRITES = "writes"  #: the same, of tools that write files
    EVERYTHING = "everything"  #: what will run, the summary and the thought


class Signature(BaseModel):
    """One shape, as alternative patterns. A text that holds none of ``keywords`` is not searched."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    risk: SecurityRisk = SecurityRisk.HIGH
    message: str
    technique: Annotated[str, StringConstraints(pattern=r"^T\d{4}(\.\d{3})?$")] | None = None
    corpus: Corpus = Corpus.RUNS
    keywords: tuple[str, ...] = ()
    non_ascii: bool = False  #: only a text with characters outside ASCII can match
    fold: bool = False  #: whether case is of no account; the keywords are then in lower case
    any: tuple[str, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _is_usable(self) -> Signature:
        if not self.keywords and not self.non_ascii:
            raise ValueError(f"{self.id}: needs keywords, or every text would be searched")
        try:
            _ = self.pattern
        except re.error as error:
            raise ValueError(f"{self.id}: {error}") from error
        return self

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile("|".join(self.any), re.ASCII | (re.IGNORECASE if self.fold else 0))

    def found_in(self, text: Text, match: re.Match[str]) -> Finding:
        field, span = text.place(match)
        shown = f"{self.message} (ATT&CK {self.technique})" if self.technique else self.message
        return Finding(id=self.id, risk=self.risk, message=shown, field=field, span=span)


class Tool(BaseModel):
    """A kind of well-known tools, and the risk of using one where no signature fires."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    risk: SecurityRisk
    names: frozenset[str]


class Part(NamedTuple):
    """One string of an action. ``exact`` is False for an argument list shown as a command line."""

    field: str
    text: str
    exact: bool = True


class Text:
    """Strings of an action as one text, a line break around each, that knows where it came from."""

    def __init__(self, parts: list[Part]) -> None:
        self._parts = parts
        self.raw = "\n".join(["", *(part.text for part in parts), ""])

    @cached_property
    def folded(self) -> str:
        return self.raw.lower()

    @cached_property
    def opened(self) -> str:
        """The text as commands are searched for in it. Exactly as long as :attr:`raw`."""
        return _OPENED.sub(_open, _NO_SEPARATOR.sub(_blank, self.raw))

    def place(self, match: re.Match[str]) -> tuple[str, tuple[int, int] | None]:
        """The field that a match lies in and the characters there, without separators around it."""
        hit = match[0]
        start = match.start() + len(hit) - len(hit.lstrip(_EDGE))
        end = match.end() - (len(hit) - len(hit.rstrip(_EDGE)))
        index = bisect_right(self._starts, start) - 1
        part, first = self._parts[index], self._starts[index]
        span = (start - first, min(end - first, len(part.text)))
        return part.field, span if part.exact else None

    @cached_property
    def _starts(self) -> list[int]:
        starts, at = [], 1
        for part in self._parts:
            starts.append(at)
            at += len(part.text) + 1
        return starts


class Signatures:
    """The signatures of one corpus behind one list of keywords, looked up once a text."""

    def __init__(self, signatures: list[Signature]) -> None:
        self._non_ascii = [one for one in signatures if one.non_ascii]
        self._exact = _by_keyword(one for one in signatures if not one.fold)
        self._folded = _by_keyword(one for one in signatures if one.fold)

    def found_in(self, text: Text) -> list[Finding]:
        """The first place of each signature that fires."""
        raw, folded = text.raw, text.folded if self._folded else ""
        hits = [self._exact[word] for word in self._exact if word in raw]
        hits += [self._folded[word] for word in self._folded if word in folded]
        if self._non_ascii and not raw.isascii():
            hits.append(self._non_ascii)
        if not hits:
            return []
        candidates = {one.id: one for found in hits for one in found}
        matches = ((one, _search(one, text)) for one in candidates.values())
        return [one.found_in(text, match) for one, match in matches if match]


class SignatureAnalyzer(SecurityAnalyzer):
    """Votes the highest signature that fires; where none does, what is known of the tool.

    A signature below HIGH does not make an unknown tool known: UNKNOWN then stays UNKNOWN, or an
    attacker could lower a vote by adding harmless text.
    """

    name: ClassVar[str] = "signatures"
    cheap: ClassVar[bool] = True

    def __init__(self) -> None:
        signatures, self._tools = load()
        by_corpus = {
            corpus: Signatures([one for one in signatures if one.corpus is corpus])
            for corpus in Corpus
        }
        self._runs, self._writes = by_corpus[Corpus.RUNS], by_corpus[Corpus.WRITES]
        self._everything = by_corpus[Corpus.EVERYTHING]

    def assess(self, action: ActionEvent) -> Assessment:
        parts = [Part("tool_name", action.tool_name)]
        _collect(action.arguments, "arguments", parts)
        runs = Text(parts)
        kind, usual = self._known(action)
        findings = self._runs.found_in(runs)
        if kind == Corpus.WRITES:
            findings += self._writes.found_in(runs)
        findings += self._everything.found_in(_with_prose(action, runs, parts))
        return Assessment(risk=_vote(usual, findings), findings=tuple(findings))

    def _known(self, action: ActionEvent) -> tuple[str, SecurityRisk]:
        """The kind of the tool, and its risk where no signature fires.

        A hint that a tool gives of itself counts where we do not know the tool, and only readOnlyHint:
        the others say how bad it may get, not what it does.
        """
        known = self._tools.get(action.tool_name.lower())
        if known is not None:
            return known
        hints = action.annotations
        reads = hints is not None and hints.readOnlyHint is True
        return "", SecurityRisk.LOW if reads else SecurityRisk.UNKNOWN


@cache
def load() -> tuple[tuple[Signature, ...], dict[str, tuple[str, SecurityRisk]]]:
    """All signatures, and each well-known tool's kind and risk. Read and compiled once a process.

    Raises pydantic's ValidationError or ValueError that names what is wrong in the data.
    """
    fragments: dict[str, str] = {}
    for name, pattern in _toml("fragments").items():
        fragments[name] = _expanded(pattern, fragments)
    signatures = tuple(
        Signature.model_validate(entry)
        for file in ("destruction", "intrusion", "text")
        for entry in _entries(_toml(file), fragments)
    )
    kinds = {kind: Tool.model_validate(entry) for kind, entry in _toml("tools")["tools"].items()}
    return signatures, {name: (kind, t.risk) for kind, t in kinds.items() for name in t.names}


def _toml(file: str) -> dict[str, Any]:
    return tomllib.loads((DATA / f"{file}.toml").read_text(encoding="utf-8"))


def _entries(data: dict[str, Any], fragments: dict[str, str]) -> list[dict[str, Any]]:
    """The tables [signature.<family>.<name>]; a table's name is the signature's id."""
    return [
        entry
        | {
            "id": f"signature.{family}.{name}",
            "any": tuple(_expanded(pattern, fragments) for pattern in entry["any"]),
        }
        for family, members in data["signature"].items()
        for name, entry in members.items()
    ]


def _expanded(pattern: str, fragments: dict[str, str]) -> str:
    def fragment(match: re.Match[str]) -> str:
        if match[1] not in fragments:
            raise ValueError(f"no fragment is called <{match[1]}>, in {pattern!r}")
        return fragments[match[1]]

    return _FRAGMENT.sub(fragment, pattern)


def _by_keyword(signatures: Any) -> dict[str, list[Signature]]:
    index: dict[str, list[Signature]] = {}
    for one in signatures:
        for word in one.keywords:
            index.setdefault(word, []).append(one)
    return index


def _search(signature: Signature, text: Text) -> re.Match[str] | None:
    commands = signature.corpus is Corpus.RUNS and not signature.non_ascii
    return signature.pattern.search(text.opened if commands else text.raw)


def _collect(value: Any, path: str, parts: list[Part]) -> None:
    """Every string below ``value`` with its path; a list of words also as the command line it may be."""
    if isinstance(value, str):
        parts.append(Part(path, value))
    elif isinstance(value, dict):
        for key, child in value.items():
            _collect(child, f"{path}.{key}", parts)
    elif isinstance(value, list):
        for index, child in enumerate(value):
            _collect(child, f"{path}.{index}", parts)
        if len(value) > 1 and all(isinstance(child, str) for child in value):
            parts.append(Part(path, " ".join(value), exact=False))


def _with_prose(action: ActionEvent, runs: Text, parts: list[Part]) -> Text:
    prose = [Part("summary", action.summary), Part("thought", action.thought)]
    said = [part for part in prose if part.text]
    return Text(parts + said) if said else runs


def _vote(usual: SecurityRisk, findings: list[Finding]) -> SecurityRisk:
    fired = highest([finding.risk for finding in findings])
    if usual is SecurityRisk.UNKNOWN and fired is not SecurityRisk.HIGH:
        return SecurityRisk.UNKNOWN
    return highest([usual, fired])


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])


def _open(match: re.Match[str]) -> str:
    return match[0][:-1] + "\n"
