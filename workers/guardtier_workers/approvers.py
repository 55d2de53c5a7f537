"""Who may answer: the approvers file, which only the policy workers read.

It is a file and not a Redis key on purpose: whoever can write to Redis must not be able to make
themselves an approver. It holds keys derived from the tokens, never a token.
"""

from __future__ import annotations

import os
import secrets
import tomllib
from collections.abc import Collection, Iterable
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from guardtier.action import LABEL
from guardtier.answer import key_of
from guardtier.errors import ConfigError, NotAuthorized
from guardtier.policy.terms import Role
from guardtier.signer import BY

EVERY_FLEET = "*"
SUBJECT = r"^[!-~]{1,256} [ -~]{1,255}$"  #: issuer and subject of an identity provider
OWN_AGENTS = r"^[^/\s]{1,64}/[!-~]{1,128}$"  #: a glob for the fleet, one for the agent

_WRONG = {
    "name": "an approver's name has 1 to 128 printable ASCII characters and no spaces",
    "principal": "a principal has 1 to 128 printable ASCII characters and no spaces",
    "roles": "a role has 1 to 64 letters, digits, _ or -",
    "agents": "an approver's own agents are globs over fleet/agent, as in web/coder-* or */alice",
    "subject": "a subject is the identity provider's issuer, a space, and what it calls them there",
    "vouched_by": "who vouches is named as in the approvers file: printable ASCII and no spaces",
}


class Right(StrEnum):
    """What an approver may do for its fleets."""

    ANSWER = "answer"  #: approve and reject parked actions
    CONFIGURE = "configure"  #: set the policy at run time, halt and resume
    HALT = "halt"  #: halt and resume
    SEE = "see"  #: see what waits; every other right but the last says so too
    VOUCH = "vouch"  #: a console: sign for approvers whom it may vouch for, who proved themselves to it


class Approver(BaseModel):
    """A person or a service that answers parked actions of its fleets (``*``: of every fleet).

    ``principal`` is who it is: it counts once, whatever the number of its tokens; by default its name.
    ``agents`` are its own, which it may not answer for: globs over ``fleet/agent``. The policy may want
    one of the ``roles``. ``subject`` is how an identity provider names them ("issuer subject"), and
    ``vouched_by`` the consoles that may sign for them then; who has no ``key`` has no other way.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, StringConstraints(pattern=LABEL)]
    key: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{64})?$")] = ""
    fleets: frozenset[str] = frozenset({EVERY_FLEET})
    may: frozenset[Right] = frozenset({Right.ANSWER})
    principal: Annotated[str, StringConstraints(pattern=LABEL)]
    roles: frozenset[Role] = frozenset()
    agents: tuple[Annotated[str, StringConstraints(pattern=OWN_AGENTS)], ...] = ()
    subject: Annotated[str, StringConstraints(pattern=SUBJECT)] | None = None
    vouched_by: frozenset[Annotated[str, StringConstraints(pattern=LABEL)]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _is_themselves(cls, fields: Any) -> Any:
        if isinstance(fields, dict) and "name" in fields:
            return {"principal": fields["name"]} | fields
        return fields

    @model_validator(mode="after")
    def _can_prove_themselves(self) -> Approver:
        if not self.key and not self.vouched_by:
            raise ValueError("an approver has a key, or somebody who vouches for them")
        if Right.VOUCH in self.may and (not self.key or len(self.may) > 1):
            raise ValueError('who may vouch has a key, and no other right: may = ["vouch"]')
        return self

    def may_answer(self, fleet: str) -> bool:
        return Right.ANSWER in self.may and self._has(fleet)

    def may_configure(self, fleet: str) -> bool:
        return Right.CONFIGURE in self.may and self._has(fleet)

    def may_halt(self, fleet: str) -> bool:
        return not self.may.isdisjoint((Right.HALT, Right.CONFIGURE)) and self._has(fleet)

    def may_see(self, fleet: str) -> bool:
        """Whether the actions of a fleet are shown to them: whoever has any right there."""
        return self._has_sight and self._has(fleet)

    @property
    def sees(self) -> frozenset[str] | None:
        """The fleets whose actions are shown to them; None: every fleet."""
        if not self._has_sight:
            return frozenset()
        return None if EVERY_FLEET in self.fleets else self.fleets

    def has_role(self, roles: Collection[str]) -> bool:
        """Whether it has one of these; where none is wanted, everybody has."""
        return not roles or not self.roles.isdisjoint(roles)

    def owns(self, fleet: str, agent: str) -> bool:
        """Whether this agent acts for it."""
        return agent in (self.name, self.principal) or any(
            fnmatchcase(f"{fleet}/{agent}", own) for own in self.agents
        )

    @property
    def _has_sight(self) -> bool:
        return bool(self.may - {Right.VOUCH})

    def _has(self, fleet: str) -> bool:
        return EVERY_FLEET in self.fleets or fleet in self.fleets


class Said(Protocol):
    """What somebody signed: an answer, or a request."""

    @property
    def approver(self) -> str: ...

    def is_proved_by(self, proof: str, key: bytes) -> bool: ...


def _not_proved() -> NotAuthorized:
    return NotAuthorized("what was said does not prove a known approver", field="approver")


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
        return self._all().get(name)

    def all(self) -> list[Approver]:
        """Everybody in the file. Raises as :meth:`named`."""
        return list(self._all().values())

    def proved(self, said: Said, proof: str) -> Approver:
        """Who said it: by their own key, or by that of a console which may vouch for them.

        Raises NotAuthorized for anybody else, ConfigError as :meth:`named`.
        """
        approver = self.named(said.approver)
        signed_by = self.signed_by(approver, proof) if approver else None
        if approver is None or signed_by is None:
            raise _not_proved()
        if not said.is_proved_by(proof.rpartition(BY)[2], bytes.fromhex(signed_by.key)):
            raise _not_proved()
        return approver

    def signed_by(self, approver: Approver, proof: str) -> Approver | None:
        """Whose key such a proof of theirs is made with: their own, or that of a console which may vouch.

        None: nobody's (any more). Raises ConfigError as :meth:`named`.
        """
        voucher = proof.rpartition(BY)[0]
        if not voucher:
            return approver if approver.key else None
        found = self.named(voucher) if voucher in approver.vouched_by else None
        return found if found is not None and found.key and Right.VOUCH in found.may else None

    def can_sign(self, approver: Approver) -> bool:
        """Whether they could say anything now, by whatever key. Raises as :meth:`named`."""
        ways = ("", *(f"{voucher}{BY}" for voucher in approver.vouched_by))
        return any(self.signed_by(approver, way) for way in ways)

    def is_own(self, approver: Approver, fleet: str, agent: str) -> bool:
        """Whether this agent acts for the approver's principal, under any of its names."""
        same = (known for known in self._all().values() if known.principal == approver.principal)
        return approver.owns(fleet, agent) or any(known.owns(fleet, agent) for known in same)

    def principals(self, fleet: str, roles: Collection[str] = ()) -> frozenset[str]:
        """Who may answer in a fleet where one of these roles is wanted. Raises as :meth:`named`."""
        return frozenset(
            known.principal
            for known in self._all().values()
            if known.may_answer(fleet) and known.has_role(roles)
        )

    def _all(self) -> dict[str, Approver]:
        if self._file is None:
            return {}
        try:
            status = self._file.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if stamp != self._stamp:
                self._by_name = {found.name: found for found in read(self._file)}
                self._stamp = stamp
        except OSError as error:
            raise ConfigError(f"approvers_file: {error}", field="approvers_file") from error
        return self._by_name


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
    for what in ("name", "subject"):
        given = [value for found in listed if (value := getattr(found, what)) is not None]
        if len(set(given)) != len(given):
            raise ConfigError(f"{file}: a {what} stands twice", field="approvers_file")
    return listed


def add(
    file: Path,
    name: str,
    fleets: list[str] | None = None,
    may: Iterable[Right] = (Right.ANSWER,),
    *,
    principal: str | None = None,
    roles: Iterable[str] = (),
    agents: Iterable[str] = (),
    subject: str | None = None,
    vouched_by: Iterable[str] = (),
    with_token: bool = True,
) -> str:
    """Add an approver and return the new token, which is kept nowhere. Raises ConfigError.

    Without a token ("" is returned) they come by way of who vouches for them, and no other.
    """
    token = secrets.token_urlsafe(32) if with_token else ""
    try:
        entry = Approver(
            name=name,
            key=key_of(token).hex() if token else "",
            fleets=frozenset(fleets or [EVERY_FLEET]),
            may=frozenset(may),
            principal=principal or name,
            roles=frozenset(roles),
            agents=tuple(agents),
            subject=subject,
            vouched_by=frozenset(vouched_by),
        )
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)[0]
        field = str(wrong["loc"][0]) if wrong["loc"] else "may"
        raise ConfigError(_WRONG.get(field, wrong["msg"]), field=field) from None
    known = read(file) if file.exists() else []
    if any(other.name == name for other in known):
        raise ConfigError(f"{file} has an approver {name!r} already", field="name")
    if subject is not None and any(other.subject == subject for other in known):
        raise ConfigError(f"{file} has an approver of this subject already", field="subject")
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(handle, "a", encoding="utf-8") as out:
        out.write(_block(entry) + "\n")
    return token


def _block(entry: Approver) -> str:
    """Its entry in the file."""
    block = f"[[approver]]\nname = {_quoted(entry.name)}\n"
    if entry.key:
        block += f'key = "{entry.key}"\n'
    block += f"fleets = {_listed(entry.fleets)}\nmay = {_listed(entry.may)}\n"
    if entry.principal != entry.name:
        block += f"principal = {_quoted(entry.principal)}\n"
    if entry.subject is not None:
        block += f"subject = {_quoted(entry.subject)}\n"
    for name in ("roles", "agents", "vouched_by"):
        if listed := getattr(entry, name):
            block += f"{name} = {_listed(listed)}\n"
    return block


def _listed(names: Iterable[str]) -> str:
    return "[" + ", ".join(_quoted(str(name)) for name in sorted(names)) + "]"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
