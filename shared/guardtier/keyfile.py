"""The files of Ed25519 keys by which verdicts are signed, and verified: JSON, each key with its times.

``{"keys": [{"id", "public", "private", "from", "until"}]}``: the tier's file has the private keys and is
for its owner alone; what agents are given is the same without them.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Self

import orjson
from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    field_serializer,
    model_validator,
)

from guardtier import signatures
from guardtier.errors import ConfigError

MAX_BYTES = 64 * 1024  #: of a file
MAX_KEYS = 64  #: in a file


class Key(BaseModel):
    """One key. ``since`` and ``until`` bound when what it has signed is believed; None: for ever.

    In files they are ``from`` and ``until``, in ISO 8601 with a time zone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
    public: Annotated[str, StringConstraints(pattern=rf"^{signatures.KEY}$")]
    private: SecretStr | None = None
    since: AwareDatetime | None = Field(default=None, alias="from")
    until: AwareDatetime | None = None

    @model_validator(mode="after")
    def _is_one_key(self) -> Self:
        if self.id != signatures.key_id(self.public):
            raise ValueError("id is not that of the public key: its first 16 hex digits of SHA-256")
        if self.since and self.until and self.until <= self.since:
            raise ValueError("until must be after from")
        return self

    @field_serializer("private")
    def _told(self, private: SecretStr | None) -> str | None:
        return private.get_secret_value() if private else None

    @classmethod
    def new(cls, *, since: datetime | None = None, until: datetime | None = None) -> Self:
        """A new key pair. Raises ConfigError where the library is missing."""
        private = signatures.new_private()
        public = signatures.public_of(private)
        return cls(
            id=signatures.key_id(public),
            public=public,
            private=SecretStr(private),
            since=since,
            until=until,
        )

    @classmethod
    def of(cls, public: str) -> Self:
        """A public key without times. Raises ConfigError for what is none."""
        try:
            return cls(id=signatures.key_id(public), public=public)
        except ValueError as error:
            raise ConfigError(
                f"{public[:60]!r} is no Ed25519 public key: 43 characters of base64url, or name a file",
                field="verdict_keys",
            ) from error

    @property
    def alone(self) -> Self:
        """Without the private key."""
        return self.model_copy(update={"private": None})

    @property
    def since_ms(self) -> int:
        """From when on it counts, milliseconds since 1970."""
        return ms_of(self.since) if self.since else 0

    @property
    def until_ms(self) -> int | None:
        """Until when it counts; None: for ever."""
        return ms_of(self.until) if self.until else None

    def signs_at(self, now_ms: int) -> bool:
        """Whether the tier may sign with it at this moment."""
        until = self.until_ms
        return self.private is not None and self.since_ms <= now_ms and (until is None or now_ms < until)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    keys: Annotated[list[Key], Field(max_length=MAX_KEYS)]


def read_private(file: Path, *, tending: bool = False) -> list[Key]:
    """The tier's keys. Raises ConfigError also where others than its owner could read them.

    The owner is this process's user, or root; a file of root may be readable by a group, as Kubernetes
    mounts secrets for a user that is not root. ``tending``: for root, who tends the workers' files.
    """
    raw, about = _read(file, "signing_key_file")
    mode = stat.S_IMODE(about.st_mode)
    for_others = os.geteuid() != 0 or tending
    if about.st_uid not in (os.geteuid(), 0) and not (tending and os.geteuid() == 0):
        raise ConfigError(
            f"{file} belongs to another user (uid {about.st_uid}): chown it", field="signing_key_file"
        )
    allowed = 0o740 if about.st_uid == 0 and for_others else 0o700
    if mode & ~allowed:
        raise ConfigError(
            f"{file} holds private keys, and others may open it (mode {mode:04o}): chmod 600 {file}",
            field="signing_key_file",
        )
    found = _parsed(raw, file, "signing_key_file")
    for key in found:
        _check_pair(key, file)
    return found


def read_public(file: Path) -> list[Key]:
    """Public keys, without any private ones that stand there. Raises ConfigError, also for none at all."""
    raw, about = _read(file, "verdict_keys")
    if about.st_mode & stat.S_IWOTH:
        raise ConfigError(
            f"{file} can be written by everybody, who could add keys: chmod o-w {file}",
            field="verdict_keys",
        )
    return [key.alone for key in _parsed(raw, file, "verdict_keys")]


def public_json(keys: Iterable[Key]) -> str:
    """What agents are given."""
    return _json(key.alone for key in keys)


def private_json(keys: Iterable[Key]) -> str:
    """What the tier keeps."""
    return _json(keys)


def parse(raw: bytes | str, where: str = "the keys", field: str = "verdict_keys") -> list[Key]:
    """The keys in such a text. Raises ConfigError that never shows what stands in it."""
    try:
        found = _File.model_validate(orjson.loads(raw)).keys
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        at = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{where}: {at}: {first['msg']}", field=field) from None
    except orjson.JSONDecodeError as error:
        raise ConfigError(f"{where} can't be read as JSON: {error.msg}", field=field) from None
    if not found:
        raise ConfigError(f"{where}: no key in it; guardtier keys new makes one", field=field)
    if len({key.id for key in found}) != len(found):
        raise ConfigError(f"{where}: a key stands twice", field=field)
    return found


def ms_of(moment: datetime) -> int:
    """Milliseconds since 1970."""
    return int(moment.timestamp() * 1000)


def clock_text(ms: int) -> str:
    """A time as errors tell it: UTC, to the second; for a number that is no time, the number."""
    try:
        return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return f"{ms} ms"


def _parsed(raw: bytes, file: Path, field: str) -> list[Key]:
    return parse(raw, str(file), field)


def _check_pair(key: Key, file: Path) -> None:
    if key.private is None:
        return
    try:
        fits = signatures.public_of(key.private.get_secret_value()) == key.public
    except ConfigError:
        raise
    except ValueError:
        fits = False
    if not fits:
        raise ConfigError(f"{file}: the private key of {key.id} is not its own", field="signing_key_file")


def _read(file: Path, field: str) -> tuple[bytes, os.stat_result]:
    try:
        with file.open("rb") as opened:
            about = os.fstat(opened.fileno())
            raw = opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{file} can't be read ({error.strerror})", field=field) from error
    if len(raw) > MAX_BYTES:
        raise ConfigError(f"{file} is longer than {MAX_BYTES} bytes", field=field, limit=MAX_BYTES)
    return raw, about


def _json(keys: Iterable[Key]) -> str:
    body: Sequence[dict[str, Any]] = [
        key.model_dump(mode="json", by_alias=True, exclude_none=True) for key in keys
    ]
    return orjson.dumps({"keys": body}, option=orjson.OPT_INDENT_2).decode() + "\n"
