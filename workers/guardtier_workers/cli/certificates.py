"""Certificates: from when until when each one in a PEM file holds, without a library for it."""

from __future__ import annotations

import re
import ssl
from datetime import UTC, datetime

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_VERSION, _UTC_TIME, _TIME = 0xA0, 0x17, 0x18
_LONG = 0x80  #: a length that takes more bytes than its own


def validity_of(pem: str) -> list[tuple[datetime, datetime]]:
    """Beginning and end of each certificate, in the order in which they stand. Raises ValueError."""
    found = _PEM.findall(pem)
    if not found:
        raise ValueError("there is no certificate in it")
    try:
        return [_validity(ssl.PEM_cert_to_DER_cert(one)) for one in found]
    except (IndexError, UnicodeDecodeError) as error:
        raise ValueError("a certificate in it is cut off, or is none") from error


def _validity(der: bytes) -> tuple[datetime, datetime]:
    """RFC 5280, 4.1: the fourth part behind the version, which may be left out."""
    _, at, _ = _part(der, 0)  # the certificate
    _, at, _ = _part(der, at)  # what is signed of it
    tag, _, end = _part(der, at)
    for _ in range(4 if tag == _VERSION else 3):  # version, number, algorithm, issuer
        _, _, end = _part(der, at)
        at = end
    _, first, _ = _part(der, at)
    _, _, second = _part(der, first)
    return _time(der, first), _time(der, second)


def _part(der: bytes, at: int) -> tuple[int, int, int]:
    """Tag, and where what it holds begins and ends."""
    tag, length, begin = der[at], der[at + 1], at + 2
    if length & _LONG:
        size = length ^ _LONG
        length, begin = int.from_bytes(der[begin : begin + size], "big"), begin + size
    if begin + length > len(der):
        raise IndexError
    return tag, begin, begin + length


def _time(der: bytes, at: int) -> datetime:
    tag, begin, end = _part(der, at)
    text = der[begin:end].decode("ascii")
    if tag == _UTC_TIME:
        text = ("20" if text < "50" else "19") + text
    elif tag != _TIME:
        raise ValueError(f"a time in it has the tag {tag}")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
