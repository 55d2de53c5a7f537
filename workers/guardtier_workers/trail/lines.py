"""Lines: the form of the exported trail, JSON objects, each chained to the one before by its last member.

``{"seq":7,"kind":"line",…,"sha256":"…"}``: the hash is taken over the hash of the line before, a line's end
and the JSON without that member, as it stands there; so nobody need agree on a canonical form to check it.
A checkpoint has ``"signature"`` before it, over the same.
"""

from __future__ import annotations

import logging
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any, Protocol

import orjson

from guardtier.errors import ConfigError
from guardtier.store.chain import BEGINNING, Chained, Link, Pairs

log = logging.getLogger(__name__)

PURPOSE = b"guardtier.audit.1"  #: of a checkpoint's signature
SIGN_SECONDS = 10.0  #: while lines come, one is signed for after so many seconds at the most
SIGN_LINES = 10_000  #: or once there are so many, and a page more
MOST_UNSIGNED = 20_000  #: an export with a longer tail behind its last signature is not believed
MOST_UNSIGNED_SECONDS = 60  #: nor with one that reaches so far beyond it in time
NOTHING = "0" * 64  #: the hash before the first line

_SEALED = re.compile(rb'(\{"seq":([1-9][0-9]{0,15}),"kind":"([a-z]{1,16})",.*),"sha256":"([0-9a-f]{64})"\}')
ENTRY = re.compile(r"[0-9]{1,20}-[0-9]{1,20}")
_SIGNED = re.compile(rb'(\{.*),"signature":"([0-9a-f]{16}\.[A-Za-z0-9_-]{1,128})"')


class Kind(StrEnum):
    """What a line is."""

    OPEN = "open"  #: the first of a file: of which export it is, and where the streams stood
    LINE = "line"  #: one entry of an audit stream
    FAULT = "fault"  #: what was wrong with an entry when it was exported
    NOTE = "note"  #: what happened to the export itself
    CHECKPOINT = "checkpoint"  #: signed, where the tier has keys


class Signs(Protocol):
    """The tier's signing keys (guardtier.sealing)."""

    def sign(self, purpose: bytes, body: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Sealed:
    """A line as it stands in a file, without its end of line."""

    seq: int
    kind: str
    body: bytes  #: without the hash, and closed
    sha256: str

    @classmethod
    def read(cls, raw: bytes) -> Sealed | None:
        """None for what is no such line."""
        found = _SEALED.fullmatch(raw)
        if found is None:
            return None
        return cls(int(found[2]), found[3].decode(), found[1] + b"}", found[4].decode())

    @property
    def raw(self) -> bytes:
        return self.body[:-1] + b',"sha256":"' + self.sha256.encode() + b'"}'

    @property
    def link(self) -> Link:
        return Link(self.seq, self.sha256, str(self.seq))

    def follows(self, before: Link) -> bool:
        """Whether it is what was written behind that line."""
        return self.seq == before.n + 1 and hash_of(before.h or NOTHING, self.body) == self.sha256

    def values(self) -> dict[str, Any]:
        """Its members; {} where it is no JSON object."""
        try:
            found = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return {}
        return found if isinstance(found, dict) else {}

    def signature(self) -> tuple[bytes, bytes] | None:
        """What a checkpoint's signature is over without the hash before, and the signature."""
        found = _SIGNED.fullmatch(self.body[:-1])
        return (found[1] + b"}", found[2]) if found else None


@dataclass(slots=True)
class Writer:
    """Makes the lines behind one another. ``seq`` and ``sha256`` are those of the last one made."""

    seq: int = 0
    sha256: str = NOTHING
    signs: Signs | None = None
    made: list[bytes] = field(default_factory=list)

    def add(self, kind: Kind, values: Mapping[str, Any]) -> None:
        self.seq += 1
        body = orjson.dumps({"seq": self.seq, "kind": kind, **values})
        if kind is Kind.CHECKPOINT and self.signs is not None:
            body = self._signed(self.signs, body)
        self.sha256 = hash_of(self.sha256, body)
        self.made.append(Sealed(self.seq, kind, body, self.sha256).raw)

    def _signed(self, signs: Signs, body: bytes) -> bytes:
        try:
            signature = signs.sign(PURPOSE, signed_text(self.sha256, body))
        except ConfigError as error:  # the trail goes on without: it is verified by its other checkpoints
            log.error("a checkpoint of the audit trail is not signed: %s", error.message)  # noqa: TRY400
            return body
        return body[:-1] + b',"signature":"' + signature + b'"}'


def hash_of(before: str, body: bytes) -> str:
    """A line's hash, by that of the one before it."""
    return sha256(signed_text(before, body)).hexdigest()


def signed_text(before: str, body: bytes) -> bytes:
    """What is hashed, and what a checkpoint's signature is over."""
    return before.encode() + b"\n" + body


def line_of(partition: int, entry: str, pairs: Pairs) -> dict[str, Any]:
    """The members of a line, of an entry of an audit stream. :func:`entry_of` is the way back."""
    found = Chained.of(entry, pairs)
    values: dict[str, Any] = {"partition": partition, "entry": entry, "at": moment(entry)}
    if found.link is not None:
        values |= {"n": found.link.n, "h": found.link.h}
    try:
        fields = {name.decode(): value.decode() for name, value in found.said}
    except UnicodeDecodeError:
        fields = {}
    if len(fields) == len(found.said):
        return values | {"fields": fields}
    # Not UTF-8, or a field that stands there twice: nothing of it may be lost.
    raw = [[b64encode(name).decode(), b64encode(value).decode()] for name, value in found.said]
    return values | {"raw": raw}


def entry_of(values: Mapping[str, Any]) -> tuple[int, str, Pairs] | None:
    """Partition, entry and pairs of a line; None for what can't be one."""
    try:
        partition, entry = values["partition"], values["entry"]
        if "raw" in values:
            said = [(b64decode(name), b64decode(value)) for name, value in values["raw"]]
        else:
            said = [(name.encode(), value.encode()) for name, value in values["fields"].items()]
        if "n" in values:
            said += [(b"n", str(values["n"]).encode()), (b"h", values["h"].encode())]
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    if not isinstance(partition, int) or not isinstance(entry, str) or not ENTRY.fullmatch(entry):
        return None
    return partition, entry, said


def pairs_of(fields: Any) -> Pairs:
    """Fields as Redis sends them; redis-py on a cluster has made a mapping of them already."""
    if isinstance(fields, dict):
        return list(fields.items())
    flat = iter(fields or ())
    return list(zip(flat, flat, strict=True))


def moment(entry: str) -> str:
    """When an entry was written, by Redis' clock: ISO 8601, UTC, to the millisecond."""
    milliseconds = int(entry.partition("-")[0])
    try:
        told = datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return str(milliseconds)
    return told.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def at_of(told: object) -> int:
    """A checkpoint's time in ms since 1970; 0 for what is none."""
    try:
        return int(datetime.fromisoformat(str(told)).timestamp() * 1000)
    except (ValueError, OverflowError):
        return 0


def is_behind(entry: str, other: str) -> bool:
    """Whether an entry's id is greater than another's."""
    return number(entry) > number(other)


def number(entry: str) -> tuple[int, int]:
    """An entry's id as the two numbers that it is."""
    at, _, part = entry.partition("-")
    return int(at), int(part or 0)


def positions_of(values: Mapping[str, Any]) -> dict[int, tuple[str, Link]]:
    """Where each partition's stream stood, as a file's first line has it."""
    found: dict[int, tuple[str, Link]] = {}
    positions = values.get("positions")
    for partition, kept in (positions if isinstance(positions, dict) else {}).items():
        try:
            link = Link(int(kept["n"]), str(kept["h"]), str(kept["last"])) if kept["n"] else BEGINNING
            number(kept["entry"])
            found[int(partition)] = (str(kept["entry"]), link)
        except (KeyError, TypeError, ValueError):
            continue
    return found
