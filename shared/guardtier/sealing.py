"""Sealing: the tier signs what it says, with the newest of its keys that is valid.

A sealed verdict is its JSON with one more member at the end, ``"seal":"<key id>.<signature>"``. Signed is
a purpose, a zero byte and the JSON without that member, so every field is covered, and whoever verifies
takes the bytes as they came: nobody need agree on a canonical form (docs/signatures.md).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic, time

from guardtier import signatures
from guardtier.errors import ConfigError
from guardtier.keyfile import Key, read_private
from guardtier.verdict import Outcome, Verdict

log = logging.getLogger(__name__)

VERDICT = b"guardtier.verdict.1"  #: the purpose of a verdict's seal; another purpose is another message
LOOK_SECONDS = 1.0  #: so often at most the file is looked at for other keys
RELEASED_MS = 300_000
APPROVED_MS = 24 * 3_600_000

#: How a verdict becomes the bytes that are kept and told.
Seal = Callable[[Verdict], bytes]


def message(purpose: bytes, body: bytes) -> bytes:
    """What is signed."""
    return purpose + b"\0" + body


class SigningKeys:
    """The tier's keys in a file, which is looked at again while it is used.

    A file that can't be read any more changes nothing but the log: its keys sign until they end.
    """

    def __init__(self, file: Path, *, clock: Callable[[], int] | None = None) -> None:
        """Raises ConfigError for a file that can't be used, or has no key that signs now."""
        self._file = file.absolute()
        self._clock = clock or _now_ms
        self._stamp: object = None
        self._keys: Sequence[Key] = ()
        self._id = ""
        self._sign: Callable[[bytes], bytes] = _no_key
        self._look_again_at = 0.0
        self._read()
        self._choose()

    @property
    def id(self) -> str:
        """The key that signs now. Raises ConfigError where none is valid."""
        self._look()
        return self._id

    @property
    def ids(self) -> tuple[str, ...]:
        """The key that signs, and those that count beside it. Raises ConfigError where none signs now."""
        self._look()
        now = self._clock()
        counting = [key.id for key in self._keys if key.until_ms is None or now < key.until_ms]
        return (self._id, *(key for key in counting if key != self._id))

    def sign(self, purpose: bytes, body: bytes) -> bytes:
        """``<key id>.<base64url signature>`` of this body. Raises ConfigError where no key is valid."""
        self._look()
        signature = self._sign(message(purpose, body))
        return f"{self._id}.{signatures.to_text(signature)}".encode()

    def has_signed(self, purpose: bytes, body: bytes, seal: str) -> bool:
        """Whether this is what :meth:`sign` gave for the body, by one of the keys that are there now."""
        by, _, signature = seal.partition(".")
        if not any(key.id == by for key in self._keys):
            self._look_again_at = 0.0  # another worker has seen before this one that the file was rotated
        self._look()
        for key in self._keys:
            if key.id == by:
                try:
                    said = signatures.from_text(signature)
                except ValueError:
                    return False
                return signatures.verifier(key.public)(said, message(purpose, body))
        return False

    def _look(self) -> None:
        now = monotonic()
        if now < self._look_again_at:
            return
        self._look_again_at = now + LOOK_SECONDS
        try:
            self._read()
        except ConfigError:
            log.exception("the signing keys stay as they were")
        self._choose()

    def _read(self) -> None:
        try:
            about = self._file.stat()
        except OSError as error:
            raise ConfigError(
                f"{self._file} can't be read ({error.strerror}): guardtier keys new makes it",
                field="signing_key_file",
            ) from error
        stamp = (about.st_mtime_ns, about.st_size, about.st_ino, about.st_mode, about.st_uid)
        if stamp != self._stamp:
            self._stamp = stamp  # also of a file that is wrong: it is told once
            self._keys = read_private(self._file)

    def _choose(self) -> None:
        """The newest of those that are valid now."""
        now = self._clock()
        valid = [key for key in self._keys if key.signs_at(now)]
        if not valid:
            self._look_again_at = 0.0
            self._id, self._sign = "", _no_key
            raise ConfigError(
                f"no key in {self._file} is valid now: guardtier keys rotate adds one",
                field="signing_key_file",
            )
        newest = max(valid, key=lambda key: (key.since_ms, key.id))
        if newest.id != self._id and newest.private is not None:
            self._sign = signatures.signer(newest.private.get_secret_value())
            self._id = newest.id


class Sealer:
    """Makes the bytes of a verdict: signed, and where it allows a run, with the time that it is good for.

    ``released_ms``: a release is used at once. ``approved_ms``: an approval may be redeemed much later,
    so by default it is good for as long as its record is kept.
    """

    def __init__(
        self, keys: SigningKeys, *, released_ms: int = RELEASED_MS, approved_ms: int = APPROVED_MS
    ) -> None:
        self.keys = keys
        self._good_for = {Outcome.RELEASED: released_ms, Outcome.APPROVED: approved_ms}

    def __call__(self, verdict: Verdict) -> bytes:
        """The sealed JSON. Raises ConfigError where no key is valid: then nothing is decided."""
        if verdict.seal or verdict.valid_until is not None:
            raise ValueError(f"the verdict on {verdict.id} is sealed already")
        body = verdict.to_json()
        good_for = self._good_for.get(verdict.outcome)
        if good_for is not None:
            body = b'%b,"valid_until":%d}' % (body[:-1], verdict.decided_at + good_for)
        return b'%b,"seal":"%b"}' % (body[:-1], self.keys.sign(VERDICT, body))


def _no_key(_message: bytes) -> bytes:
    raise ConfigError("no signing key is valid", field="signing_key_file")


def _now_ms() -> int:
    return int(time() * 1000)
