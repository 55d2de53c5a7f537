"""Verifying: what an agent does with a sealed verdict before it believes a word of it.

First the signature, over the bytes as they came; then they are parsed; then the times are looked at. The
form of a seal is in sealing.py, and docs/signatures.md says what all this is good against.
"""

from __future__ import annotations

import os
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path
from time import monotonic, time
from typing import NamedTuple, TypeAlias

from pydantic import ValidationError

from guardtier import signatures
from guardtier.canonical import check_unique
from guardtier.errors import (
    AlreadyRedeemed,
    BadSignature,
    ConfigError,
    InvalidAction,
    StaleVerdict,
    UnknownKey,
)
from guardtier.keyfile import MAX_KEYS, Key, clock_text, parse, read_public
from guardtier.sealing import LOOK_SECONDS, VERDICT, message
from guardtier.verdict import Verdict

ENV = "GUARDTIER_VERDICT_KEYS"
LEEWAY_SECONDS = 60.0  #: that clocks may differ
REMEMBERED = 256  #: seals that were good: an approval is told twice, and verified once
_SHORT = 2048  #: bytes of a message that is remembered itself; of a longer one, its SHA-256
MOST_USED = 10_000  #: approvals that were used here, remembered

_SEAL = re.compile(rb',"seal":"([0-9a-f]{16})\.(%b)"\}' % signatures.SIGNATURE.encode())
_LENGTH = len(',"seal":"') + 16 + 1 + signatures.SIGNATURE_LENGTH + len('"}')
_KEYS = re.compile(rf"{signatures.KEY}([\s,]+{signatures.KEY})*")

#: Public keys, a file of them (or its path), or what verifies with them.
VerdictKeys: TypeAlias = "Verifier | Path | str | Iterable[str] | None"


class _Held(NamedTuple):
    key: Key
    is_by_it: Callable[[bytes, bytes], bool]


class Verifier:
    """Believes what was signed by one of these keys, and is good now.

    ``file`` is looked at again while it is used, at once where a verdict names a key that is not known.
    One that can't be read makes every verdict refused: a key may have been taken out of it. ``leeway`` is
    how many seconds the clocks of tier and agent may differ.
    """

    def __init__(
        self,
        keys: Iterable[Key] = (),
        *,
        file: Path | None = None,
        leeway: float = LEEWAY_SECONDS,
        clock: Callable[[], int] | None = None,
    ) -> None:
        """Raises ConfigError for keys that can't be used, and where the library is missing."""
        self._file = file.absolute() if file else None  # the agent's process may go to another directory
        self._leeway_ms = int(leeway * 1000)
        self._clock = clock or now_ms
        self._stamp: object = None
        self._held: dict[str, _Held] = {}
        self._good: OrderedDict[bytes, bytes] = OrderedDict()
        self._look_again_at = 0.0
        if self._file is not None:
            self._read(self._file)
        else:
            self._hold(keys)

    @classmethod
    def of(cls, given: VerdictKeys) -> Verifier | None:
        """What is given to a client: a verifier, a file or its path, JSON, or public keys as text.

        None: what ``GUARDTIER_VERDICT_KEYS`` says, a path or keys; None where that is not set either, then
        nothing is verified. Raises ConfigError, also where it is set and empty.
        """
        if given is None:
            named = os.environ.get(ENV)
            return None if named is None else cls._of_text(named)
        if isinstance(given, Verifier):
            return given
        if isinstance(given, Path):
            return cls(file=given)
        if isinstance(given, str):
            return cls._of_text(given)
        return cls([Key.of(public) for public in given])

    @classmethod
    def _of_text(cls, text: str) -> Verifier:
        text = text.strip()
        if not text:
            raise ConfigError(
                f"no keys to verify verdicts by: name a file or public keys, or unset {ENV}",
                field="verdict_keys",
            )
        if text.startswith("{"):
            return cls([key.alone for key in parse(text)])
        if _KEYS.fullmatch(text):
            return cls([Key.of(public) for public in re.split(r"[\s,]+", text)])
        return cls(file=Path(text))

    @property
    def keys(self) -> list[Key]:
        """The public keys, as they were when the file was looked at last."""
        return [held.key for held in self._held.values()]

    def read(self, raw: bytes) -> Verdict:
        """The verdict in these bytes, as they came.

        Raises BadSignature (UnknownKey) where no key has signed exactly these, and StaleVerdict for one
        that allows a run, and not now: what says no is believed at any time.
        """
        body, key_id, seal = _cut(raw)
        held = self._named(key_id)
        self._check_signed(held, VERDICT, body, seal)
        verdict = _parsed(raw)
        now = self._clock()
        if verdict.allowed:
            check_time(verdict, now, self._leeway_ms)
        self._check_key(held.key, now)
        return verdict

    def check(self, purpose: bytes, body: bytes, seal: bytes) -> str:
        """The id of the key whose seal (``<key id>.<signature>``) this is. Raises BadSignature, UnknownKey.

        When it was signed is not looked at: what is kept for years outlives its key.
        """
        found = _SEAL.fullmatch(b',"seal":"%b"}' % seal)
        if found is None:
            raise BadSignature("that is no seal: a key's id, a dot and a signature", field="seal")
        held = self._named(found[1].decode())
        self._check_signed(held, purpose, body, found[2])
        return held.key.id

    def again(self, verdict: Verdict) -> None:
        """Look once more whether a verdict that was read before counts now: its time, and its key.

        Raises StaleVerdict, and UnknownKey where the key was taken away meanwhile.
        """
        held, now = self._named(verdict.seal.partition(".")[0]), self._clock()
        if verdict.allowed:
            check_time(verdict, now, self._leeway_ms)
        self._check_key(held.key, now)

    def _check_signed(self, held: _Held, purpose: bytes, body: bytes, signature: bytes) -> None:
        said = message(purpose, body)
        mark = said if len(said) <= _SHORT else sha256(said).digest()
        name = held.key.id.encode() + signature
        if self._good.get(name) == mark:
            return
        if not held.is_by_it(signatures.from_text(signature), said):
            raise BadSignature(
                f"the signature by key {held.key.id} is wrong: somebody changed what the tier said, or "
                "made it up; the tool must not run",
                field="seal",
            )
        self._good[name] = mark
        while len(self._good) > REMEMBERED:
            self._good.popitem(last=False)

    def _check_key(self, key: Key, now: int) -> None:
        until = key.until_ms
        if key.since_ms - self._leeway_ms > now:
            when = f"counts from {clock_text(key.since_ms)} on"
        elif until is not None and until + self._leeway_ms < now:
            when = f"was retired at {clock_text(until)}"
        else:
            return
        raise UnknownKey(
            f"signed by key {key.id}, which {when}; this machine's clock says {clock_text(now)}",
            field="seal",
            limit=key.id,
        )

    def _named(self, key_id: str) -> _Held:
        if self._file is not None and monotonic() >= self._look_again_at:
            self._read(self._file)
        held = self._held.get(key_id)
        if held is None and self._file is not None:
            self._read(self._file)
            held = self._held.get(key_id)
        if held is None:
            raise UnknownKey(
                f"signed by key {key_id}, which this client was not given: the tool must not run; "
                "guardtier keys public prints the tier's keys",
                field="seal",
                limit=key_id,
            )
        return held

    def _read(self, file: Path) -> None:
        try:
            about = file.stat()
        except OSError as error:
            raise ConfigError(f"{file} can't be read ({error.strerror})", field="verdict_keys") from error
        stamp = (about.st_mtime_ns, about.st_size, about.st_ino, about.st_mode)
        if stamp != self._stamp:
            self._hold(read_public(file))
            self._stamp = stamp
        self._look_again_at = monotonic() + LOOK_SECONDS

    def _hold(self, keys: Iterable[Key]) -> None:
        listed = list(keys)
        if not listed or len(listed) > MAX_KEYS:
            raise ConfigError(
                f"{len(listed)} keys to verify verdicts by: give 1 to {MAX_KEYS}", field="verdict_keys"
            )
        held = {key.id: _Held(key, signatures.verifier(key.public)) for key in listed}
        if self._held.keys() - held.keys():
            self._good.clear()
        self._held = held


class Used:
    """The approvals that one client has used. That one is used once, the tier says, and does not sign."""

    def __init__(self) -> None:
        self._seals: OrderedDict[str, None] = OrderedDict()

    def use(self, verdict: Verdict) -> None:
        """Raises AlreadyRedeemed where this very approval was used before."""
        if verdict.seal in self._seals:
            raise AlreadyRedeemed(
                f"the approval of {verdict.id} has been used here, whatever the tier says: it must not run",
                field="redeemed",
            )
        self._seals[verdict.seal] = None
        while len(self._seals) > MOST_USED:
            self._seals.popitem(last=False)


def check_time(verdict: Verdict, now: int, leeway_ms: int = int(LEEWAY_SECONDS * 1000)) -> None:
    """Raises StaleVerdict where one that allows a run doesn't at this time (milliseconds since 1970)."""
    until = verdict.valid_until or 0  # a yes without an end is none that a tier signs
    if verdict.decided_at - leeway_ms > now:
        raise StaleVerdict(
            f"{_told(verdict)} clock, and this machine's clock says {clock_text(now)}: one of them is "
            "wrong, and the tool must not run; set it, then ask again",
            field="decided_at",
            limit=verdict.decided_at,
        )
    if until + leeway_ms < now:
        raise StaleVerdict(
            f"{_told(verdict)} clock, to be used until {clock_text(until)}, and this machine's clock "
            f"says {clock_text(now)}: the tool must not run by it; if that clock is right, ask again "
            "under a new id",
            field="valid_until",
            limit=until,
        )


def _cut(raw: bytes) -> tuple[bytes, str, bytes]:
    """The bytes that were signed, the key's id, the signature. The seal stands at the very end, once."""
    found = _SEAL.fullmatch(raw, max(0, len(raw) - _LENGTH))
    if found is None:
        raise BadSignature(
            "the verdict is not signed: the tool must not run. Does the tier sign (signing_key_file)?",
            field="seal",
        )
    return raw[: found.start()] + b"}", found[1].decode(), found[2]


def _told(verdict: Verdict) -> str:
    at = clock_text(verdict.decided_at)
    return f"{verdict.id} was {verdict.outcome.value} at {at} by the tier's"


def _parsed(raw: bytes) -> Verdict:
    try:
        verdict = Verdict.from_json(raw)
        if verdict.to_json() != raw:  # else no key stands twice: 5 µs less than to look for one
            check_unique(raw)
        return verdict
    except (InvalidAction, ValidationError, ValueError, RecursionError) as error:
        raise BadSignature(
            "the verdict is signed and can't be read: is this client older than the tier? The tool must "
            "not run",
            field="verdict",
        ) from error


def now_ms() -> int:
    """This machine's clock, milliseconds since 1970."""
    return int(time() * 1000)
