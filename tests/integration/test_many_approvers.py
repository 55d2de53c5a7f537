"""1,000 parked actions, 20 approvers who race, disagree, repeat themselves and come late: one story each."""

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
from guardtier.errors import DigestMismatch, GuardtierError, NotAuthorized, WrongState
from guardtier.policy.tally import Counted
from guardtier.policy.terms import Terms
from guardtier.store.ledger import Decision
from tier import StartTier, Tier
from waiting import until

ACTIONS = 1_000
ANSWERS = 180  #: of each approver
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


async def test_a_thousand_actions_end_in_one_state_each(start_tier: StartTier) -> None:
    tier = await start_tier(analyzers=0, policies=0)
    actions = await park(tier)
    approvers = {name: approver(tier, name) for name in NAMES}
    for _ in range(2):
        await tier.policy()

    async with sweeping(tier):
        told = await asyncio.gather(
            *(answer(tier, name, approvers[name], actions, Random(name)) for name in NAMES)
        )
        told += [await finish(tier, [approvers[name] for name in DBAS])]
        await until(lambda: no_more_parked(tier), timeout=60)
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
    check_told([one for results in told for one in results], lines)


def check_told(told: list[Any], lines: list[dict[str, str]]) -> None:
    """Every answer was told its fate, and each that was told to count is on the audit stream once."""
    kinds = Counter(type(one) for one in told)
    assert set(kinds) == {Verdict, Counted, *REFUSALS}
    counted = [line for line in lines if line["event"] in ("answered", "approved", "rejected")]
    assert len(counted) == kinds[Verdict] + kinds[Counted]


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
) -> list[Any]:
    """What became of each answer. Now and then one is sent once more, as after a broken connection."""
    chosen = [random.choice(actions) for _ in range(ANSWERS)]  # some twice: a change of mind, or not
    drafts = [
        Draft(
            action.id,
            random.choice([Choice.APPROVE, Choice.APPROVE, Choice.REJECT]),
            digest="0" * 64 if random.random() < 0.02 else action.digest,
            reason=f"says {name}",
        )
        for action in chosen
    ]
    echoes = [echoed(tier, name, action, random) for action in random.sample(chosen, 10)]
    results, *_ = await asyncio.gather(client.answer_many(drafts, timeout=60), *echoes)
    return results


async def echoed(tier: Tier, name: str, action: ActionEvent, random: Random) -> None:
    """The very same answer three times, by way of the stream, about a digest that nobody parked."""
    said = Answer(
        id=action.id,
        client="echo",
        approver=name,
        choice=random.choice(list(Choice)),
        digest="1" * 64,
        at=int(time() * 1000),
    )
    fields = said.to_fields(said.proof(key_of(tier.token_of(name))))
    for _ in range(3):
        await tier.redis.xadd("gt:{0}:answers", fields)


async def finish(tier: Tier, clients: list[ApproverClient]) -> list[Any]:
    """Everybody who may answer anything approves what is left."""
    left = [record async for record in clients[0].parked(timeout=60)]
    drafts = [Draft(record.id, Choice.APPROVE, digest=record.digest) for record in left]
    found = await asyncio.gather(*(client.answer_many(drafts, timeout=60) for client in clients))
    return [one for results in found for one in results]


@asynccontextmanager
async def sweeping(tier: Tier) -> AsyncIterator[None]:
    """The steward's sweep, again and again."""
    steward = tier.steward()

    async def sweep() -> None:
        while True:
            await steward.sweep()
            await asyncio.sleep(0.05)

    task = asyncio.create_task(sweep())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def no_more_parked(tier: Tier) -> bool:
    return await tier.records.count() == 0


def is_refusal(found: Any) -> bool:
    return isinstance(found, GuardtierError)
