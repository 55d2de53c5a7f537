"""Signatures as data: a pattern, where it counts, and what it means; and the search for many of them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Sequence
from importlib.resources import files
from pathlib import Path as FilePath
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from guardtier.analyzers.text.fields import Text
from guardtier.analyzers.text.normal import Folded, fold
from guardtier.analyzers.text.places import Place
from guardtier.analyzers.text.re2set import PatternSet, Source
from guardtier.assessment import Finding
from guardtier.errors import ConfigError
from guardtier.risk import SecurityRisk

#: What nobody parses. Shell commands and code are left to the analyzers that read them.
UNPARSED = frozenset({Place.NAME, Place.ARGUMENT, Place.CONTENT})
#: Where a user's own count: in all that runs. Code inside a command is part of the command.
RUNS = frozenset(Place) - {Place.SAID, Place.CODE}

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)*$", max_length=128)]
Technique = Annotated[str, StringConstraints(pattern=r"^T\d{4}(\.\d{3})?$")]


class Rule(BaseModel):
    """What a finding says, whatever it is found by."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Name
    risk: SecurityRisk = SecurityRisk.HIGH
    message: Annotated[str, StringConstraints(min_length=1, max_length=400)]
    technique: Technique | None = None
    where: frozenset[Place] = UNPARSED

    @property
    def shown(self) -> str:
        """The message for a person, with the ATT&CK technique where there is one."""
        return f"{self.message} (ATT&CK {self.technique})" if self.technique else self.message


class Signature(Rule):
    """Alternative patterns of one thing. One that matches is enough.

    ``near`` is for what is looked for in parsed text as well, which is nearly all that agents send: a
    pattern in lower case of what is in each such text. Where it is not, the text is not searched.
    """

    regex: tuple[str, ...]
    near: str | None = None


_Model = TypeVar("_Model", bound=BaseModel)

#: Which part, and its characters, from and up to but not including.
Spot = tuple[int, int, int]


class Signatures:
    """Many signatures, searched for in one pass; those that match are then looked for by place."""

    def __init__(self, signatures: Iterable[Signature]) -> None:
        self._signatures = tuple(signatures)
        self._owner = [one for one in self._signatures for _ in one.regex]
        self._patterns = PatternSet(
            Source(one.id, fold(regex)) for one in self._signatures for regex in one.regex
        )

    def found_in(self, text: Text, folded: Folded) -> list[Finding]:
        """One finding for each signature that matches in a place where it counts."""
        hits = self._patterns.hits(folded.data)
        return list(self._located(hits, text, folded)) if hits else []

    def _located(self, hits: Sequence[int], text: Text, folded: Folded) -> Iterator[Finding]:
        done: set[str] = set()
        for index in hits:
            owner = self._owner[index]
            if owner.id in done:
                continue
            spot = next(spots(self._patterns, index, text, folded, owner.where), None)
            if spot:
                done.add(owner.id)
                yield text.finding(owner, *spot)


def spots(
    patterns: PatternSet, index: int, text: Text, folded: Folded, where: frozenset[Place], group: int = 0
) -> Iterator[Spot]:
    """The first match in each part that is in a place of ``where``."""
    at = 0
    while found := patterns.find(index, folded.data, at, group):
        part, start, end = folded.spot(*found)
        if text.parts[part].place in where:
            if found[1] > folded.end_of(part):  # it went on into the next string: only this one counts
                alone = patterns.find(index, folded.part(part), 0, group)
                if alone:
                    yield part, *folded.within(part, *alone)
            else:
                yield part, start, end
        if part + 1 == len(text.strings):
            return
        at = folded.starts[part + 1]


def read_own(name: str) -> dict[str, Any]:
    """A file of the package's ``data``."""
    return tomllib.loads(files(__package__).joinpath("data", name).read_text(encoding="utf-8"))


def read_users(path: str | FilePath) -> dict[str, Any]:
    """A user's TOML file. Raises ConfigError that names the file, and the line where it is no TOML."""
    try:
        return tomllib.loads(FilePath(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} can't be read: {error}", field=str(path)) from error


def named(table: dict[str, Any], prefix: str) -> Iterator[dict[str, Any]]:
    """The entries of [prefix.family.name] tables, each with its id."""
    for family, members in table.items():
        for name, entry in members.items():
            yield {"id": f"{prefix}.{family}.{name}"} | entry


def validated(model: type[_Model], entry: Any, source: str) -> _Model:
    """The entry as a model. Raises ConfigError that names the file and the first wrong field."""
    try:
        return model.model_validate(entry)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        name = entry.get("id", "") if isinstance(entry, dict) else ""
        raise ConfigError(f"{source}: {name}: {where}: {first['msg']}", field=source) from error
