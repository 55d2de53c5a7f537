"""The TOML of ``data/*.toml`` as pydantic models: what programs do to what they are given."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Effect = Literal[
    "read",
    "collect",
    "write",
    "delete",
    "execute",
    "send",
    "receive",
    "permissions",
    "ownership",
    "escalate",
    "persist",
    "disable",
    "stop",
    "accounts",
    "credentials",
    "install",
    "discover",
    "decode",
    "single_out",
]
Level = Literal["UNKNOWN", "LOW", "MEDIUM", "HIGH"]
Surrounding = Literal["privileged", "remote", "container", "decoded", "each"]


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


#: One word or a list of them.
Words = Annotated[list[str], BeforeValidator(_listed)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Verdict(_Model):
    """What a rule says for itself. Without ``risk`` the matrix decides from effect and target."""

    risk: Level | None = None
    id: str | None = Field(default=None, pattern=r"^shell(\.[a-z0-9_]+)+$")
    message: str | None = None
    attack: str | None = Field(default=None, pattern=r"^T\d{4}(\.\d{3})?$")
    fix: str | None = None


class Rule(Verdict):
    """When all its conditions hold, the program has this effect, or this risk.

    ``on`` selects words: ``all first second last rest init`` operands (rest: all but the first, init:
    all but the last), ``-o`` the value of that option, ``of=`` operands that begin so, ``cwd``, ``stdin``,
    ``found`` what find hands on, ``inside`` the operands in the directory that ``-C`` names, ``into``
    each source by its own name in the directory that is last;
    ``place`` keeps of them what leads there (``data/places.toml``).
    ``when``, ``also`` and ``unless`` hold where any of their words is given: an option (``-o``, also in
    ``-xo``; ``--out*`` for all that begin so), or, without a dash, an operand, which may hold ``*``.
    ``value`` maps an option to a pattern for all of its value, ``first`` is one for the first operand,
    ``operand`` for any, ``args`` is looked for in all words joined by spaces (RE2, all four). ``bare``
    True: no operands given. ``piped`` True: its input comes from elsewhere; ``fed`` is looked for in
    that input, where it is known (RE2). ``carrying``: some operand has a part that can't be told and may
    hold what was read. ``into``: places that its output is redirected to. ``only`` True: nothing else
    counts. An ``only`` that lowers a rating should look at ``first`` or at all of ``args`` (``^…$``), or
    a word put behind it lowers what it shouldn't.
    """

    does: Effect | None = None
    on: Words = []
    when: Words = []
    also: Words = []
    unless: Words = []
    place: Words = []
    value: dict[str, str] = {}
    first: str | None = None
    operand: str | None = None
    args: str | None = None
    context: list[Surrounding] = []
    piped: bool | None = None
    carrying: bool = False
    fed: str | None = None
    bare: bool | None = None
    into: Words = []
    only: bool = False


class Program(Verdict):
    """A program or a subcommand; ``names`` of a subcommand may be ``remote add`` or ``* delete``.

    ``risk`` and ``message`` count where no rule and no effect matched (MEDIUM where neither is given).
    ``takes`` are the options whose value is the next word, so that it is no operand. ``privileged`` is
    the risk under sudo where only ``risk`` counted and it was MEDIUM. ``single_dash`` says that
    ``-name`` is one option, not a cluster (java, find, openssl). With an option of ``recursive`` it
    reads all that is below a directory (``collect``).
    """

    names: Annotated[Words, Field(min_length=1)]
    takes: Words = []
    effects: dict[Effect, Words] = {}
    rule: list[Rule] = []
    sub: list[Program] = []
    recursive: Words = []
    privileged: Level = "HIGH"
    single_dash: bool = False


class Family(_Model):
    """One file of ``data/``."""

    program: list[Program] = []
