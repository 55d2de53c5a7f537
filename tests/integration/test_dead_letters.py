"""Dead letters: what the outbox gave up is tried again by whom may; of all else it is said why not."""

from __future__ import annotations

from collections.abc import Callable
from time import time
from typing import Any

import pytest

from guardtier.answer import key_of
from guardtier.errors import ConfigError, NotAuthorized, UnknownDeadLetter, WrongState
from guardtier.policy.retry import RetryRequest
from guardtier.store.dead import KEPT, DeadLetter, DeadPage
from guardtier.store.keys import Keys
from guardtier_workers.approvers import Right
from tier import StartTier, Tier, high
from waiting import until

KEYS = Keys(0)
MINUTES = 60_000
HALT = '{"reason":"x","by":"guardtier.breaker","at":1,"scope":"web"}'  # spreads to no other partition here


async def bury(tier: Tier, op: str = "later", fleet: str = "web", why: str = "delivered 5 times") -> str:
    """A dead letter of the outbox, of a parked action of that fleet; returns its name."""
    parked = await tier.client(fleet).submit(high(fleet=fleet).placed_in(0))
    if op == "halt":
        await tier.redis.hset(KEYS.halts, "web", HALT)
    fields = {"id": parked.id, "why": why, "stream": KEYS.outbox, "op": op, "payload": HALT}
    return (await tier.redis.xadd(KEYS.dead, fields)).decode() + ".0"


async def letters(tier: Tier, **asked: Any) -> tuple[DeadLetter, ...]:
    return (await tier.approver().dead_letters(**asked)).letters


async def test_what_the_outbox_gave_up_is_kept_with_what_was_to_be_done(start_tier: StartTier) -> None:
    tier = await start_tier(max_deliveries=1)
    parked = await tier.client().submit(high())
    entry = await tier.redis.xadd(KEYS.outbox, {"id": parked.id, "op": "later", "body": '{"a":1}'})

    (letter,) = await until(lambda: letters(tier))

    assert (letter.stream, letter.op, letter.payload) == ("outbox", "later", b'{"a":1}')
    assert (letter.fleet, letter.why_not) == ("web", "")
    assert letter.at >= int(entry.decode().partition("-")[0])


async def test_it_is_tried_again_and_is_a_dead_letter_no_more(start_tier: StartTier) -> None:
    tier = await start_tier(policies=0)
    await tier.policy()
    name = await bury(tier, op="halt")
    await tier.redis.xadd(KEYS.dead, {"id": "x.0", "why": "other", "stream": KEYS.answers, "payload": ""})

    entry = await tier.operator().retry_dead(name, reason="mended")

    assert [one.id for one in await letters(tier)] == ["x.0"]
    (line,) = [line for line in await tier.audit() if line["event"] == "retried"]
    assert (line["fleet"], line["by"], line["reason"]) == ("web", "olga", "mended")
    assert entry


async def test_a_halt_that_was_lifted_does_not_come_back(tier: Tier) -> None:
    name, olga = await bury(tier, op="halt"), tier.operator()
    await olga.resume("web")

    with pytest.raises(WrongState, match="was lifted"):
        await olga.retry_dead(name)

    assert [one.name for one in await letters(tier)] == [name]


async def test_what_fails_once_more_comes_back_under_another_name(start_tier: StartTier) -> None:
    tier = await start_tier(max_deliveries=1)
    name = await bury(tier)

    await tier.operator().retry_dead(name)

    (again,) = await until(lambda: letters(tier))
    assert (again.op, again.name != name) == ("later", True)


async def test_a_retry_counts_once(tier: Tier) -> None:
    name, olga = await bury(tier, op="halt"), tier.operator()
    await olga.retry_dead(name)

    with pytest.raises(UnknownDeadLetter, match="in your fleets"):
        await olga.retry_dead(name)

    assert sum(line["event"] == "retried" for line in await tier.audit()) == 1


async def test_what_told_its_sender_that_it_failed_is_not_done_behind_their_back(tier: Tier) -> None:
    olga = tier.operator()
    streams = {
        KEYS.answers: "has to be sent again",
        KEYS.assessed: "was parked",
        KEYS.actions("web"): "was parked",
        KEYS.edits: "has to be made again",
        KEYS.strays: "nobody can be told",
        "something:else": "nobody can be told",
    }
    for stream, says in streams.items():
        fields = {
            "id": "a.0",
            "why": "delivered 5 times",
            "stream": stream,
            "op": "submit",
            "payload": "{}",
        }
        entry = (await tier.redis.xadd(KEYS.dead, fields)).decode()

        with pytest.raises(WrongState, match=says):
            await olga.retry_dead(f"{entry}.0")

    assert await tier.redis.xlen(KEYS.dead) == len(streams)


async def test_a_copy_that_an_older_tier_kept_can_not_be_tried_again(tier: Tier) -> None:
    fields = {"id": "a.0", "why": "delivered 5 times", "stream": KEYS.outbox, "payload": "{}"}
    entry = (await tier.redis.xadd(KEYS.dead, fields)).decode()

    with pytest.raises(WrongState, match="older tier"):
        await tier.operator().retry_dead(f"{entry}.0")


async def test_who_may_only_answer_may_not_retry(tier: Tier) -> None:
    name = await bury(tier)

    with pytest.raises(NotAuthorized, match='"halt"'):
        await tier.approver().retry_dead(name)

    assert [line["by"] for line in await tier.audit() if line["event"] == "retry_refused"] == ["alice"]
    assert await tier.approver("hana", may=[Right.HALT]).retry_dead(name)


async def test_the_letter_of_another_fleet_is_told_as_one_that_is_not_there(start_tier: StartTier) -> None:
    tier = await start_tier(fleets={"web": {}, "ops": {}})
    name, otto = await bury(tier), tier.operator("otto", fleets=["ops"])
    nowhere = f"{name.partition('-')[0]}-99.0"

    with pytest.raises(UnknownDeadLetter) as theirs:
        await otto.retry_dead(name)
    with pytest.raises(UnknownDeadLetter) as none:
        await otto.retry_dead(nowhere)

    assert theirs.value.message.replace(name, "") == none.value.message.replace(nowhere, "")


async def test_a_letter_of_no_known_fleet_is_for_who_has_every_fleet(tier: Tier) -> None:
    fields = {"id": "gone.0", "why": "delivered", "stream": KEYS.outbox, "op": "halt", "payload": HALT}
    await tier.redis.hset(KEYS.halts, "web", HALT)
    name = (await tier.redis.xadd(KEYS.dead, fields)).decode() + ".0"

    with pytest.raises(UnknownDeadLetter):
        await tier.operator("otto", fleets=["web"]).retry_dead(name)

    assert await tier.operator().retry_dead(name)


async def test_a_made_up_token_retries_nothing(tier: Tier) -> None:
    name = await bury(tier)
    tier.operator()

    with pytest.raises(NotAuthorized, match="does not prove"):
        await tier.impostor("olga").retry_dead(name)


async def test_what_names_no_letter_is_refused_before_it_is_sent(tier: Tier) -> None:
    olga = tier.operator()
    for name in ("", "1", "1-1", "1-1.x", "1-1.0\n", "-1-1.0", "1-1.0.0", "٣-1.0", f"{2**64}-1.0"):
        with pytest.raises(ConfigError, match="dead list"):
            await olga.retry_dead(name)


Forge = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.mark.parametrize(
    "forge",
    [
        lambda said: said | {"letter": "1-1"},
        lambda said: said | {"at": int(time() * 1000) - 20 * MINUTES},
        lambda said: said | {"id": "r1.1"},
    ],
    ids=["another letter", "old", "another partition"],
)
async def test_a_forged_or_old_request_changes_nothing(start_tier: StartTier, forge: Forge) -> None:
    tier = await start_tier(partitions=2)
    name = await bury(tier)
    tier.operator()
    said = {"id": "r1.0", "client": "forger", "approver": "olga", "at": int(time() * 1000)}
    genuine = RetryRequest(**said, letter=name.rpartition(".")[0])
    forged = RetryRequest(**forge(genuine.model_dump()))
    own = forged.letter == genuine.letter  # the signer's own words, and still not to be taken
    proof = (forged if own else genuine).proof(key_of(tier.token_of("olga")))

    entry = await tier.redis.xadd(KEYS.answers, forged.to_fields(proof))

    await tier.idle()
    assert [one.name for one in await letters(tier)] == [name]
    (line,) = [line for line in await tier.audit() if line.get("by") == "olga" and "error" in line]
    assert (line["event"], line["stream"]) == ("retry_refused", KEYS.answers)
    assert line["error"]
    assert entry


async def test_a_page_goes_on_where_the_one_before_it_ended(start_tier: StartTier) -> None:
    tier = await start_tier(partitions=3, analyzers=0)
    made = []
    for n in range(70):
        fields = {"id": f"a{n}.{n % 3}", "why": "x", "stream": Keys(n % 3).actions("web"), "payload": "{}"}
        entry = await tier.redis.xadd(Keys(n % 3).dead, fields, id=f"{1000 + n // 5}-{n}")
        made.append(f"{entry.decode()}.{n % 3}")
    found: list[str] = []
    after: str | None = ""

    while after is not None:
        page = await tier.approver().dead_letters(after=after, limit=7)
        assert len(page.letters) <= 7
        found += [one.name for one in page.letters]
        after = page.after

    assert found == sorted(
        made, key=lambda name: (int(name[:4]), int(name[5:].split(".")[0])), reverse=True
    )


async def test_nothing_is_before_the_first(tier: Tier) -> None:
    await bury(tier)

    for first in ("0-0.0", "00-00.0", "0-1.0"):
        assert await tier.approver().dead_letters(after=first) == DeadPage((), None)


async def test_letters_of_other_fleets_are_passed_over(start_tier: StartTier) -> None:
    tier = await start_tier(analyzers=0)
    for n in range(50):
        stream = KEYS.actions("ops" if n else "web")
        await tier.redis.xadd(KEYS.dead, {"id": f"a{n}.0", "why": "x", "stream": stream, "payload": ""})

    first = await tier.approver().dead_letters(fleets={"web"}, limit=5)
    assert first.after is not None

    found, after = list(first.letters), first.after
    while after is not None:
        page = await tier.approver().dead_letters(fleets={"web"}, limit=5, after=after)
        found, after = [*found, *page.letters], page.after
    assert [one.id for one in found] == ["a0.0"]


async def test_a_letter_that_no_stream_can_have_is_refused_by_the_worker(tier: Tier) -> None:
    tier.operator()
    said = {"id": "r1.0", "client": "forger", "approver": "olga", "at": int(time() * 1000)}
    request = RetryRequest(**said, letter=f"{2**64}-1")
    proof = request.proof(key_of(tier.token_of("olga")))

    await tier.redis.xadd(KEYS.answers, request.to_fields(proof))

    await tier.idle()
    (line,) = [line for line in await tier.audit() if "error" in line]
    assert (line["event"], "names no dead letter" in line["error"]) == ("retry_refused", True)


async def test_what_is_long_is_kept_whole_and_shown_by_its_beginning(tier: Tier) -> None:
    parked = await tier.client().submit(high().placed_in(0))
    body = HALT[:-1] + ',"more":"' + "x" * 100_000 + '"}'
    fields = {"id": parked.id, "why": "delivered", "stream": KEYS.outbox, "op": "halt", "payload": body}
    name = (await tier.redis.xadd(KEYS.dead, fields)).decode() + ".0"

    (letter,) = await letters(tier)
    assert (len(letter.payload), letter.size) == (KEPT, len(body))
    entry = await tier.operator().retry_dead(name)

    await tier.idle()
    assert await letters(tier) == ()
    assert entry
