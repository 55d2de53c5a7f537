"""The signatures as data: one TOML file a family, and how they are read.

``fragments.toml`` holds what patterns are made of, ``tools.toml`` the well-known tools.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from enum import StrEnum
from functools import cache, cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable
from string import ascii_letters
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, StringConstraints, model_validator

from guardtier.risk import SecurityRisk

_AT = "<at>"
_FRAGMENT = re.compile(r"<([a-z_]+)>")


class Corpus(StrEnum):
    """Which text a signature is searched for in."""

    RUNS = "runs"  #: what will run: the tool's name and every string in the arguments
    WRITES = "writes"  #: the same, of tools that write files
    EVERYTHING = "everything"  #: what will run, the summary and the thought


class Signature(BaseModel):
    """One shape, as alternative patterns.

    ``words`` and ``literals`` keep clean text cheap: every match holds one of the words (a whole
    one, in lower case) or one of the literals, and a text without any of them is not searched.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    risk: SecurityRisk = SecurityRisk.HIGH
    message: str
    technique: Annotated[str, StringConstraints(pattern=r"^T\d{4}(\.\d{3})?$")] | None = None
    corpus: Corpus = Corpus.RUNS
    words: tuple[Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+$")], ...] = ()
    literals: tuple[str, ...] = ()
    non_ascii: bool = False  #: only a text with characters outside ASCII can match
    fold: bool = False  #: searched for in the text in lower case, so written in lower case
    command: str | None = None  #: tried where a command begins; from the patterns with <at>
    patterns: tuple[str, ...] = ()  #: searched for everywhere

    @model_validator(mode="after")
    def _is_usable(self) -> Signature:
        if not (self.words or self.literals or self.non_ascii):
            raise ValueError(f"{self.id}: needs words or literals, or every text would be searched")
        if not (self.patterns or self.command):
            raise ValueError(f"{self.id}: needs patterns")
        if self.command and not self.reads_commands:
            raise ValueError(f"{self.id}: only the corpus {Corpus.RUNS} has commands")
        try:
            _ = self.compiled, self.compiled_command, self.names
        except re.error as error:
            raise ValueError(f"{self.id}: {error}") from error
        return self

    @cached_property
    def compiled(self) -> tuple[re.Pattern[str], ...]:
        """The patterns that are searched for everywhere.

        Measured: apart, each has a first character that the search can skip to; together, none has.
        """
        return tuple(re.compile(pattern, re.ASCII) for pattern in self.patterns)

    @cached_property
    def compiled_command(self) -> re.Pattern[str] | None:
        """What a command of this signature looks like from its name on."""
        return re.compile(self.command, re.ASCII) if self.command else None

    @cached_property
    def names(self) -> frozenset[str]:
        """What the name of a command of this signature begins with; see :func:`first_letters`."""
        return first_letters(self.command) if self.command else frozenset()

    @property
    def reads_commands(self) -> bool:
        return self.corpus is Corpus.RUNS and not self.non_ascii

    @cached_property
    def shown(self) -> str:
        """The message for a person, with the ATT&CK technique where there is one."""
        return f"{self.message} (ATT&CK {self.technique})" if self.technique else self.message


class Tool(BaseModel):
    """A kind of well-known tools, and the risk of using one where no signature fires."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    risk: SecurityRisk
    names: frozenset[str]


class Corpora(NamedTuple):
    """Everything that the folder says."""

    signatures: tuple[Signature, ...]
    tools: dict[str, tuple[str, SecurityRisk]]  #: a well-known tool's kind, and its risk
    wrapper: str  #: what may stand before a command's own name


@cache
def load() -> Corpora:
    """Read and compiled once a process.

    Raises pydantic's ValidationError or ValueError that names what is wrong in the data.
    """
    data = _read()
    kinds = {kind: Tool.model_validate(entry) for kind, entry in data["tools"].items()}
    tools = {name: (kind, tool.risk) for kind, tool in kinds.items() for name in tool.names}
    fragments = _fragments(data)
    return Corpora(tuple(read_signatures(data, fragments)), tools, fragments["wrapper"])


def read_signatures(data: dict[str, Any], fragments: dict[str, str]) -> Iterable[Signature]:
    """The signatures of the tables [signature.<family>.<name>]; the name is part of the id."""
    for family, members in data["signature"].items():
        for name, entry in members.items():
            commands, others = _sorted(_expanded(one, fragments) for one in entry["patterns"])
            said = {"id": f"signature.{family}.{name}", "command": commands, "patterns": others}
            yield Signature.model_validate(entry | said)


def _fragments(data: dict[str, Any]) -> dict[str, str]:
    fragments: dict[str, str] = {"at": _AT}
    for name, pattern in data["fragments"].items():
        fragments[name] = _expanded(pattern, fragments)
    return fragments


def _files() -> Iterable[Traversable]:
    return (file for file in files(__package__).iterdir() if file.name.endswith(".toml"))


def _read() -> dict[str, Any]:
    """Every file of the folder as one table of tables."""
    whole: dict[str, Any] = {}
    for file in sorted(_files(), key=lambda file: file.name):
        for table, entries in tomllib.loads(file.read_text(encoding="utf-8")).items():
            for name, entry in entries.items():
                slot = whole.setdefault(table, {})
                slot[name] = slot.get(name, {}) | entry if table == "signature" else entry
    return whole


def _sorted(patterns: Iterable[str]) -> tuple[str | None, tuple[str, ...]]:
    """The patterns that begin where a command does, as one without the mark; and the others."""
    commands: list[str] = []
    others: list[str] = []
    for pattern in patterns:
        if _AT in pattern.removeprefix(_AT):
            raise ValueError(f"{_AT} stands at the start of a pattern or not at all: {pattern}")
        (commands if pattern.startswith(_AT) else others).append(pattern.removeprefix(_AT))
    return f"(?:{'|'.join(commands)})" if commands else None, tuple(others)


def _expanded(pattern: str, fragments: dict[str, str]) -> str:
    try:
        return _FRAGMENT.sub(lambda match: fragments[match[1]], pattern)
    except KeyError as error:
        raise ValueError(f"no fragment is called {error}, in {pattern!r}") from error


_ATOM = re.compile(r"\[(?:\\.|[^\]\\])*\]|\\.|\(\?.|.", re.DOTALL)


def first_letters(pattern: str) -> frozenset[str]:
    """Every run of letters, in lower case, that a text which the pattern matches may begin with.

    ``(?:apt(?:-get)?|ip6?tables)\\b`` gives apt, ip and iptables. A name is looked up by its letters,
    so that a text with 100,000 commands does not try 80 patterns on each.
    """
    on, over, _ = _walk(pattern, 0, {""})
    return frozenset(run.lower() for run in on | over)


def _walk(pattern: str, at: int, before: set[str]) -> tuple[set[str], set[str], int]:
    """The runs that go on behind the alternatives from ``at``, those that end inside, and where."""
    on: set[str] = set()
    over: set[str] = set()
    now = before
    while at < len(pattern) and pattern[at] != ")":
        if pattern[at] == "|":
            on, now, at = on | now, before, at + 1
            continue
        now, ended, at = _step(pattern, at, now)
        over |= ended
    return on | now, over, at + 1


def _step(pattern: str, at: int, now: set[str]) -> tuple[set[str], set[str], int]:
    """The same of one atom, with the ? or * behind it."""
    atom = _atom(pattern, at)
    end = at + len(atom)
    if atom in ("(", "(?:", "(?>"):
        after, over, end = _walk(pattern, end, now)
    elif not now:  # behind the letters: only where the atom ends is of interest
        after, over, end = set(), set(), _walk(pattern, end, now)[2] if atom[0] == "(" else end
    elif atom.isalpha():
        after, over = {run + atom for run in now}, set()
    elif _is_clear(atom):
        after, over = set(), now
    else:
        raise ValueError(f"can't tell which names begin with {pattern!r}, because of {atom!r}")
    if pattern[end : end + 1] in ("?", "*"):
        return after | now, over, end + 1
    return after, over, end


def _atom(pattern: str, at: int) -> str:
    atom = _ATOM.match(pattern, at)
    assert atom  # noqa: S101 - it matches any character
    return atom[0]


def _is_clear(atom: str) -> bool:
    """Whether the atom ends a run of letters for certain: it is no repetition and matches none."""
    if atom[0] in "(+*?{":
        return False
    return not any(re.findall(atom, ascii_letters))
