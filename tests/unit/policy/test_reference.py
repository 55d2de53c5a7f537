"""Masks and caches against the plain reading: all rules, each matcher, the strictest outcome."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from guardtier.policy.compiled import CompiledPolicy
from guardtier.policy.rules import Rule
from guardtier.policy.ruling import Effect, Facts
from guardtier.risk import SecurityRisk
from rulings import facts, released

WORDS = ("web", "data-1", "data-2", "ci")
IDS = ("shell.read.home", "shell.delete.home", "sql.drop.table", "http.upload")
GLOBS = st.lists(st.sampled_from((*WORDS, "*", "data-*", "*-1", "w*b")), min_size=1, max_size=2)
ID_GLOBS = st.lists(st.sampled_from((*IDS, "shell.*", "*.home", "*")), min_size=1, max_size=2)
LABELS = ("secret.read", "download")
MARKS = ("by_name", "aws_secret_key")

MATCHERS = {
    **dict.fromkeys(("fleet", "agent", "conversation", "tool"), GLOBS),
    "risk": st.lists(st.sampled_from([*SecurityRisk]), min_size=1, max_size=2),
    "finding": ID_GLOBS,
    "label": st.lists(st.sampled_from((*LABELS, "secret.*")), min_size=1, max_size=1),
    "redacted": st.lists(st.sampled_from((*MARKS, "aws_*", "*")), min_size=1, max_size=1),
    "target": st.lists(st.sampled_from(("/srv/*", "*.md")), min_size=1, max_size=1),
}


@st.composite
def rules(draw: st.DrawFn) -> list[Rule]:
    found = []
    for number in range(draw(st.integers(0, 8))):
        kinds = draw(st.sets(st.sampled_from(sorted(MATCHERS)), max_size=3))
        values: dict[str, Any] = {kind: draw(MATCHERS[kind]) for kind in sorted(kinds)}
        values["outcome"] = draw(st.sampled_from([*Effect]))
        values["mode"] = draw(st.sampled_from(("enforce", "enforce", "shadow")))
        if values["outcome"] is Effect.RELEASE:
            values |= {"release_high": True, "owner": "me"}
            values["risk"] = [*values.get("risk", ()), "HIGH"]
        found.append(Rule.model_validate({"name": f"r{number}", **values}))
    return found


ACTIONS = st.builds(
    facts,
    fleet=st.sampled_from(WORDS),
    agent=st.sampled_from(WORDS),
    tool=st.sampled_from(WORDS),
    conversation=st.sampled_from((None, *WORDS)),
    risk=st.sampled_from([*SecurityRisk]),
    findings=st.lists(st.sampled_from(IDS), max_size=2).map(tuple),
    labels=st.lists(st.sampled_from(LABELS), max_size=2).map(tuple),
    redacted=st.lists(st.sampled_from(MARKS), max_size=2).map(tuple),
    targets=st.sampled_from((lambda: (), lambda: ("/srv/a", "b.md"), lambda: ("c.md",))),
    failed=st.booleans(),
)


@settings(max_examples=100, deadline=None)
@given(rules(), st.lists(ACTIONS, min_size=1, max_size=6))
def test_a_policy_says_what_its_rules_say_one_by_one(found: list[Rule], asked: list[Facts]):
    policy = CompiledPolicy(found, {})

    for action in asked:
        ruling = policy.rule(action, released, "v")
        effect, names = plainly([one for one in found if one.mode == "enforce"], action)
        would, would_by = plainly(found, action)

        assert (ruling.effect, ruling.rules) == (effect, names)
        assert (ruling.would or ruling.effect) == would
        assert ruling.would is None or ruling.would_by == would_by


def plainly(found: list[Rule], action: Facts) -> tuple[Effect, tuple[str, ...]]:
    matching = [one for one in found if matches(one, action)]
    if action.failed:
        matching = [one for one in matching if one.outcome is not Effect.RELEASE]
    if not matching:
        return (Effect.PARK if action.failed else Effect.RELEASE), ()
    strictest = max((one.outcome for one in matching), key=lambda outcome: outcome.strictness)
    return strictest, tuple(one.name for one in matching if one.outcome is strictest)


def matches(one: Rule, action: Facts) -> bool:
    pairs = [
        (one.fleet, (action.fleet,)),
        (one.agent, (action.agent,)),
        (one.conversation, (action.conversation,) if action.conversation else ()),
        (one.tool, (action.tool,)),
        (one.finding, action.findings),
        (one.label, action.labels),
        (one.redacted, action.redacted),
        (one.target, action.targets()),
    ]
    return (one.risk is None or action.risk in one.risk) and all(
        globs is None or any(like(glob, text) for glob in globs for text in texts) for globs, texts in pairs
    )


def like(glob: str, text: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, glob.split("*"))), text) is not None
