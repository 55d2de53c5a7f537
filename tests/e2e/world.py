"""World: a tier with something of everything in it, and what is known there by name."""

from __future__ import annotations

from dataclasses import dataclass

from guardtier.answer import Choice
from guardtier.policy.grants import Pattern, Remember, Scope
from guardtier.store.keys import Keys
from guardtier_workers.approvers import Right
from tier import StartTier, Tier, high, low
from waiting import until

#: Every right that a person may have.
ALL = (Right.ANSWER, Right.CONFIGURE, Right.HALT, Right.SEE)


@dataclass(frozen=True)
class World:
    """``actions``: id and digest of each. ``names``: what else a request may name, by the field's name."""

    actions: tuple[tuple[str, str], ...]
    names: dict[str, list[str]]

    def of(self, action: tuple[str, str]) -> dict[str, list[str]]:
        """The names, where a request is about this action."""
        return self.names | {"id": [action[0]], "digest": [action[1]]}


async def with_histories(start_tier: StartTier, *analyzers: str) -> Tier:
    """A tier that keeps what each conversation has done. ``analyzers``: who rates, by name or path."""
    tier = await start_tier(analyzers=0)
    tier.settings = tier.settings.model_copy(update={"analyzers": (*(analyzers or ("llm",)), "flow")})
    await tier.analyzer()
    return tier


async def filled(tier: Tier) -> World:
    """Actions that wait, one of each that was decided, a grant, and a message that nobody could read."""
    client, alice = tier.client(accept_edits=True), tier.approver("alice", may=ALL)
    asked = [high(command, conversation="c-1") for command in ("rm -rf ~/.ssh", "cat a", "cat b", "cat c")]
    actions = tuple([((await client.submit(action)).id, action.digest) for action in asked])
    await client.submit(low("ls", conversation="c-1"))
    remember = Remember(pattern=Pattern.EXACT, scope=Scope.AGENT)
    await alice.approve(actions[0][0], digest=actions[0][1], remember=remember)
    await alice.reject(actions[1][0], digest=actions[1][1], reason="not on this machine")
    await tier.redis.xadd(Keys(0).actions("web"), {"op": "submit", "id": "broken.0", "client": ":"})
    dead = await until(lambda: tier.redis.xrange(Keys(0).dead))
    return World(
        actions,
        {
            "fleet": ["web"],
            "agent": ["agent-1"],
            "conversation": ["c-1"],
            "tool": ["terminal"],
            "choice": list(Choice),
            "arguments": ['{"command": "ls"}'],
            "text": ["version = 1\n"],
            "grant": [one.grant.id for one in await alice.grants("web")],
            "letter": [f"{entry.decode()}.0" for entry, _ in dead],
        },
    )
