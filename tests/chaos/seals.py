"""Seals: whether every verdict is signed by a key that counted, and none that agents should believe was
refused. Verified by OpenSSL; the tier signs by libsodium.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Iterator, Mapping
from functools import cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit_model import ENTRY
from chaos.history import Call, History
from chaos.reading import Line, Written
from chaos.violation import Violation

PURPOSE = b"guardtier.verdict.1\0"
SEAL = re.compile(r'^(.*),"seal":"([0-9a-f]{16})\.([A-Za-z0-9_-]{86})"\}$', re.DOTALL)
#: What a client raises instead of a verdict that it does not believe.
DISBELIEVED = frozenset({"bad_signature", "unknown_key", "stale_verdict", "digest_mismatch"})
DECIDED = frozenset({"released", "approved", "rejected", "expired"})
LEEWAY_MS = 60_000  #: that clocks may differ
LOOK_SECONDS = 2.5  #: behind a revocation workers and agents look at their file each second; a slow machine


def check_seals(written: Written, history: History) -> Iterator[Violation]:
    """Every record's verdict, and every call that was told one. Nothing where the tier signs nothing."""
    decided = {line["id"]: int(line[ENTRY].partition("-")[0]) for line in _decisions(written)}
    for call in history:
        if call.error in DISBELIEVED and not _rightly(call, written, history, decided):
            yield Violation("verdict-refused", call.id, f"{call.who} was told {call.error}: {call.detail}")
    if not written.keys:
        return
    signed_by: dict[str, str] = {}
    for action_id, record in written.records.items():
        if not (raw := record.get("verdict")):
            continue
        found = SEAL.match(raw)
        if found is None:
            yield Violation("unsealed", action_id, raw[-100:])
        elif not _is_by(written.keys.get(found[2]), found[1] + "}", found[3]):
            yield Violation("another-seal", action_id, f"key {found[2]} has not signed it")
        else:
            signed_by[action_id] = found[2]
    yield from _revoked(written, history, signed_by)


def _rightly(call: Call, written: Written, history: History, decided: Mapping[str, int]) -> bool:
    """By a key that was revoked; or dated otherwise than Redis has it, by a worker whose clock is wrong."""
    if call.error == "unknown_key":
        return call.limit in history.revoked
    raw = written.records.get(call.id, {}).get("verdict")
    if call.error != "stale_verdict" or not raw or call.id not in decided:
        return False
    return bool(abs(json.loads(raw)["decided_at"] - decided[call.id]) > LEEWAY_MS)


def _decisions(written: Written) -> Iterator[Line]:
    for lines in written.lines.values():
        yield from (line for line in lines if line["event"] in DECIDED)


def _revoked(written: Written, history: History, signed_by: dict[str, str]) -> Iterator[Violation]:
    for line in _decisions(written):
        gone = history.revoked.get(signed_by.get(line["id"], ""))
        if gone is not None and int(line[ENTRY].partition("-")[0]) > gone.at_ms + LOOK_SECONDS * 1000:
            yield Violation(
                "sealed-revoked", line["id"], f"{line['event']} by a key that was revoked before"
            )
    for call in history:
        gone = history.revoked.get(signed_by.get(call.id, ""))
        if call.ran and gone is not None and call.asked_at > gone.at + LOOK_SECONDS:
            yield Violation("ran-revoked", call.id, "its tool ran by a key that was revoked before")


@cache
def _is_by(public: bytes | None, body: str, signature: str) -> bool:
    if public is None:
        return False
    try:
        _key(public).verify(urlsafe_b64decode(signature + "=="), PURPOSE + body.encode())
    except InvalidSignature:
        return False
    return True


@cache
def _key(public: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(public)
