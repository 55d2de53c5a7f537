"""1,000 parked actions, 20 approvers who race, disagree, repeat and come late: one story each."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from time import time
from typing import Any

from audit_model import AuditModel
from desk import Desk
from guardtier import ActionEvent, ApproverClient, State, Verdict
from guardtier.answer import Answer, Choice, key_of
from guardtier.approver_answers import Draft
from guardtier.errors import DigestMismatch, NotAuthorized, WrongState
from guardtier.policy.tally import Counted
from guardtier.policy.terms import Terms
from guardtier.store.keys import Keys
from guardtier.store.ledger import Decision
from tier import StartTier, Tier
from waiting import until

ACTIONS = 1_000
ANSWERS = 120  #: of each approver
LATER = 30  #: of each approver: answers to what they have answered
ECHOES = 10  #: of each approver: answers that are sent several times over
KEYS = Keys(0)
OTHER_DIGEST = "0" * 64
HOUR_MS = 3_600_000
NAMES = [f"ann-{number}" for number in range(20)]
DBAS = NAMES[:8]
#: The last four are other names of the first four.
PRINCIPALS = NAMES[:16] + NAMES[:4]

TERMS = [
    Terms(),
    Terms(approve=2),
    Terms(approve=2, reject=2),
    Terms(approve=3, reject=2, roles=("dba",)),
    Terms(reject=3, retry=0),
]
#: An answer that did not count was refused for one of these reasons, and no other.
REFUSALS = (WrongState, DigestMismatch, NotAuthorized)


Echo = frozenset[bytes]  #: the entries of one answer


async def test_a_thousand_actions_end_in_one_state_each(start_tier: StartTier) -> None:
    tier = await start_tier(analyzers=0, policies=0)
    actions = await park(tier)
    approvers = {name: approver(tier, name) for name in NAMES}
    for _ in range(2):
        await tier.policy()

    async with sweeping(tier):
        made = await asyncio.gather(
            *(answer(tier, name, approvers[name], actions, Random(name)) for name in NAMES)
        )
        finished = await finish(tier, [approvers[name] for name in DBAS])
        await until(lambda: no_more_parked(tier), timeout=90)
    await tier.idle()

    lines = await tier.audit()
    model = AuditModel().replay(lines)
    records = {action.id: await tier.record(action.id) for action in actions}
    assert model.states == {action_id: record.state.value for action_id, record in records.items()}
    assert {record.state for record in records.values()} == {State.APPROVED, State.REJECTED, State.EXPIRED}
    ends = Counter(line["id"] for line in lines if line["event"] in ("approved", "rejected", "expired"))
    assert ends == dict.fromkeys(records, 1)
    for action_id, record in records.items():
        assert record.verdict is not None
        assert record.verdict.decided_by == model.stories[action_id].decided_by

    # Everybody was told what became of their answer, and each that counts is on the audit stream once.
    results = [one for found, _ in made for one in found] + finished
    told = Counter(type(one) for one in results)
    assert set(told) == {Verdict, Counted, *REFUSALS}
    counting = await counted_once(tier, [echo for _, echoes in made for echo in echoes])
    counted = [line for line in lines if line["event"] in ("answered", "approved", "rejected")]
    assert len(counted) == told[Verdict] + told[Counted] + counting


async def park(tier: Tier) -> list[ActionEvent]:
    """Actions under different terms. Every seventh ends while they are answered."""
    desk, random = Desk(tier.redis), Random(5)
    await desk.open()
    actions = [desk.action(arguments={"command": f"rm -rf {number}"}) for number in range(ACTIONS)]
    for number, action in enumerate(actions):
        await desk.assess(action)
        terms = TERMS[number % len(TERMS)].to_json()
        park_ms = random.randrange(1, 4000) if number % 7 == 0 else HOUR_MS
        await desk.decided(action, Decision("parked", "test@1", park_ms=park_ms, terms=terms))
    await desk.close()
    return actions


def approver(tier: Tier, name: str) -> ApproverClient:
    roles = ["dba"] if name in DBAS else []
    return tier.approver(name, principal=PRINCIPALS[NAMES.index(name)], roles=roles)


async def answer(
    tier: Tier, name: str, client: ApproverClient, actions: list[ActionEvent], random: Random
) -> tuple[list[Any], list[Echo]]:
    """What became of each answer, and those that were sent several times over."""
    chosen = random.sample(actions, ANSWERS)
    thrice = [echoed(tier, name, action, random) for action in random.sample(actions, ECHOES)]
    first, *echoes = await asyncio.gather(
        client.answer_many([draft(name, action, random) for action in chosen], timeout=90), *thrice
    )
    # The same, or a change of mind: it counts instead of the first, where nothing is decided yet.
    later = await client.answer_many([draft(name, action, random) for action in chosen[:LATER]], timeout=90)
    return first + later, echoes


def draft(name: str, action: ActionEvent, random: Random) -> Draft:
    return Draft(
        action.id,
        random.choice([Choice.APPROVE, Choice.APPROVE, Choice.REJECT]),
        digest=OTHER_DIGEST if random.random() < 0.02 else action.digest,
        reason=f"says {name}",
    )


async def echoed(tier: Tier, name: str, action: ActionEvent, random: Random) -> Echo:
    """The very same answer three times, as a client sends it that lost its connection."""
    said = Answer(
        id=action.id,
        client="echo",
        approver=name,
        choice=random.choice(list(Choice)),
        digest=action.digest,
        at=int(time() * 1000),
    )
    fields = said.to_fields(said.proof(key_of(tier.token_of(name))))
    return frozenset([await tier.redis.xadd(KEYS.answers, fields) for _ in range(3)])


async def counted_once(tier: Tier, echoes: list[Echo]) -> int:
    """How many of the answers that were sent three times counted. All three are told the same fate."""
    replies = await tier.redis.xrange(KEYS.told("echo"))
    fates = {fields[b"entry"]: b"error" not in fields for _, fields in replies}
    assert fates.keys() == {entry for echo in echoes for entry in echo}
    return sum(any(fates[entry] for entry in echo) for echo in echoes)


async def finish(tier: Tier, clients: list[ApproverClient]) -> list[Any]:
    """Everybody who may answer anything approves what is left."""
    left = [record async for record in clients[0].parked(timeout=90)]
    drafts = [Draft(record.id, Choice.APPROVE, digest=record.digest) for record in left]
    found = await asyncio.gather(*(client.answer_many(drafts, timeout=90) for client in clients))
    return [one for results in found for one in results]


@asynccontextmanager
async def sweeping(tier: Tier) -> AsyncIterator[None]:
    """The steward's sweep, again and again. It is told to end: a cancellation can get lost (steward.py)."""
    steward, ended = tier.steward(), asyncio.Event()

    async def sweep() -> None:
        while not ended.is_set():
            await steward.sweep()
            await asyncio.sleep(0.05)

    task = asyncio.create_task(sweep())
    try:
        yield
    finally:
        ended.set()
        await task


async def no_more_parked(tier: Tier) -> bool:
    return await tier.records.count() == 0
