"""Bodies that are none, to each endpoint that takes one: told what is wrong, and nothing changes."""

from __future__ import annotations

import orjson

from consoles import Desk
from guardtier import State
from guardtier_workers.approvers import Right
from guardtier_workers.console.api.endpoint import PREFIX
from guardtier_workers.console.api.routes import ENDPOINTS
from hostile import TEXTS, Hostile
from tier import high

MAY = (Right.ANSWER, Right.CONFIGURE, Right.HALT, Right.SEE)
TAKES_A_BODY = [one for one in ENDPOINTS if one.body is not None]
GOOD = (
    {"choice": "approve", "digest": "a" * 64, "reason": "so"},
    {"fleet": "web", "reason": "so", "scope": "web", "lifts": "a" * 64},
    {"arguments": {"command": "ls"}, "digest": "a" * 64, "reason": "so"},
    {"text": "version = 1", "replaces": "", "reason": "so"},
)


def bodies() -> list[bytes]:
    made = Hostile(11)
    spoilt = [made.json(orjson.dumps(good)) for good in GOOD for _ in range(6)]
    return [*(text for text in TEXTS if len(text) < 10_000), *spoilt, b"[" * 100_000, b'{"a":' * 50_000]


async def test_a_body_that_is_none_is_told(console: Desk) -> None:
    action = high().placed_in(0)
    await console.tier.client().submit(action)
    browser = await console.browser("alice", may=MAY)
    names = {"id": action.id, "fleet": "web", "letter": "1-1.0"}

    for endpoint in TAKES_A_BODY:
        path = PREFIX + endpoint.path.format(**names)
        for content in bodies():
            answer = await browser.request(endpoint.method, path, content=content)

            assert 400 <= answer.status_code < 500, (path, content[:80], answer.text)
            assert answer.json()["message"]

    assert (await console.tier.record(action.id)).state is State.PARKED
    assert (await browser.get("/")).status_code == 200


async def test_a_name_in_a_path_ends_where_it_ends(console: Desk) -> None:
    browser = await console.browser()

    for name in ("a.0%0A", "a.0%00", "..%2f", "%F0%9F%92%A9", "a" * 500):
        answer = await browser.get(f"{PREFIX}/actions/{name}")

        assert answer.status_code in (400, 404, 422)
        assert answer.json()["message"]
