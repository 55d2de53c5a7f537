"""What 200 rules of a policy file cost an action: its mean, beside that of 20 and of 2,000 rules.

Actions differ in fleet, agent, conversation, tool, risk and findings, as those of many agents do; no agent
and no conversation is one of the last 4,096, so nothing that is remembered of them helps. ``when`` is asked
in one rule of ten, for the one tool that it names.
"""

from __future__ import annotations

import random
from itertools import count, islice
from time import process_time
from typing import Any

from guardtier.action import ActionEvent
from guardtier.policy.compiled import CompiledPolicy
from guardtier.policy.confirmation import ConfirmRisky
from guardtier.policy.file import PolicyFile
from guardtier.policy.ruling import Effect, Facts, Ruling
from guardtier.risk import SecurityRisk

RULES = (20, 200, 2000)
ACTIONS = 5000
ROUNDS = 5
_TOOLS = ("terminal", "file_editor", "browser", "sql", "http", "refund", "python", "search")
_EFFECTS = ("read", "write", "delete", "send", "execute")
_PLACES = ("workspace", "home", "credentials", "system", "internet")
_DEFAULT = ConfirmRisky()


def measure() -> dict[str, Any]:
    """Microseconds of CPU an action (the best round's mean), by the number of rules."""
    found: dict[str, Any] = {}
    for rules in RULES:
        policy = PolicyFile.parse(policy_of(rules)).compiled()
        actions = list(islice(facts(random.Random(7)), ACTIONS))
        found[f"{rules} rules"] = round(min(_mean(policy, actions) for _ in range(ROUNDS)), 2)
    return found


def _mean(policy: CompiledPolicy, actions: list[Facts]) -> float:
    start = process_time()
    for one in actions:
        policy.rule(one, _default, "file@1")
    return 1e6 * (process_time() - start) / len(actions)


def _default(facts: Facts) -> Ruling:
    parks = _DEFAULT.should_confirm(facts.risk)
    return Ruling(Effect.PARK if parks else Effect.RELEASE, _DEFAULT.version)


def policy_of(rules: int) -> str:
    """A file of so many rules, of ten kinds."""
    return "version = 1\n" + "\n".join(_rule(number) for number in range(rules))


def _rule(number: int) -> str:
    tool, effect = _TOOLS[number % len(_TOOLS)], _EFFECTS[number % len(_EFFECTS)]
    place = _PLACES[number // 5 % len(_PLACES)]
    kinds = (
        f'outcome = "park"\nfleet = "team-{number}"\nrisk = {{ at_least = "MEDIUM" }}',
        f'outcome = "park"\nfinding = "shell.{effect}.{place}"\nfleet = "team-*"',
        f'outcome = "reject"\nfinding = "shell.{effect}.*"\nagent = "ci-{number}-*"\nreason = "not here"',
        f'outcome = "release"\ntool = "{tool}"\nrisk = "LOW"\nagent = "bot-{number}"',
        f'outcome = "park"\nlabel = "secret.read"\nfinding = "*.send.*"\nfleet = "data-{number}-*"',
        f'outcome = "park"\nagent = "*-{number}"\nrisk = "MEDIUM"\nterms = {{ approve = 2 }}',
        'outcome = "park"\ntool = "sql"\ntime = { days = "sat-sun" }\nrisk = ["MEDIUM", "HIGH"]',
        f'outcome = "park"\nconversation = "incident-{number}-*"',
        f'outcome = "release"\nfleet = "lab-{number}"\nrisk = "HIGH"\nrelease_high = true\nowner = "lab"',
        f'outcome = "park"\ntool = "refund"\nfleet = "shop-{number // 10 % 60}"\n'
        "when = 'action.arguments.amount > 100.0'",
    )
    return f'[[rule]]\nname = "rule-{number}"\n{kinds[number % len(kinds)]}\n'


def facts(chance: random.Random) -> Any:
    """Actions without end, none of an agent that was there before."""
    for number in count():
        risk = chance.choices(list(SecurityRisk), weights=(5, 70, 20, 5))[0]
        tool = chance.choice(_TOOLS)
        found = {f"shell.{chance.choice(_EFFECTS)}.{chance.choice(_PLACES)}" for _ in range(number % 4)}
        fleet = f"{chance.choice(('team', 'shop', 'data', 'lab'))}-{chance.randrange(60)}"
        yield Facts(
            fleet=fleet,
            agent=f"agent-{number}",
            tool=tool,
            risk=risk,
            conversation=f"conversation-{number}",
            findings=tuple(found),
            labels=("secret.read",) if number % 20 == 0 else (),
            now_ms=1_767_355_200_000 + number,
            action=ActionEvent(
                fleet=fleet, agent="a", tool_name=tool, arguments={"amount": chance.randrange(200)}
            ),
        )
