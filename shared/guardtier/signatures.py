"""Ed25519 (RFC 8032), as libsodium has it, by PyNaCl: the only module that knows which library signs.

It is loaded where a key is first made or read: an agent without keys does without the library.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from guardtier.errors import ConfigError

SIGNATURE_BYTES = 64
SIGNATURE_LENGTH = 86  #: characters of a signature in base64url without padding

#: 86 characters have 4 bits to spare: only these ends are canonical, so no signature has two spellings.
SIGNATURE = r"[A-Za-z0-9_-]{85}[AQgw]"
KEY = r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]"


def key_id(public: str) -> str:
    """The first 16 hex digits of the SHA-256 of a public key (base64url)."""
    return sha256(from_text(public)).hexdigest()[:16]


def new_private() -> str:
    """A new private key: 32 random bytes, as text."""
    return to_text(bytes(_signing().SigningKey.generate()))


def public_of(private: str) -> str:
    """The public key of a private one. Raises ValueError for what is none."""
    return to_text(bytes(_signing().SigningKey(from_text(private)).verify_key))


def signer(private: str) -> Callable[[bytes], bytes]:
    """What signs with this key: message → 64 bytes. The same message has the same signature.

    Raises ValueError for what is no private key.
    """
    sign = _signing().SigningKey(from_text(private)).sign
    return lambda message: bytes(sign(message)[:SIGNATURE_BYTES])


def verifier(public: str) -> Callable[[bytes, bytes], bool]:
    """What says whether a signature (64 bytes) of a message is by this key.

    Beyond RFC 8032, libsodium takes no key or signature of small order, by which one signature could fit
    several messages. Raises ValueError for what can't be a key.
    """
    signing = _signing()
    from nacl.exceptions import BadSignatureError

    verify = signing.VerifyKey(from_text(public)).verify

    def is_by_it(signature: bytes, message: bytes) -> bool:
        try:
            verify(message, signature)
        except (BadSignatureError, ValueError):  # a ValueError: its length
            return False
        return True

    return is_by_it


def to_text(raw: bytes) -> str:
    """base64url without padding."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def from_text(text: str | bytes) -> bytes:
    """The bytes of base64url without padding; its alphabet and end are the caller's to check."""
    raw = text.encode() if isinstance(text, str) else text
    return urlsafe_b64decode(raw + b"=" * (-len(raw) % 4))


def _signing() -> Any:
    """The library's module. Raises ConfigError where it is missing."""
    try:
        from nacl import signing
    except ImportError as error:
        raise ConfigError(
            "signed verdicts need the library PyNaCl: pip install 'guardtier[signed]'", field="verdict_keys"
        ) from error
    return signing
