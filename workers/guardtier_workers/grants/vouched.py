"""Vouched: a grant on its way through the outbox, proved to be one that a policy worker drafted.

A steward's credential may write there too, and what stands there would release actions. The proof is an
HMAC by the key of an approver who gave the grant (or of a console that vouched for them), which only the
approvers file has.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator
from hashlib import sha256

from guardtier.errors import NotAuthorized
from guardtier.policy.grants import Grant
from guardtier.signer import BY
from guardtier_workers.approvers import Approvers

_PURPOSE = b"guardtier.granted.1\0"
_PROOF = re.compile(rb',"proof":"([0-9a-f]{64})"\}')
_LENGTH = len(',"proof":""}') + 64


def vouched(grant: Grant, approvers: Approvers) -> bytes:
    """The grant as the outbox has it. Raises NotAuthorized where none of its givers has a key any more."""
    body = grant.to_json()
    for key in _keys(grant, approvers):
        return b'%b,"proof":"%b"}' % (body[:-1], _proof(key, body).encode())
    raise NotAuthorized(f"{' '.join(grant.by)}: none of them can sign any more", field="approver")


def vouched_for(body: bytes, approvers: Approvers) -> bytes:
    """The grant (JSON) that :func:`vouched` made this of. Raises ValueError for what it did not make."""
    found = _PROOF.fullmatch(body, max(0, len(body) - _LENGTH))
    if found is None:
        raise ValueError("it has no proof")
    grant = body[: found.start()] + b"}"
    proof = found[1].decode()
    keys = _keys(Grant.from_json(grant), approvers)
    if not any(hmac.compare_digest(proof, _proof(key, grant)) for key in keys):
        raise ValueError("its proof is wrong")
    return grant


def _keys(grant: Grant, approvers: Approvers) -> Iterator[bytes]:
    for name in grant.by:
        approver = approvers.named(name)
        if approver is None:
            continue
        ways = ("", *sorted(approver.vouched_by))
        signers = (approvers.signed_by(approver, f"{way}{BY}" if way else "") for way in ways)
        yield from (bytes.fromhex(one.key) for one in signers if one is not None)


def _proof(key: bytes, grant: bytes) -> str:
    return hmac.new(key, _PURPOSE + grant, sha256).hexdigest()
