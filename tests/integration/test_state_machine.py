"""Any order of submit, park, answer, edit, redeem, expire, halt, with deaths between any two steps."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine, Iterator
from hashlib import sha256
from pathlib import Path
from time import time
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from audit_model import AuditModel
from byhand import KEYS, ByHand, Dies
from guardtier import ActionEvent, State
from guardtier.answer import Choice
from guardtier.policy.edit import EditRequest
from guardtier.policy.halts import HaltRequest, ResumeRequest, Scope
from guardtier.policy.request import SignedRequest
from guardtier.state import TRANSITIONS
from guardtier.store.records import Record
from guardtier.verdict import Verdict
from guardtier_workers.embedded import EmbeddedRedis
from tier import high, low

APPROVERS = ("alice", "bob", "carol")
AGENTS = ("agent-1", "alice", "two-for-me", "waits", "halts")
POLICY = """
version = 1
[[rule]]
name = "two"
outcome = "park"
agent = "two-for-me"
terms = { approve = 2, reject = 2, retry = 0 }
[[rule]]
name = "waits"
outcome = "park"
agent = "waits"
risk = "HIGH"
terms = { on_timeout = "wait", time_limit = "1h" }
[[rule]]
name = "halts"
outcome = "park"
agent = "halts"
risk = "HIGH"
terms = { on_timeout = "halt", time_limit = "1h" }
"""
OVER = (State.RELEASED, State.REJECTED, State.EXPIRED, State.REDEEMED)
THEN = ("park", "reject")
ACCEPTS = {"accepts": "edit"}
dying = st.sampled_from(Dies)
mostly = st.sampled_from((True, True, True, False))


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
        self._edits = self._asked = 0
        self._do(self._open())

    def _do(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self._runner.get_loop().run_until_complete(coroutine)  # run() looks after SIGINT each time

    async def _open(self) -> None:
        policy = self._folder / "policy.toml"
        policy.write_text(POLICY, encoding="utf-8")
        self.tier = ByHand(self.url, self._folder, policy_file=policy, analyzers=("llm", "shell"))
        for name in (*APPROVERS, "olga"):
            self.tier.approver(name)
        await self.tier.redis.flushall()
        await self.tier.open()

    # -- what agents do ----------------------------------------------------------------------

    @rule(target=actions, risky=st.booleans(), agent=st.sampled_from(AGENTS), edits=st.booleans())
    def submit(self, risky: bool, agent: str, edits: bool) -> ActionEvent:
        made = (high if risky else low)(f"ls {len(self.sent)}", agent=agent, id=f"a{len(self.sent)}.0")
        self.sent[made.id] = made
        self._do(self.tier.submit(made, **ACCEPTS if edits else {}))
        return made

    @rule(target=actions, agent=st.sampled_from(AGENTS))
    def park(self, agent: str) -> ActionEvent:
        """The way of most: submitted, rated and parked while nobody dies."""
        made = self.submit(risky=True, agent=agent, edits=True)
        self._do(self.tier.finish())
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

    @rule(action=actions, name=st.sampled_from(APPROVERS), choice=st.sampled_from(Choice), same=mostly)
    def answer(self, action: ActionEvent, name: str, choice: Choice, same: bool) -> None:
        digest = self._do(self._digest(action)) if same else "0" * 64
        self._do(self.tier.answer(action.id, digest, name, choice, reason="because"))

    @rule(action=actions, name=st.sampled_from(APPROVERS), riskier=st.booleans())
    def edit(self, action: ActionEvent, name: str, riskier: bool) -> None:
        self._edits += 1
        command = f"rm -rf ~/.ssh/{self._edits}" if riskier else f"ls -l {self._edits}"
        digest = self._do(self._digest(action))
        self._ask(EditRequest, name, id=action.id, digest=digest, arguments={"command": command})

    @rule(
        agent=st.sampled_from((None, *AGENTS)), then=st.sampled_from(("park", "reject")), all_=st.booleans()
    )
    def halt(self, agent: str | None, then: str, all_: bool) -> None:
        scope = Scope(fleet="web", agent=agent)
        self._ask(HaltRequest, "olga", scope=scope, reason="stop", then=then, reject_parked=all_)

    @rule(agent=st.sampled_from((None, *AGENTS)))
    def resume(self, agent: str | None) -> None:
        scope = Scope(fleet="web", agent=agent)
        standing = self._do(self.tier.redis.hget(KEYS.halts, scope.key)) or b""
        self._ask(ResumeRequest, "olga", scope=scope, lifts=sha256(standing).hexdigest())

    def _ask(self, kind: type[SignedRequest], name: str, **said: Any) -> None:
        """Send what an approver asks, with the proof."""
        self._asked += 1
        known = {"id": f"r{self._asked}.0", "client": "console-1", "approver": name}
        request = kind(**known | {"at": int(time() * 1000)} | said)
        self._do(self.tier.send(request.to_fields(request.proof(self.tier.key_of(name)))))

    async def _digest(self, action: ActionEvent) -> str:
        """That of the action as it is parked now."""
        found = await self.tier.redis.hget(KEYS.action(action.id), "digest")
        return found.decode() if found else action.digest

    # -- what the tier does ------------------------------------------------------------------

    @rule(dies=dying, last=st.booleans())
    def analyze(self, dies: Dies, last: bool) -> None:
        self._do(self.tier.work(self.tier.analyzer, dies=dies, last=last))

    @rule(dies=dying, last=st.booleans())
    def decide(self, dies: Dies, last: bool) -> None:
        self._do(self.tier.work(self.tier.policy, dies=dies, last=last))

    @rule()
    def everybody_works(self) -> None:
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
        told = AuditModel().replay(without_our_clock(await tier.audit()))
        for action in self.sent.values():
            record = await tier.record(action.id)
            story = told.stories[action.id]
            assert story.state == record.state.value
            assert story.asked in (action.digest, other_than(action).digest)  # whichever came first
            assert record.state in (*OVER, State.APPROVED) or action.agent == "waits"
            by = record.verdict.decided_by if record.verdict is not None else ()
            assert action.agent not in by
            if record.state in (State.APPROVED, State.REDEEMED) and action.agent == "two-for-me":
                assert len(set(by)) == 2
            for client in ("client-1", "client-2"):
                await self._was_told_the_same(action, record, client)

    async def _was_told_the_same(self, action: ActionEvent, record: Record, client: str) -> None:
        told = await self.tier.told("web", client)
        verdicts = {line["verdict"] for line in told if line["id"] == action.id and "verdict" in line}
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


def without_our_clock(lines: list[dict[str, str]]) -> list[dict[str, str]]:
    """The lines, with the deadlines as they were before ``time_passes`` moved them."""
    until: dict[str, str] = {}
    told = []
    for line in lines:
        if line["event"] == "extended":
            told.append(line | {"was": until.get(line["id"], "0")})
            until[line["id"]] = line["deadline"]
        else:
            told.append(line)
    return told


def follows(state: State) -> set[State]:
    """What may come of it, in one step or in several: ``everybody_works`` takes as many as there are."""
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
            max_examples=80,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
