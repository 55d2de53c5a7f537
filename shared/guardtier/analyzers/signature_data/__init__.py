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
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

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
    fold: bool = False  #: whether case is of no account
    patterns: tuple[str, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _is_usable(self) -> Signature:
        if not (self.words or self.literals or self.non_ascii):
            raise ValueError(f"{self.id}: needs words or literals, or every text would be searched")
        try:
            _ = self.compiled
        except re.error as error:
            raise ValueError(f"{self.id}: {error}") from error
        return self

    @cached_property
    def compiled(self) -> tuple[re.Pattern[str], ...]:
        """One expression for all that begins where a command does, and one for each other pattern.

        Measured: apart, each has a first character that the search can skip to; together, none has.
        """
        flags = re.ASCII | (re.IGNORECASE if self.fold else 0)
        return tuple(re.compile(pattern, flags) for pattern in self.patterns)

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


@cache
def load() -> tuple[tuple[Signature, ...], dict[str, tuple[str, SecurityRisk]]]:
    """The signatures, and each well-known tool's kind and risk. Read and compiled once a process.

    Raises pydantic's ValidationError or ValueError that names what is wrong in the data.
    """
    data = _read()
    kinds = {kind: Tool.model_validate(entry) for kind, entry in data["tools"].items()}
    tools = {name: (kind, tool.risk) for kind, tool in kinds.items() for name in tool.names}
    return tuple(read_signatures(data)), tools


def read_signatures(data: dict[str, Any]) -> Iterable[Signature]:
    """The signatures of the tables [signature.<family>.<name>]; the name is part of the id."""
    fragments: dict[str, str] = {}
    for name, pattern in data["fragments"].items():
        fragments[name] = _expanded(pattern, fragments)
    for family, members in data["signature"].items():
        for name, entry in members.items():
            patterns = [_expanded(pattern, fragments) for pattern in _grouped(entry["patterns"])]
            yield Signature.model_validate(
                entry | {"id": f"signature.{family}.{name}", "patterns": tuple(patterns)}
            )


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


def _grouped(patterns: list[str]) -> list[str]:
    """The patterns that begin where a command does as one, and the others."""
    if any(_AT in pattern.removeprefix(_AT) for pattern in patterns):
        raise ValueError(f"{_AT} stands at the start of a pattern or not at all, in {patterns}")
    commands = [pattern.removeprefix(_AT) for pattern in patterns if pattern.startswith(_AT)]
    others = [pattern for pattern in patterns if not pattern.startswith(_AT)]
    return [*([f"{_AT}(?:{'|'.join(commands)})"] if commands else []), *others]


def _expanded(pattern: str, fragments: dict[str, str]) -> str:
    try:
        return _FRAGMENT.sub(lambda match: fragments[match[1]], pattern)
    except KeyError as error:
        raise ValueError(f"no fragment is called {error}, in {pattern!r}") from error
