"""Vouching: a console signs for those who proved themselves to it, and for nobody else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from guardtier import ApproverClient, State
from guardtier.answer import key_of
from guardtier.errors import GuardtierError, NotAuthorized, UnknownAction
from guardtier.policy import NeverConfirm
from guardtier.policy.grants import Remember, grant_id
from guardtier.policy.tally import Counted
from guardtier.policy.terms import Terms
from guardtier.signer import Signer
from guardtier.store.keys import Keys
from guardtier_workers import approvers
from guardtier_workers.approvers import Right
from guardtier_workers.cli.state import OPERATES
from tier import StartTier, Tier, high
from waiting import until

SUBJECT = "https://id.example 1234"
Asks = Callable[[ApproverClient, str], Awaitable[Any]]

#: Every request that an approver can sign.
ASKS: dict[str, Asks] = {
    "me": lambda who, _: who.me(),
    "one": lambda who, action: who.get(action),
    "page": lambda who, _: who.pending(),
    "count": lambda who, _: who.count(),
    "whose": lambda who, _: who.whose(SUBJECT),
    "edit": lambda who, action: who.edit(action, {"command": "ls"}, digest="0" * 64),
    "approve": lambda who, action: who.approve(action, digest="0" * 64),
    "reject": lambda who, action: who.reject(action, digest="0" * 64, reason="no"),
    "policy": lambda who, _: who.set_policy("web", NeverConfirm()),
    "file": lambda who, _: who.set_policy_file("version = 1"),
    "halt": lambda who, _: who.halt("web", reason="stop"),
    "resume": lambda who, _: who.resume("ops"),
    "grants": lambda who, _: who.grants("web"),
    "revoke": lambda who, action: who.revoke_grant("web", grant_id(action)),
}


class House:
    """A tier with a console that vouches for Sam, who has no token, and others of other kinds."""

    def __init__(self, tier: Tier) -> None:
        self.tier = tier
        tier.approver("console", may=[Right.VOUCH])
        tier.approver("stranger", may=[Right.VOUCH])
        tier.approver("alice", may=OPERATES)
        file = tier._approvers_file
        by = {"may": OPERATES, "with_token": False}
        assert approvers.add(file, "sam", subject=SUBJECT, vouched_by=["console"], **by) == ""
        assert approvers.add(file, "max", vouched_by=["alice", "max"], **by) == ""

    def key(self, name: str) -> bytes:
        return key_of(self.tier.token_of(name))

    def as_signed(self, name: str, key: bytes, voucher: str = "") -> ApproverClient:
        return self.tier.approver("alice").acting(Signer(name, key, voucher))

    @property
    def sam(self) -> ApproverClient:
        return self.as_signed("sam", self.key("console"), "console")


@pytest.fixture
async def house(start_tier: StartTier) -> House:
    return House(await start_tier(fleets={"web": {}, "ops": {}}))


async def parked(tier: Tier) -> str:
    return (await tier.client(accept_edits=True).submit(high())).id


async def test_who_is_vouched_for_does_what_is_theirs(house: House) -> None:
    tier, sam = house.tier, house.sam
    first, second, third = await parked(tier), await parked(tier), await parked(tier)

    assert (await sam.me()).name == "sam"
    assert {record.id for record in await sam.pending()} == {first, second, third}
    assert (await sam.approve(first)).decided_by == ("sam",)
    assert (await sam.reject(second, reason="no")).reason == "no"
    assert (await sam.edit(third, {"command": "ls"})).edited_from
    await sam.halt("web", reason="stop")
    await sam.resume("web")
    await sam.set_policy("web", NeverConfirm())
    await sam.set_policy_file("version = 1")
    assert await sam.grants("web") == []


#: Whose name stands there, whose key signs it, and who is said to vouch; "": nobody.
FORGERS: dict[str, Callable[[House], ApproverClient]] = {
    "a console that is not listed": lambda h: h.as_signed("sam", h.key("stranger"), "stranger"),
    "under the listed one's name": lambda h: h.as_signed("sam", h.key("stranger"), "console"),
    "one that nobody knows": lambda h: h.as_signed("sam", key_of("made-up"), "nobody"),
    "a made-up key": lambda h: h.as_signed("sam", key_of("made-up"), "console"),
    "no key": lambda h: h.as_signed("sam", b"", "console"),
    "an approver who may not vouch": lambda h: h.as_signed("max", h.key("alice"), "alice"),
    "themselves, without a key": lambda h: h.as_signed("max", b"", "max"),
    "nobody, without a key": lambda h: h.as_signed("max", b""),
    "nobody, with the console's key": lambda h: h.as_signed("sam", h.key("console")),
    "for somebody who lists nobody": lambda h: h.as_signed("alice", h.key("console"), "console"),
    "with their own key": lambda h: h.as_signed("alice", h.key("alice"), "console"),
    "for itself": lambda h: h.as_signed("console", h.key("console"), "console"),
    "for another console": lambda h: h.as_signed("stranger", h.key("console"), "console"),
    "two of them": lambda h: h.as_signed("sam", h.key("console"), "stranger:console"),
}


@pytest.mark.parametrize("asked", ASKS)
async def test_nobody_else_is_taken_for_them(house: House, asked: str) -> None:
    action = await parked(house.tier)
    await house.tier.approver("alice").halt("ops", reason="wait")
    before = len([line for line in await house.tier.audit() if line["event"].endswith("_refused")])

    for how, forge in FORGERS.items():
        with pytest.raises(NotAuthorized, match="does not prove") as caught:
            await ASKS[asked](forge(house), action)
        assert caught.value.field == "approver", how

    lines = [line for line in await house.tier.audit() if line["event"].endswith("_refused")]
    assert len(lines) - before >= len(FORGERS)
    assert (await house.tier.record(action)).state is State.PARKED


async def test_a_console_itself_may_do_nothing(house: House) -> None:
    action = await parked(house.tier)
    await house.tier.approver("alice").halt("ops", reason="wait")
    itself = house.as_signed("console", house.key("console"))

    assert (await itself.pending(), await itself.count()) == ([], 0)
    for asked in ASKS.keys() - {"me", "page", "count", "whose"}:
        with pytest.raises((NotAuthorized, UnknownAction)):
            await ASKS[asked](itself, action)
    assert (await house.tier.record(action)).state is State.PARKED


async def test_only_their_console_is_told_whose_a_subject_is(house: House) -> None:
    console = house.as_signed("console", house.key("console"))

    assert (await console.whose(SUBJECT)).name == "sam"
    for who, subject in (
        (house.as_signed("stranger", house.key("stranger")), SUBJECT),
        (house.as_signed("alice", house.key("alice")), SUBJECT),
        (house.sam, SUBJECT),
        (console, SUBJECT + "5"),
        (console, "https://id.example"),
        (console, ""),
    ):
        with pytest.raises(NotAuthorized):
            await who.whose(subject)


async def test_what_ends_the_vouching_ends_it_at_once(house: House) -> None:
    action, sam = await parked(house.tier), house.sam
    await sam.me()

    house.tier.forget("console")

    with pytest.raises(NotAuthorized):
        await sam.approve(action)


async def test_what_a_console_said_counts_no_more_once_it_may_not_vouch(house: House) -> None:
    """Whoever has stolen its token may have said it: it must not wait to decide with the next one."""
    tier = house.tier
    action_id = await parked(tier)
    await tier.redis.hset(Keys(0).action(action_id), "terms", Terms(approve=2).to_json())
    assert isinstance(await house.sam.approve(action_id), Counted)
    tier.fire("console")

    came = await tier.approver("alice").approve(action_id)

    assert isinstance(came, Counted)
    assert came.approved_by == ("alice",)
    assert (await tier.record(action_id)).state is State.PARKED


async def test_what_a_console_had_remembered_releases_nothing_once_it_may_not_vouch(house: House) -> None:
    tier = house.tier
    first = await tier.client().submit(high("git push"))
    await house.sam.approve(first.id, remember=Remember(pattern="exact", scope="agent"))
    await until(lambda: house.sam.grants("web"))
    assert (await tier.client().submit(high("git push"))).state is State.RELEASED
    tier.fire("console")

    assert (await tier.client().submit(high("git push"))).is_waiting


async def test_a_viewer_sees_and_does_nothing(house: House) -> None:
    tier = house.tier
    action = await parked(tier)
    await tier.approver("alice").halt("ops", reason="wait")
    file = tier._approvers_file
    approvers.add(file, "vic", may=[Right.SEE], vouched_by=["console"], with_token=False)
    viewers = (
        tier.approver("viv", may=[Right.SEE]),
        house.as_signed("vic", house.key("console"), "console"),
    )
    sees = {"me", "one", "page", "count", "grants"}

    for viewer in viewers:
        for asked in sees:
            await ASKS[asked](viewer, action)
        for asked in ASKS.keys() - sees:
            with pytest.raises(NotAuthorized):
                await ASKS[asked](viewer, action)

    assert (await tier.record(action)).state is State.PARKED


async def test_a_viewer_of_one_fleet_sees_that_one(house: House) -> None:
    action = await parked(house.tier)
    viewer = house.tier.approver("viv", ["ops"], [Right.SEE])

    assert (await viewer.pending(), await viewer.count()) == ([], 0)
    for asked in ("one", "grants"):
        with pytest.raises(GuardtierError):
            await ASKS[asked](viewer, action)
