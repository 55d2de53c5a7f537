"""Who may halt and resume: forged, replayed and unentitled requests change nothing."""

from __future__ import annotations

from collections.abc import Callable
from time import time
from typing import Any

import orjson
import pytest

from guardtier.answer import key_of
from guardtier.errors import GuardtierError, InvalidAnswer, NotAuthorized
from guardtier.policy import NeverConfirm
from guardtier.policy.halts import HaltRequest, ResumeRequest, Scope
from guardtier.policy.request import SignedRequest
from guardtier.store.keys import Keys
from guardtier_workers.approvers import Right
from tier import StartTier, Tier, high
from waiting import until

KEYS = Keys(0)
MINUTES = 60_000
Fields = dict[str, Any]


async def test_who_may_only_answer_may_not_halt(tier: Tier) -> None:
    with pytest.raises(NotAuthorized, match='"halt"') as told:
        await tier.approver().halt("web", reason="stop")

    assert told.value.field == "may"
    assert await tier.redis.exists(KEYS.halts) == 0
    lines = [line for line in await tier.audit() if line["event"] == "halt_refused"]
    assert [line["by"] for line in lines] == ["alice"]


async def test_the_right_to_halt_is_no_right_to_set_policies_or_to_answer(tier: Tier) -> None:
    parked = await tier.client().submit(high())
    hana = tier.approver("hana", may=[Right.HALT])

    (report,) = await hana.halt("web", reason="stop")

    assert report.halt.by == "hana"
    with pytest.raises(NotAuthorized):
        await hana.set_policy("web", NeverConfirm())
    with pytest.raises(NotAuthorized):
        await hana.approve(parked.id)
    assert len(await hana.resume("web")) == 1


async def test_nobody_halts_or_resumes_another_fleet(start_tier: StartTier) -> None:
    tier = await start_tier(fleets={"web": {}, "ops": {}})
    await tier.operator().halt("web", reason="stop")
    other = tier.operator("otto", fleets=["ops"])

    for ask in (other.halt("web", reason="mine"), other.resume("web")):
        with pytest.raises(NotAuthorized):
            await ask

    assert [found.halt.reason for found in await other.halts()] == ["stop"]


async def test_a_made_up_token_neither_halts_nor_resumes(tier: Tier) -> None:
    await tier.operator().halt("web", reason="stop")

    for ask in (tier.impostor("olga").halt("web", reason="mine"), tier.impostor("olga").resume("web")):
        with pytest.raises(NotAuthorized, match="does not prove"):
            await ask


def signed(tier: Tier, kind: type[SignedRequest] = HaltRequest, **changes: Any) -> Fields:
    """A genuine request's entry."""
    said = {
        "id": "r1.0",
        "client": "forger",
        "approver": "olga",
        "scope": Scope(fleet="web"),
        "at": int(time() * 1000),
    }
    own = {"reason": "stop"} if kind is HaltRequest else {"lifts": "0" * 64}
    made = kind(**said | own | changes)
    return made.to_fields(made.proof(key_of(tier.token_of("olga"))))


async def send(tier: Tier, fields: Fields) -> GuardtierError | None:
    entry = await tier.redis.xadd(KEYS.answers, fields)

    async def found() -> dict[bytes, bytes] | None:
        told = await tier.redis.xrange(KEYS.told("forger"))
        return next((fields for _, fields in told if fields.get(b"entry") == entry), None)

    said = await until(found)
    return GuardtierError.from_json(said[b"error"]) if b"error" in said else None


def changed(fields: Fields, **changes: Any) -> Fields:
    return fields | {"request": orjson.dumps(orjson.loads(fields["request"]) | changes)}


FORGERIES: dict[str, tuple[Callable[[Fields], Fields], type[GuardtierError]]] = {
    "no proof": (lambda f: {k: v for k, v in f.items() if k != "proof"}, NotAuthorized),
    "a made-up proof": (lambda f: f | {"proof": "0" * 64}, NotAuthorized),
    "another fleet": (lambda f: changed(f, scope={"fleet": "ops"}), NotAuthorized),
    "another reason": (lambda f: changed(f, reason="mine"), NotAuthorized),
    "another time": (lambda f: changed(f, at=1), NotAuthorized),
    "another name": (lambda f: changed(f, approver="alice"), NotAuthorized),
    "another op": (lambda f: f | {"op": "resume"}, InvalidAnswer),
    "another id": (lambda f: f | {"id": "r2.0"}, InvalidAnswer),
    "a conversation of nobody": (
        lambda f: changed(f, scope={"fleet": "web", "conversation": "c"}),
        InvalidAnswer,
    ),
    "two words": (lambda f: changed(f, scope={"fleet": "web", "agent": "a b"}), InvalidAnswer),
    "a field too much": (lambda f: changed(f, sudo=1), InvalidAnswer),
    "no JSON": (lambda f: f | {"request": b"{"}, InvalidAnswer),
}


@pytest.mark.parametrize("how", FORGERIES)
async def test_a_forged_request_is_refused_told_and_audited(tier: Tier, how: str) -> None:
    tier.operator(), tier.approver("alice")
    forge, kind = FORGERIES[how]

    error = await send(tier, forge(signed(tier)))

    assert type(error) is kind
    assert await tier.redis.exists(KEYS.halts) == 0
    assert any(line["event"].endswith("_refused") for line in await tier.audit())


@pytest.mark.parametrize("off", [-11 * MINUTES, 11 * MINUTES])
async def test_an_old_request_is_refused(tier: Tier, off: int) -> None:
    tier.operator()

    for kind in (HaltRequest, ResumeRequest):
        error = await send(tier, signed(tier, kind, at=int(time() * 1000) + off))
        assert isinstance(error, NotAuthorized)
        assert error.field == "at"


async def test_a_request_for_another_partition_is_refused(tier: Tier) -> None:
    tier.operator()

    assert isinstance(await send(tier, signed(tier, id="r1.1")), InvalidAnswer)


async def test_a_halt_that_is_sent_once_more_after_its_resume_does_not_halt_again(tier: Tier) -> None:
    olga = tier.operator()
    fields = signed(tier)
    assert await send(tier, fields) is None
    await olga.resume("web")

    assert await send(tier, fields) is None  # it is only told again

    assert await olga.halts() == []
    assert [line["event"] for line in await tier.audit()].count("halted") == 1
