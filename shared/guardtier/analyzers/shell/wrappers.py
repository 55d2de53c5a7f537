"""The table of programs that run other programs (wrappers.toml), and how it is looked up."""

from __future__ import annotations

import re
import tomllib
from functools import cache, cached_property
from importlib import resources
from typing import Annotated, Literal

import re2
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from guardtier.analyzers.shell.model import Language

#: Builtins that set variables.
DECLARING = frozenset({"export", "declare", "local", "readonly", "typeset", "set"})

Flag = Literal["privileged", "remote", "container", "each"]


def _compiles(pattern: str) -> str:
    re2.compile(pattern)  # no backtracking tricks: long texts are searched in linear time
    if re.compile(pattern).groups < 1:
        raise ValueError(f"{pattern!r} has no group for the shell text")
    return pattern


Pattern = Annotated[str, AfterValidator(_compiles)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CommandWords(_Strict):
    """Where among the arguments the command starts."""

    values: frozenset[str] = frozenset()
    valueless: frozenset[str] = frozenset()
    skip: int = Field(default=0, ge=0, le=4)
    assignments: bool = False
    unless: frozenset[str] = frozenset()
    input: bool = False
    prefix: str = ""
    through: frozenset[str] = frozenset()
    after: frozenset[str] = frozenset()
    separator: str = ""
    required: bool = False
    until: frozenset[str] = frozenset()
    joined: bool = False
    single: bool = False
    chdir: frozenset[str] = frozenset()
    sets: tuple[Flag, ...] = ()


class Segments(_Strict):
    starts: frozenset[str]
    ends: frozenset[str]


class Program(_Strict):
    """One entry of wrappers.toml; the fields are described there."""

    names: tuple[str, ...]
    command: CommandWords | None = None
    text: frozenset[str] = frozenset()
    text_sets: tuple[Flag, ...] = ()
    cluster: str = ""
    positional: int = 0
    segments: Segments | None = None
    patterns: tuple[Pattern, ...] = ()
    pairs: tuple[Pattern, ...] = ()
    leading: bool = False
    code: frozenset[str] = frozenset()
    code_modules: frozenset[str] = frozenset()
    cluster_code: str = ""
    code_positional: int = 0
    language: Language | None = None
    shell_in_code: tuple[Pattern, ...] = ()
    consoles: frozenset[str] = frozenset()
    reads: Language | None = None
    stdin: Language | Literal["shell", ""] = ""

    @cached_property
    def only_patterns(self) -> bool:
        """sed, awk: what they run stands inside an argument, if they run anything."""
        holds = (
            self.command,
            self.text,
            self.cluster,
            self.segments,
            self.code,
            self.pairs,
            self.positional,
        )
        return bool(self.patterns) and not any(holds)


class _File(_Strict):
    program: tuple[Program, ...]


@cache
def table() -> dict[str, Program]:
    """Every program by each of its names."""
    text = resources.files(__package__).joinpath("wrappers.toml").read_text("utf-8")
    found = _File.model_validate(tomllib.loads(text))
    return {name: program for program in found.program for name in program.names}


NAME_MAX = 255  #: characters: no file's name is longer
_VERSION = re.compile(r"(?:@.*|-?\d[\d.]*)\Z", re.DOTALL)


def program_of(name: str) -> Program | None:
    """The entry for a program's name, without its directory and version (``python3.11``, ``x@2``)."""
    known = table()
    found = known.get(name)
    if found is None and name and (name[-1].isdigit() or "@" in name) and len(name) <= NAME_MAX:
        found = known.get(_VERSION.sub("", name))
    return found


@cache
def _listed() -> frozenset[str]:
    return DECLARING | table().keys() | {"", "{}", "%"}


def is_listed(name: str) -> bool:
    """True where there may be more to a program than its name and arguments; never wrongly False."""
    return name in _listed() or name[-1].isdigit() or "@" in name
