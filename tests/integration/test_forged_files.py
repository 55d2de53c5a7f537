"""Who may set the policy file: forged and replayed requests change nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import time
from typing import Any

import orjson
import pytest

from guardtier.answer import key_of
from guardtier.errors import GuardtierError, InvalidAnswer, NotAuthorized, WrongState
from guardtier.policy.standing import NONE, FileRequest, digest_of_file
from guardtier.store.keys import Keys
from tier import StartTier, Tier
from waiting import until

KEYS = Keys(0)
MINUTES = 60_000
TEXT = b"version = 1\n"
Fields = dict[str, Any]


def request(tier: Tier, text: bytes | None = TEXT, **changes: Any) -> Fields:
    """A genuine request's entry."""
    said = FileRequest(
        **{
            "id": "r1.0",
            "client": "forger",
            "approver": "olga",
            "digest": digest_of_file(text) if text is not None else None,
            "replaces": NONE,
            "at": int(time() * 1000),
        }
        | changes
    )
    return said.with_text(said.proof(key_of(tier.token_of("olga"))), text or b"")


async def send(tier: Tier, fields: Fields) -> GuardtierError | None:
    entry = await tier.redis.xadd(KEYS.answers, fields)

    async def told() -> dict[bytes, bytes] | None:
        for _, said in await tier.redis.xrange(KEYS.told("forger")):
            if said.get(b"entry") == entry:
                return dict(said)
        return None

    said = dict(await until(told))
    return GuardtierError.from_json(said[b"error"]) if b"error" in said else None


def with_request(fields: Fields, **changes: Any) -> Fields:
    return fields | {"request": orjson.dumps(orjson.loads(fields["request"]) | changes)}


#: What is done to a genuine request before it is sent, and how it is refused.
FORGERIES: dict[str, tuple[Callable[[Fields], Fields], type[GuardtierError]]] = {
    "no proof": (lambda f: {k: v for k, v in f.items() if k != "proof"}, NotAuthorized),
    "a made-up proof": (lambda f: f | {"proof": "0" * 64}, NotAuthorized),
    "another text": (lambda f: f | {"text": b"version = 1\n# mine"}, InvalidAnswer),
    "no text": (lambda f: {k: v for k, v in f.items() if k != "text"}, InvalidAnswer),
    "a text that is too long": (lambda f: f | {"text": b"#" * 300_000}, InvalidAnswer),
    "another text and its digest": (
        lambda f: with_request(f, digest=digest_of_file(b"#")) | {"text": b"#"},
        NotAuthorized,
    ),
    "a reset": (lambda f: with_request(f, digest=None) | {"text": b""}, NotAuthorized),
    "another state": (lambda f: with_request(f, replaces="0" * 64), NotAuthorized),
    "another name": (lambda f: with_request(f, approver="alice"), NotAuthorized),
    "another id": (lambda f: f | {"id": "r2.0"}, InvalidAnswer),
    "a fleet's request": (lambda f: f | {"op": "configure"}, InvalidAnswer),
    "a field too much": (lambda f: with_request(f, sudo=1), InvalidAnswer),
    "no JSON": (lambda f: f | {"request": b"{"}, InvalidAnswer),
}


@pytest.mark.parametrize("how", FORGERIES)
async def test_a_forged_request_is_refused_told_and_audited(tier: Tier, how: str) -> None:
    tier.operator(), tier.approver("alice")
    forge, kind = FORGERIES[how]

    error = await send(tier, forge(request(tier)))

    assert type(error) is kind
    assert await tier.redis.hgetall(KEYS.policies) == {}
    assert "configure_refused" in [line["event"] for line in await tier.audit()]


async def test_a_text_that_is_no_utf_8_is_refused(tier: Tier) -> None:
    tier.operator()

    assert isinstance(await send(tier, request(tier, b"\xff\xfe")), InvalidAnswer)


@pytest.mark.parametrize("off", [-11 * MINUTES, 11 * MINUTES])
async def test_an_old_request_is_refused(tier: Tier, off: int) -> None:
    tier.operator()

    error = await send(tier, request(tier, at=int(time() * 1000) + off))

    assert isinstance(error, NotAuthorized)


async def test_a_request_for_another_partition_is_refused(tier: Tier) -> None:
    tier.operator()

    assert isinstance(await send(tier, request(tier, id="r1.1")), InvalidAnswer)


async def test_a_replayed_request_changes_nothing(tier: Tier) -> None:
    operator = tier.operator()
    fields = request(tier)
    assert await send(tier, fields) is None
    assert await send(tier, fields) is None  # a client's own second try: it is told once more
    await operator.set_policy_file("version = 1\n# another\n")

    replayed = await send(tier, fields)

    assert isinstance(replayed, WrongState)
    (found,) = await operator.policy_file()
    assert found.standing is not None
    assert found.standing.version == 2
    assert [line["event"] for line in await tier.audit()].count("configured") == 2


async def test_what_counts_already_is_told_again_though_it_would_be_refused_now(tier: Tier) -> None:
    """The worker died before it had told: the people who were there then may be gone."""
    tier.operator(), tier.approver("alice")
    fields = request(tier, b"version = 1\n[fleet.web.terms]\napprove = 2\n")
    assert await send(tier, fields) is None
    tier.forget("alice")

    assert await send(tier, fields) is None


async def test_of_two_who_saw_the_same_one_is_told_that_it_changed(start_tier: StartTier) -> None:
    tier = await start_tier(policies=2)
    tier.operator()
    entries = [request(tier, b"version = 1\n# %d" % n, id=f"r{n}.0") for n in range(2)]

    errors = await asyncio.gather(*(send(tier, fields) for fields in entries))

    assert sorted(type(error).__name__ for error in errors) == ["NoneType", "WrongState"]
