"""Nothing takes effect that could not be written down: a script whose audit line fails changes nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from redis.exceptions import ResponseError

from desk import Desk
from guardtier import ActionEvent

LAST = "18446744073709551615-18446744073709551615"
Step = Callable[[Desk, ActionEvent], Awaitable[object]]


async def assess(desk: Desk, action: ActionEvent) -> object:
    return await desk.assess(action)


async def decide(desk: Desk, action: ActionEvent, outcome: str) -> object:
    return await desk.decide(action, outcome)


async def resolve(desk: Desk, action: ActionEvent, outcome: str) -> object:
    return await desk.resolve(action, outcome)


async def redeem(desk: Desk, action: ActionEvent) -> object:
    return await desk.redeem(action)


STEPS: dict[str, tuple[Step, ...]] = {
    "assess": (assess,),
    "release": (assess, lambda desk, action: decide(desk, action, "released")),
    "park": (assess, lambda desk, action: decide(desk, action, "parked")),
    "approve": (
        assess,
        lambda desk, action: decide(desk, action, "parked"),
        lambda desk, action: resolve(desk, action, "approved"),
    ),
    "redeem": (
        assess,
        lambda desk, action: decide(desk, action, "parked"),
        lambda desk, action: resolve(desk, action, "approved"),
        redeem,
    ),
}


async def everything(desk: Desk) -> dict[bytes, bytes | None]:
    """All that is there, but for who was handed what."""
    kept = {}
    for key in sorted(await desk.redis.keys("gt:*")):
        kind = await desk.redis.type(key)
        if kind == b"stream":
            kept[key] = repr(await desk.redis.xrange(key)).encode()
        elif kind == b"hash":
            kept[key] = repr(sorted((await desk.redis.hgetall(key)).items())).encode()
        else:
            kept[key] = await desk.redis.dump(key)
    return kept


@pytest.mark.parametrize("how", ["used up", "of another type"])
@pytest.mark.parametrize("name", STEPS)
async def test_what_cannot_be_audited_changes_nothing(desk: Desk, name: str, how: str) -> None:
    *before, last = STEPS[name]
    action = desk.action()
    for step in before:
        await step(desk, action)
    if how == "used up":
        await desk.redis.xadd(desk.keys.audit, {"x": "y"}, id=LAST)
    else:
        await desk.redis.delete(desk.keys.audit)
        await desk.redis.rpush(desk.keys.audit, "x")
    stood = await everything(desk)

    with pytest.raises(ResponseError):
        await last(desk, action)

    stands = await everything(desk)
    changed = {key for key in stood | stands if stood.get(key) != stands.get(key)}
    # the request itself is there now
    assert changed <= {desk.keys.actions("web").encode(), desk.keys.answers.encode()}
