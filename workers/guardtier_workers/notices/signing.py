"""Signing: how a webhook's receiver can tell that a notice is the tier's, and new.

``Guardtier-Signature: t=<seconds since 1970>,v1=<hex>``: HMAC-SHA256, keyed with the channel's secret,
over the time, a point and the body as it was sent.
"""

from __future__ import annotations

import hmac
import re

SIGNATURE = "Guardtier-Signature"
DELIVERY = "Guardtier-Delivery"  #: the notice's id: the same for the same notice, however often it comes

_FORM = re.compile(r"t=(\d{1,12}),v1=([0-9a-f]{64})")


def signature(secret: str, body: bytes, at: int) -> str:
    """The header's value for a body that is sent at ``at``, seconds since 1970."""
    return f"t={at},v1={_mac(secret, body, at)}"


def is_signed(secret: str, header: str, body: bytes, now: float, *, tolerance: float = 300.0) -> bool:
    """Whether a receiver may believe this body: signed, ``tolerance`` seconds ago at most."""
    found = _FORM.fullmatch(header)
    if found is None:
        return False
    at = int(found[1])
    return hmac.compare_digest(found[2], _mac(secret, body, at)) and abs(now - at) <= tolerance


def _mac(secret: str, body: bytes, at: int) -> str:
    return hmac.digest(secret.encode(), b"%d." % at + body, "sha256").hex()
