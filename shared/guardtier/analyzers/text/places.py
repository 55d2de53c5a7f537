"""Where a string of an action ends up: parsed as code, passed to a tool, in a file, or only said."""

from __future__ import annotations

import tomllib
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import NamedTuple, get_args

from pydantic import BaseModel, ConfigDict

from guardtier.action import ActionEvent
from guardtier.analyzers.code.reader import is_python
from guardtier.analyzers.code.source import MAX_PARSED
from guardtier.analyzers.fields import Field
from guardtier.analyzers.tools import Kind, Tool, tools
from guardtier.analyzers.view import view_of


class Place(StrEnum):
    """What becomes of a string; rules say in which places they count."""

    NAME = "name"  #: the tool's name
    PARSED = "parsed"  #: a shell command or code, which other analyzers read better than any pattern
    ARGUMENT = "argument"  #: what a tool gets that nobody parses
    PROSE = "prose"  #: what a tool gets for people to read: a message, the body of an issue
    CONTENT = "content"  #: of a file that may be run
    CODE = "code"  #: inside a command, in a language that no parser of ours reads
    DOCUMENT = "document"  #: of a file for people, or what is searched for
    SAID = "said"  #: summary, thought, a description: it never runs


class _KindData(BaseModel):
    """Where the strings of a kind of tools end up; the kinds are those of ``analyzers/data/tools.toml``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kinds: tuple[Kind, ...]
    default: Place
    outgoing: bool = False  #: what such a tool gets leaves the machine
    roles: dict[str, Place] = {}  #: by what an argument is, as tools.toml names them
    keys: dict[str, Place] = {}  #: by its name


class _Kind(NamedTuple):
    """The same, looked up by an argument's name."""

    default: Place
    outgoing: bool
    keys: dict[str, Place]


class _Known(NamedTuple):
    kinds: dict[Kind, _Kind]
    documents: tuple[str, ...]
    obeyed: tuple[str, ...]


@cache
def _known() -> _Known:
    data = tomllib.loads(files(__package__).joinpath("data", "places.toml").read_text(encoding="utf-8"))
    said = dict.fromkeys(data["said"], Place.SAID)
    kinds: dict[Kind, _Kind] = {}
    for entry in data["places"]:
        read = _KindData.model_validate(entry)
        by_role = {name: place for role, place in read.roles.items() for name in _names(role)}
        one = _Kind(read.default, read.outgoing, by_role | said | read.keys)
        kinds |= dict.fromkeys(read.kinds, one)
    missing = set(get_args(Kind)) - kinds.keys()
    if missing:
        raise ValueError(f"places.toml says nothing of the kinds {sorted(missing)}")
    return _Known(kinds, tuple(data["documents"]), tuple(data["obeyed"]))


def _names(role: str) -> frozenset[str]:
    """The arguments of a role. A name that may also be content is content: it is the larger risk."""
    roles = tools().roles
    return roles["path"] - roles["content"] if role == "path" else roles[role]  # type: ignore[index]


class Places:
    """The places of one action's arguments. Made by :meth:`of`."""

    __slots__ = ("_keys", "default", "outgoing")

    def __init__(self, kind: _Kind, *, known: bool, document: bool) -> None:
        self.default = Place.DOCUMENT if document else kind.default
        self.outgoing = kind.outgoing or not known
        self._keys = kind.keys

    @classmethod
    def of(cls, action: ActionEvent) -> Places:
        tool = view_of(action).tool
        kind = _known().kinds[tool.kind]
        document = kind.default is Place.CONTENT and _is_document(action)
        if kind.default is Place.CONTENT and tool.known and _is_parsed(action):
            kind = _Kind(Place.PARSED, kind.outgoing, kind.keys)
        return cls(kind, known=tool.known, document=document)

    def of_key(self, key: str) -> Place:
        """The place of the argument with this name."""
        return self._keys.get(key.lower(), self.default)

    def inside(self, place: Place, key: str) -> Place:
        """The place of a value within an argument: its own key may say more than the argument's."""
        return self._keys.get(key.lower(), place) if place is self.default else place


def only_parsed(action: ActionEvent, tool: Tool) -> bool:
    """Whether all arguments of a known tool are commands and code, or only said."""
    if not tool.known or tool.kind not in ("shell", "python", "sql"):
        return False
    places = _known().kinds[tool.kind].keys
    for key, value in action.arguments.items():
        place = places.get(key)
        if type(value) is not str or (place is not Place.PARSED and place is not Place.SAID):
            return False
    return True


def _is_parsed(action: ActionEvent) -> bool:
    """Whether it is all Python that a parser reads: patterns would find what tests only name."""
    writes = view_of(action).writes
    return bool(writes) and all(
        use.path.text.endswith(".py") and use.content and all(map(_is_python, use.content))
        for use in writes
    )


def _is_python(piece: Field) -> bool:
    return len(piece.text) <= MAX_PARSED and is_python(piece.text)


def is_obeyed(action: ActionEvent) -> bool:
    """Whether it writes a file from which agents take their instructions."""
    return any(use.path.text.lower().endswith(_known().obeyed) for use in view_of(action).writes)


def _is_document(action: ActionEvent) -> bool:
    paths = [value for key, value in action.arguments.items() if key.lower() in _names("path")]
    ends = _known().documents
    return bool(paths) and all(isinstance(path, str) and path.lower().endswith(ends) for path in paths)
