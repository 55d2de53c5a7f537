"""Any order of submit, assess, decide, answer, redeem, expire, halt, with deaths between any two steps."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from byhand import KEYS, ByHand, Dies
from guardtier import ActionEvent, State
from guardtier.answer import Choice
from guardtier.state import TRANSITIONS
from guardtier.verdict import Verdict
from guardtier_workers.approvers import Right
from guardtier_workers.embedded import EmbeddedRedis
from tier import high, low

APPROVERS = ("alice", "bob", "carol")
AGENTS = ("agent-1", "alice")
OVER = (State.RELEASED, State.REJECTED, State.EXPIRED, State.REDEEMED)
HALTS = st.sampled_from((None, *AGENTS))  # the fleet, or one agent
dying = st.sampled_from(Dies)


class Actions(RuleBasedStateMachine):
    """What may be done to actions, in any order. What must hold after each step is at the end."""

    url: ClassVar[str]
    actions = Bundle("actions")

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._folder = Path(tempfile.mkdtemp())
        self.sent: dict[str, ActionEvent] = {}
        self.seen: dict[str, State] = {}
        self.halted: set[str] = set()  # the scopes, after the step before
        self.resumed = 0
        self.requests = 0
        self._do(self._open())

    def _do(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self._runner.run(coroutine)

    async def _open(self) -> None:
        self.tier = ByHand(self.url, self._folder)
        await self.tier.redis.flushall()
        await self.tier.open()
        for name in APPROVERS:
            self.tier.approver(name)
        self.tier.approver("olga", may=[Right.HALT])

    # -- what agents do ----------------------------------------------------------------------

    @rule(target=actions, risky=st.booleans(), agent=st.sampled_from(AGENTS))
    def submit(self, risky: bool, agent: str) -> ActionEvent:
        made = (high if risky else low)(f"run {len(self.sent)}", agent=agent, id=f"a{len(self.sent)}.0")
        self.sent[made.id] = made
        self._do(self.tier.submit(made))
        return made

    @rule(action=actions, client=st.sampled_from(("client-1", "client-2")))
    def submit_again(self, action: ActionEvent, client: str) -> None:
        self._do(self.tier.submit(action, client))

    @rule(action=actions)
    def submit_another_under_its_id(self, action: ActionEvent) -> None:
        self._do(self.tier.submit(other_than(action)))

    @rule(action=actions, token=st.sampled_from(("once", "twice")))
    def redeem(self, action: ActionEvent, token: str) -> None:
        self._do(self.tier.redeem(action, token))

    # -- what people do ----------------------------------------------------------------------

    @rule(
        action=actions, name=st.sampled_from(APPROVERS), choice=st.sampled_from(Choice), same=st.booleans()
    )
    def answer(self, action: ActionEvent, name: str, choice: Choice, same: bool) -> None:
        digest = action.digest if same else "0" * 64
        self._do(self.tier.answer(action.id, digest, name, choice, reason="because"))

    @rule(
        agent=st.sampled_from((None, *AGENTS)), then=st.sampled_from(("park", "reject")), all_=st.booleans()
    )
    def halt(self, agent: str | None, then: str, all_: bool) -> None:
        self.requests += 1
        name = f"h{self.requests}.0"
        self._do(self.tier.halt(name, "olga", agent, then=then, reject_parked=all_))

    @rule(agent=HALTS)
    def resume(self, agent: str | None) -> None:
        self.requests += 1
        self._do(self.tier.resume(f"h{self.requests}.0", "olga", agent))

    # -- what the tier does ------------------------------------------------------------------

    @rule(dies=dying, last=st.booleans())
    def analyze(self, dies: Dies, last: bool) -> None:
        self._do(self.tier.work(self.tier.analyzer, dies=dies, last=last))

    @rule(dies=dying, last=st.booleans())
    def decide(self, dies: Dies, last: bool) -> None:
        self._do(self.tier.work(self.tier.policy, dies=dies, last=last))

    @rule()
    def work_off(self) -> None:
        self._do(self.tier.finish())

    @rule(dies=dying)
    def expire(self, dies: Dies) -> None:
        self._do(self.tier.expire(dies=dies))

    @rule()
    def time_passes(self) -> None:
        self._do(self.tier.let_time_pass())

    # -- what must hold ----------------------------------------------------------------------

    @invariant()
    def states_follow_each_other_and_the_set_is_what_is_parked(self) -> None:
        states, waiting, halts = self._do(self._states())
        resumed = self._do(self.tier.events()).count("resumed")
        stopped = self.halted if resumed == self.resumed else set()
        for action_id, state in states.items():
            known = self.seen.get(action_id)
            assert known in (None, state) or state in follows(known), f"{action_id}: {known} → {state}"
            if state is not known and state in (State.RELEASED, State.REDEEMED):
                assert stopped.isdisjoint({"web", f"web {self.sent[action_id].agent}"})
            self.seen[action_id] = state
        self.halted, self.resumed = halts, resumed
        assert waiting == {name for name, state in states.items() if state is State.PARKED}

    def teardown(self) -> None:
        try:
            self._do(self._end())
        finally:
            self._do(self.tier.close())
            self._runner.close()
            shutil.rmtree(self._folder)

    async def _end(self) -> None:
        tier = self.tier
        await tier.finish()
        await tier.let_time_pass()
        await tier.expire()
        lines = await tier.audit()
        for action in self.sent.values():
            record = await tier.record(action.id)
            ends = [
                line["event"]
                for line in lines
                if line["id"] == action.id
                and line["event"] in {"released", "approved", "rejected", "expired", "redeemed"}
            ]
            expected = {"redeemed": ["approved", "redeemed"]}.get(record.state.value, [record.state.value])
            assert ends == expected
            assert record.state in (*OVER, State.APPROVED)
            assert record.digest in (action.digest, other_than(action).digest)  # whichever came first
            by = record.verdict.decided_by if record.verdict else ()
            assert action.agent not in by
            for client in ("client-1", "client-2"):
                told = await tier.told("web", client)
                verdicts = {
                    line["verdict"] for line in told if line["id"] == action.id and "verdict" in line
                }
                assert len(verdicts) <= 1
                if verdicts:
                    assert Verdict.from_json(verdicts.pop().encode()) == record.verdict

    async def _states(self) -> tuple[dict[str, State], set[str], set[str]]:
        pipeline = self.tier.redis.pipeline(transaction=False)
        for action_id in self.sent:
            pipeline.hget(KEYS.action(action_id), "state")
        pipeline.zrange(KEYS.parked, 0, -1)
        pipeline.hkeys(KEYS.halts)
        *states, waiting, halts = await pipeline.execute()
        found = zip(self.sent, states, strict=True)
        return (
            {name: State(s.decode()) for name, s in found if s},
            {name.decode() for name in waiting},
            {scope.decode() for scope in halts},
        )


def follows(state: State) -> set[State]:
    """What may come of it, in one step or in several: ``work_off`` takes as many as there are."""
    return {end for after in TRANSITIONS[state] for end in (after, *follows(after))}


def other_than(action: ActionEvent) -> ActionEvent:
    return action.model_copy(update={"arguments": {"command": "something else"}})


@pytest.fixture
def server() -> Iterator[EmbeddedRedis]:
    """One of its own: each example begins with an empty one."""
    with EmbeddedRedis(appendfsync="no") as started:
        yield started


def test_whatever_comes_in_whatever_order_each_action_ends_once(server: EmbeddedRedis) -> None:
    machine = type("OnThisServer", (Actions,), {"url": server.url})

    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=50,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
