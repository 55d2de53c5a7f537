"""Who may answer: the approvers file, which only the policy workers read.

It is a file and not a Redis key on purpose: whoever can write to Redis must not be able to make
themselves an approver. It holds keys derived from the tokens, never a token.
"""

from __future__ import annotations

import os
import secrets
import tomllib
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from guardtier.action import LABEL
from guardtier.answer import key_of
from guardtier.errors import ConfigError

EVERY_FLEET = "*"


class Right(StrEnum):
    """What an approver may do for its fleets."""

    ANSWER = "answer"  #: approve and reject parked actions
    CONFIGURE = "configure"  #: set the policy at run time


class Approver(BaseModel):
    """A person or a service that answers parked actions of its fleets (``*``: of every fleet)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, StringConstraints(pattern=LABEL)]
    key: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    fleets: frozenset[str] = frozenset({EVERY_FLEET})
    may: frozenset[Right] = frozenset({Right.ANSWER})

    def may_answer(self, fleet: str) -> bool:
        return Right.ANSWER in self.may and self._has(fleet)

    def may_configure(self, fleet: str) -> bool:
        return Right.CONFIGURE in self.may and self._has(fleet)

    def may_see(self, fleet: str) -> bool:
        """Whether the actions of a fleet are shown to them: whoever has any right there."""
        return bool(self.may) and self._has(fleet)

    @property
    def sees(self) -> frozenset[str] | None:
        """The fleets whose actions are shown to them; None: every fleet."""
        if not self.may:
            return frozenset()
        return None if EVERY_FLEET in self.fleets else self.fleets

    def _has(self, fleet: str) -> bool:
        return EVERY_FLEET in self.fleets or fleet in self.fleets


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    approver: list[Approver] = Field(default_factory=list)


class Approvers:
    """The approvers file, read again when it changes. A broken file lets nobody answer."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._stamp: tuple[int, int] | None = None
        self._by_name: dict[str, Approver] = {}

    def named(self, name: str) -> Approver | None:
        """The approver of that name. Raises ConfigError where the file can't be read."""
        if self._file is None:
            return None
        try:
            status = self._file.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if stamp != self._stamp:
                self._by_name = {found.name: found for found in read(self._file)}
                self._stamp = stamp
        except OSError as error:
            raise ConfigError(f"approvers_file: {error}", field="approvers_file") from error
        return self._by_name.get(name)


def read(file: Path) -> list[Approver]:
    """Every approver in the file. Raises ConfigError for what is wrong in it."""
    try:
        listed = _File.model_validate(tomllib.loads(file.read_text(encoding="utf-8"))).approver
    except ValidationError as error:
        # Not what pydantic prints: that shows the value, which may be a key, and who asks is told this.
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{file}: {where}: {first['msg']}", field="approvers_file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: {error}", field="approvers_file") from error
    names = [found.name for found in listed]
    if len(set(names)) != len(names):
        raise ConfigError(f"{file}: a name stands twice", field="approvers_file")
    return listed


def add(
    file: Path, name: str, fleets: list[str] | None = None, may: Iterable[Right] = (Right.ANSWER,)
) -> str:
    """Add an approver and return the new token, which is kept nowhere. Raises ConfigError."""
    token = secrets.token_urlsafe(32)
    try:
        allowed = frozenset(fleets or [EVERY_FLEET])
        entry = Approver(name=name, key=key_of(token).hex(), fleets=allowed, may=frozenset(may))
    except ValidationError as error:
        raise ConfigError(
            f"no approver can be called {name!r}: 1 to 128 printable ASCII characters without spaces",
            field="name",
        ) from error
    if file.exists() and any(known.name == name for known in read(file)):
        raise ConfigError(f"{file} has an approver {name!r} already", field="name")
    block = f'[[approver]]\nname = {_quoted(name)}\nkey = "{entry.key}"\n'
    block += f"fleets = {_listed(entry.fleets)}\nmay = {_listed(entry.may)}\n\n"
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(handle, "a", encoding="utf-8") as out:
        out.write(block)
    return token


def _listed(names: Iterable[str]) -> str:
    return "[" + ", ".join(_quoted(str(name)) for name in sorted(names)) + "]"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
