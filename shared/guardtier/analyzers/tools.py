"""What kind a tool is: by its name, else by what its arguments are called. The rules are data."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from guardtier.action import ActionEvent
from guardtier.risk import SecurityRisk

Kind = Literal[
    "shell", "python", "sql", "file-read", "file-write", "http", "browser", "search", "web-search", "note",
    "mcp", "unknown",
]  # fmt: skip
Use = Literal["read", "write", "delete", "move", "copy"]
Role = Literal[
    "command",
    "arguments",
    "code",
    "sql",
    "path",
    "content",
    "url",
    "body",
    "method",
    "language",
    "directory",
]

_SECRET = frozenset(
    {"secret", "secrets", "token", "tokens", "credential", "credentials", "password", "key", "keys"}
)
_SEPARATORS = re.compile(r"__|[./:]")
_SAME = str.maketrans("- ", "__")


_QUERIES = frozenset({"query", "queries"})
_WORD_BEGINS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def _camel(name: str) -> str:
    """``getIssue`` as ``get_issue``."""
    return _WORD_BEGINS.sub("_", name[:256]).lower()


class KindData(BaseModel):
    """One kind in the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    names: frozenset[str]
    risk: SecurityRisk = SecurityRisk.UNKNOWN
    shape: tuple[Role, ...] = ()  #: the roles that the arguments of an unknown tool have to fill


class Modes(BaseModel):
    """Which argument says what a tool of many uses does, and its values."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    arguments: tuple[str, ...]
    read: frozenset[str]
    write: frozenset[str]
    delete: frozenset[str]
    move: frozenset[str]
    copy_: frozenset[str]

    def use_of(self, value: str) -> Use | None:
        named: tuple[tuple[Use, frozenset[str]], ...] = (
            ("read", self.read), ("write", self.write), ("delete", self.delete), ("move", self.move),
            ("copy", self.copy_),
        )  # fmt: skip
        return next((use for use, values in named if value in values), None)


class Services(BaseModel):
    """Servers that everybody uses, and what the names of their tools say."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    servers: frozenset[str]
    boards: frozenset[str]
    prefixes: frozenset[str]
    read: frozenset[str]
    add: frozenset[str]
    not_told: frozenset[str]

    def does(self, server: str, own: str) -> Literal["reads", "adds", ""]:
        """What a tool of a server does, by the verb; empty where that does not tell."""
        words = own.split("_")
        while words and (words[0] in self.prefixes or words[0] == server):
            words = words[1:]
        if not words or server not in self.servers:
            return ""
        if words[0] in self.read:
            return "" if _SECRET & set(words) else "reads"
        adds = words[0] in self.add and server in self.boards and not self.not_told & set(words)
        return "adds" if adds else ""


class ToolData(BaseModel):
    """All of ``data/tools.toml``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kinds: dict[Kind, KindData]
    roles: dict[Role, frozenset[str]]
    languages: dict[str, frozenset[str]]
    uses: dict[Use, frozenset[str]]
    modes: Modes
    verbs: dict[str, frozenset[str]]
    spoken: dict[str, frozenset[str]]
    well_known: dict[Literal["servers", "databases", "delegates"], frozenset[str]]
    services: Services


class Tool(NamedTuple):
    """What is known of a tool. ``known``: by its own full name, so what it does can be told.

    A tool that only looks like one (by its arguments, or by the last part of ``mcp__files__write``)
    has the kind, so that its arguments are analyzed, and yet is not known. The tools of a few servers
    that everybody uses are known by the server's name and their own.
    """

    kind: Kind
    known: bool
    use: Use | None = None  #: what a tool that works on files does to them


class Tools:
    """The data, indexed."""

    def __init__(self, data: ToolData) -> None:
        self._data = data
        self._kinds = {name: kind for kind, entry in data.kinds.items() for name in entry.names}
        self._uses = {name: use for use, names in data.uses.items() for name in names}
        self._languages = {name: lang for lang, names in data.languages.items() for name in names}
        self._spoken = {name: lang for lang, names in data.spoken.items() for name in names}
        # Looked up as they are spelled: most agents have few tools, and file tools alone need more.
        self._plain = {
            name: Tool(kind, True)
            for name, kind in self._kinds.items()
            if kind not in ("file-read", "file-write") and name not in data.well_known["delegates"]
        }
        self._shapes = [(kind, entry.shape) for kind, entry in data.kinds.items() if entry.shape]
        self.roles = data.roles
        self.services = data.services
        self.verbs = data.verbs["changing"]  #: with which the name of a tool that changes something begins

    def risk_of(self, kind: Kind) -> SecurityRisk:
        """What using a tool of this kind comes to where its arguments say nothing more."""
        entry = self._data.kinds.get(kind)
        return entry.risk if entry else SecurityRisk.UNKNOWN

    def language_of(self, name: str) -> str | None:
        """The language that goes by this name, or by this file name extension."""
        return self._languages.get(name.lower())

    def done_by(self, action: ActionEvent) -> Literal["reads", "adds", ""]:
        """What a tool of a well-known service does, by its name; secrets are not told of."""
        name = _camel(action.tool_name).translate(_SAME)
        server, _, own = name.removeprefix("mcp__").rpartition("__")
        if not server or any(value in ("secret", "secrets") for value in action.arguments.values()):
            return ""
        return self.services.does(server, own)

    def spoken_by(self, tool_name: str) -> str | None:
        """The one language that a tool of this name takes, where it is not Python."""
        own = tool_name.lower().translate(_SAME)
        return self._spoken.get(own) or self._spoken.get(_SEPARATORS.split(own)[-1])

    def tool_of(self, action: ActionEvent) -> Tool:
        if plain := self._plain.get(action.tool_name):
            return plain
        name = action.tool_name.lower().translate(_SAME)
        arguments = action.arguments
        server, _, own = name.removeprefix("mcp__").rpartition("__")
        if server in self._data.well_known["servers"]:
            name = own
        elif server in self._data.well_known["databases"] and self._holds_sql(arguments):
            return Tool("sql", True)
        if kind := self._kinds.get(name):
            if name in self._data.well_known["delegates"] and (looks := self._by_arguments(arguments)):
                return self._with_use(looks, False, name, arguments)
            return self._with_use(kind, True, name, arguments)
        base = _SEPARATORS.split(name)[-1]
        if kind := self._kinds.get(base) or self._by_arguments(arguments):
            return self._with_use(kind, False, base, arguments)
        return Tool("mcp" if action.annotations is not None or name.startswith("mcp") else "unknown", False)

    def _with_use(self, kind: Kind, known: bool, name: str, arguments: dict[str, Any]) -> Tool:
        if kind == "file-read":
            return Tool(kind, known, "read")
        if kind != "file-write":
            return Tool(kind, known)
        use = self._uses.get(name) or self._mode(arguments) or "write"
        return Tool("file-read" if use == "read" else kind, known, use)

    def _mode(self, arguments: dict[str, Any]) -> Use | None:
        """What an editor of many uses is told to do; an edit without content reads."""
        for name in self._data.modes.arguments:
            value = arguments.get(name)
            if isinstance(value, str) and (use := self._data.modes.use_of(value.lower())):
                return use
        return None

    def _holds_sql(self, arguments: dict[str, Any]) -> bool:
        return not {name.lower() for name in arguments}.isdisjoint(self.roles["sql"] | _QUERIES)

    def _by_arguments(self, arguments: dict[str, Any]) -> Kind | None:
        names = {name.lower() for name in arguments}
        if names & self.roles["path"] and self._mode(arguments):
            return "file-write"
        for kind, shape in self._shapes:
            if all(names & self.roles[role] for role in shape):
                return kind
        return None


@cache
def tools() -> Tools:
    """Read once a process. Raises pydantic's ValidationError that names what is wrong in the data."""
    text = (files("guardtier.analyzers") / "data" / "tools.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text)
    data["modes"]["copy_"] = data["modes"].pop("copy")
    return Tools(ToolData.model_validate(data))
