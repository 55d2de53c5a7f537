"""The answers stream: whatever stands there, it is refused, acknowledged, and costs no worker anything."""

from __future__ import annotations

import pytest

from guardtier.store.keys import Keys
from tier import Tier

KEYS = Keys(0)
OPS = [
    b"configure",
    b"configure_file",
    b"look",
    b"retry",
    b"halt",
    b"resume",
    b"edit",
    b"grants",
    b"revoke",
    b"\xff",
]
REQUESTS = {
    "nothing": b"",
    "no object": b"[]",
    "a nested name": b'{"approver":' + b"[" * 1000 + b"]" * 1000 + b"}",
    "nested objects": b'{"a":' * 1000 + b"1" + b"}" * 1000,
    "a hundred thousand brackets": b"[" * 100_000,
    "half a character": b'{"approver":"\\ud800","id":"\\udfff"}',
    "no number": b'{"at":NaN}',
    "a large number": b'{"at":' + b"9" * 5000 + b"}",
    "a key twice": b'{"id":"a.0","id":"b.0"}',
    "no UTF-8": b"\xff\xfe",
    "a null": b'{"approver":null,"id":null,"client":null}',
}


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
async def test_no_request_can_not_be_refused(tier: Tier, request_: bytes) -> None:
    sent = []
    for op in OPS:
        fields = {"op": op, "id": "a.0", "client": "forger", "request": request_, "proof": "0" * 64}
        sent.append((await tier.redis.xadd(KEYS.answers, fields)).decode())

    await tier.idle()

    lines = {line["entry"]: line["event"] for line in await tier.audit() if "entry" in line}
    assert sorted(lines) == sorted(sent), "each once; they are in work at the same time"
    assert all(event.endswith("_refused") for event in lines.values())


async def test_an_audit_line_is_not_named_by_who_forges(tier: Tier) -> None:
    entry = await tier.redis.xadd(KEYS.answers, {"op": "configured\nx", "id": "a.0", "client": "forger"})

    await tier.idle()

    (line,) = [found for found in await tier.audit() if found.get("entry") == entry.decode()]
    assert line["event"] == "answer_refused"
