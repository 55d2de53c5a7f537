"""Who may answer: the approvers file, which only the policy workers read.

It is a file and not a Redis key on purpose: whoever can write to Redis must not be able to make
themselves an approver. It holds keys derived from the tokens, never a token: by a key one can answer, too.
"""

from __future__ import annotations

import secrets
import stat
import tomllib
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from guardtier.answer import key_of
from guardtier.errors import ConfigError, NotAuthorized
from guardtier.signer import BY
from guardtier_workers.filelock import held, write_whole
from guardtier_workers.rights import EVERY_FLEET, Approver, Right

__all__ = ["EVERY_FLEET", "Approver", "Approvers", "Right", "Said", "add", "parsed", "read"]

_WRONG = {
    "name": "an approver's name has 1 to 128 printable ASCII characters and no spaces",
    "principal": "a principal has 1 to 128 printable ASCII characters and no spaces",
    "roles": "a role has 1 to 64 letters, digits, _ or -",
    "agents": "an approver's own agents are globs over fleet/agent, as in web/coder-* or */alice",
    "subject": "a subject is the identity provider's issuer, a space, and what it calls them there",
    "vouched_by": "who vouches is named as in the approvers file: printable ASCII and no spaces",
}


class Said(Protocol):
    """What somebody signed: an answer, or a request."""

    @property
    def approver(self) -> str: ...

    def is_proved_by(self, proof: str, key: bytes) -> bool: ...


def _not_proved() -> NotAuthorized:
    return NotAuthorized("this does not prove a known approver: is the token right?", field="approver")


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    approver: list[Approver] = Field(default_factory=list)


class Approvers:
    """The approvers file, read again when it changes. A broken file lets nobody answer."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._stamp: tuple[int, int, int] | None = None
        self._by_name: dict[str, Approver] = {}

    @classmethod
    def of(cls, listed: Iterable[Approver]) -> Approvers:
        """These, as if they stood in a file that never changes."""
        made = cls(None)
        made._by_name = {found.name: found for found in listed}
        return made

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
            return self._by_name
        try:
            status = self._file.stat()
            check_writers(self._file, status.st_mode)
            # A new token has the length of the old one, and a clock may stand still meanwhile.
            stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
            if stamp != self._stamp:
                self._by_name = {found.name: found for found in read(self._file)}
                self._stamp = stamp
        except OSError as error:
            raise ConfigError(f"approvers_file: {error}", field="approvers_file") from error
        return self._by_name


def check_writers(file: Path, mode: int) -> None:
    """Raise ConfigError where everybody on the machine could make themselves an approver."""
    if mode & stat.S_IWOTH:
        raise ConfigError(
            f"{file} can be written by everybody, so nobody may answer: chmod o-w {file}",
            field="approvers_file",
        )


def read(file: Path) -> list[Approver]:
    """Every approver in the file. Raises ConfigError for what is wrong in it."""
    try:
        return parsed(file.read_text(encoding="utf-8"), file)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: {error}", field="approvers_file") from error


def parsed(text: str, file: Path) -> list[Approver]:
    """Every approver in this text of the file. Raises ConfigError as :func:`read`."""
    try:
        listed = _File.model_validate(tomllib.loads(text)).approver
    except ValidationError as error:
        # Not what pydantic prints: that shows the value, which may be a key, and who asks is told this.
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{file}: {where}: {first['msg']}", field="approvers_file") from None
    except tomllib.TOMLDecodeError as error:
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
    file = file.resolve()  # where it is a link, what it names is changed
    with held(file):
        text = file.read_bytes().decode("utf-8", "replace") if file.exists() else ""
        known = read(file) if text else []
        if any(other.name == name for other in known):
            raise ConfigError(f"{file} has an approver {name!r} already", field="name")
        if subject is not None and any(other.subject == subject for other in known):
            raise ConfigError(f"{file} has an approver of this subject already", field="subject")
        end = "" if not text or text.endswith("\n") else "\n"
        like = file.stat() if file.exists() else None
        write_whole(file, f"{text}{end}{_block(entry)}\n", 0o600, like=like)
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
