"""The TOML of ``data/python_*.toml`` as pydantic models: what calls do to what they are given."""

from __future__ import annotations

import tomllib
from functools import cache, cached_property, lru_cache
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from guardtier.analyzers.code.operations import canonical
from guardtier.risk import SecurityRisk

_MODULES_DEEP = 6  #: modules that are reached through modules that import them
_REMEMBERED = 128  #: characters of names whose rules are kept

Effect = Literal["read", "collect", "write", "delete", "permissions", "ownership", "discover", "send"]
#: What a value is made of, as far as it matters to what is done with it. ``own`` is the text's own file or
#: source, ``key`` one variable of the environment that is named like a secret.
Mark = Literal[
    "network", "decoded", "secret", "environment", "file", "output", "processes", "counted", "own", "key"
]
#: A position, a keyword, or ``self``: the value that the method was called on.
Selectors = list[int | str]


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Verdict(Model):
    """What a call is by itself, whatever it is given."""

    risk: SecurityRisk | None = None
    id: str | None = Field(default=None, pattern=r"^(python|sql)(\.[a-z0-9_]+)+$")
    message: str = ""
    attack: str | None = Field(default=None, pattern=r"^T\d{4}(\.\d{3})?$")
    fix: str = ""

    @property
    def text(self) -> str:
        technique = f" (ATT&CK {self.attack})" if self.attack else ""
        fix = f" {self.fix}" if self.fix else ""
        return f"{self.message.removesuffix('.')}{technique}.{fix}"


class Call(Verdict):
    """One or more functions that do the same.

    ``names`` are dotted, as if nothing had been renamed; ``*.recv`` is that method of anything that
    is not known to be something else. ``does`` selects paths by effect, ``mode`` the mode that says
    whether ``open`` reads or writes, ``content`` what is written. ``command`` goes to the shell,
    ``argv`` are the words of a program (of ``program``, where that is named), ``input`` is what that
    program (or ``self``) reads, ``streams`` are what it is connected to; ``runs`` is a file that is run,
    ``imports`` a directory that Python imports from, ``code`` Python, ``sql`` SQL, ``variable`` the
    name and the value of a variable of the environment, or a dictionary of them. ``url`` is where data
    goes to or comes from and ``data`` what is sent. ``gives`` names what the result is an instance of,
    ``holds`` which arguments its value is joined from, ``marks`` what is to be known of it.

    ``when`` lets all of this count only where an argument is, or holds, one of these values; ``unless``
    only where none does; ``says`` only where a text in one has one of these parts; ``marked`` only where
    an argument bears one of these marks; ``bits`` only where a number has one of these bits; ``looped``
    only in a loop, or in a function that calls itself. Without ``tests`` it does not count in what tests
    do. ``kept`` says that it is no more than MEDIUM where every database that the text opens is in memory.
    """

    names: list[str]
    does: dict[Effect, Selectors] = {}
    mode: Selectors = []
    recursive: bool = False
    command: Selectors = []
    argv: Selectors = []
    code: Selectors = []
    sql: Selectors = []
    input: Selectors = []
    streams: Selectors = []
    runs: Selectors = []
    imports: Selectors = []
    variable: Selectors = []
    content: Selectors = []
    url: Selectors = []
    data: Selectors = []
    gives: str = ""
    holds: Selectors = []
    marks: list[Mark] = []
    when: list[str | int | bool] = []
    unless: list[str | int | bool] = []
    says: list[str] = []
    program: str = ""
    kept: bool = False
    tests: bool = True
    marked: list[Mark] = []
    bits: int = 0
    looped: bool = False
    #: Words that have to stand in the text for this to count at all.
    words: list[str] = []
    #: Whether it says something only of texts that are parsed for another reason.
    silent: bool = False
    #: Whether files are all it touches: then it is worth parsing only where a path is sensitive.
    ordinary: bool = False

    @cached_property
    def connects(self) -> bool:
        """Whether something is said of what runs, what that reads, or where its output goes."""
        return bool(self.streams or self.input or self.runs or self.variable or self.content)


class Assigned(Verdict):
    """What is changed by assigning to it or by deleting it: ``os.environ``, ``sys.modules``."""

    names: list[str]
    keys: list[str] = []
    ordinary: bool = False


class Family(Model):
    """One file of ``data/``."""

    call: list[Call] = []
    assigned: list[Assigned] = []


class Rules(Model):
    """All families: rules by the dotted name, by the bare name of a method, and the last words of all."""

    calls: dict[str, list[Call]]
    methods: dict[str, list[Call]]
    assigned: dict[str, list[Assigned]]
    instances: frozenset[str]
    last: frozenset[str]
    modules: frozenset[str]

    def is_module(self, name: str) -> bool:
        """Whether it is the name of a module that rules are about."""
        return name in self.modules or canonical(name) in self.modules

    def words_of(self, name: str) -> frozenset[str]:
        """The words that a text has to hold to reach this function by its name.

        A class in the middle may be made by a function of another name (``requests.session()``).
        """
        owner, _, last = name.rpartition(".")
        if owner in self.instances:
            owner = owner.rpartition(".")[0]
        return frozenset({*owner.split("."), last} - {"*", ""})


@cache
def load() -> Rules:
    """Everything in ``data/python_*.toml``. Raises pydantic's ValidationError."""
    calls: dict[str, list[Call]] = {}
    assigned: dict[str, list[Assigned]] = {}
    for family in _families():
        for call in family.call:
            for name in call.names:
                calls.setdefault(name, []).append(call)
        for target in family.assigned:
            for name in target.names:
                assigned.setdefault(name, []).append(target)
    methods = {name[2:]: found for name, found in calls.items() if name.startswith("*.")}
    instances = frozenset(call.gives for found in calls.values() for call in found if call.gives)
    last = frozenset(name.rpartition(".")[2] for name in calls)
    modules = frozenset(name.partition(".")[0] for name in calls if "." in name) - {"*"}
    return Rules(
        calls=calls, methods=methods, assigned=assigned, instances=instances, last=last, modules=modules
    )


def rules_of(origin: str, method: str) -> list[Call] | None:
    """The rules for a function of this origin, or for this method of anything."""
    short = len(origin) + len(method) <= _REMEMBERED
    return (_looked_up if short else _looked_up.__wrapped__)(origin, method)


@lru_cache(maxsize=4096)
def _looked_up(origin: str, method: str) -> list[Call] | None:
    rules = load()
    found, rest = rules.calls.get(origin), origin
    for _ in range(_MODULES_DEEP if found is None else 0):  # pathlib.os.system
        rest = rest.partition(".")[2].lstrip("_")  # random._os.system
        if found is not None or "." not in rest:
            break
        found = rules.calls.get(canonical(rest))
    if found is None and origin.count(".") > 1:  # of whatever it is an attribute: ``*.query.delete``
        found = rules.calls.get("*." + ".".join(origin.split(".")[-2:]))
    return rules.methods.get(method) if found is None else found


def _families() -> list[Family]:
    folder = files("guardtier.analyzers.code") / "data"
    return [
        Family.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
        for file in sorted(folder.iterdir(), key=lambda file: file.name)
        if file.name.startswith("python_")
    ]
