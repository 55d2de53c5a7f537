"""Whose and how risky what a grant covers may be, what can't be remembered, and how it is said."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from granted import HIGH, LOW, MEDIUM, SECRET, UNKNOWN, action, approval, covers, granted, rated
from guardtier.answer import Answer
from guardtier.assessment import MAX_FINDINGS
from guardtier.errors import InvalidAnswer
from guardtier.policy.file import PolicyFile
from guardtier.policy.grants import Grant, Pattern, Remember, Scope
from guardtier.policy.ruling import Effect, Facts, Ruling
from guardtier.policy.terms import Terms
from guardtier_workers.grants.drafting import Approval, draft, suggested
from guardtier_workers.grants.remembered import fitting

# -- whose, how risky ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "scope", "covered"),
    [
        ("exact", "conversation", {"same"}),
        ("exact", "agent", {"same", "conversation"}),
        ("exact", "fleet", {"same", "conversation", "agent"}),
        ("command", "conversation", {"same"}),
        ("command", "fleet", {"same", "conversation", "agent"}),
        ("tool", "conversation", {"same"}),
        ("tool", "agent", {"same", "conversation"}),
    ],
)
def test_a_scope_says_whose_actions(pattern: str, scope: str, covered: set[str]) -> None:
    grant = granted("git push", pattern, scope=scope)
    others = {
        "same": action(),
        "conversation": action(conversation="c2"),
        "agent": action(agent="writer", conversation="c2"),
        "tool": action(tool_name="bash"),
    }

    found = {
        name
        for name, one in others.items()
        if grant.is_for(tool=one.tool_name, agent=one.agent, conversation=one.conversation, now_ms=2_000)
        and fitting([grant], one, rated())
    }

    assert found == covered


@pytest.mark.parametrize("pattern", Pattern)
def test_nothing_beyond_what_the_approver_saw_is_covered(pattern: Pattern) -> None:
    seen = approval(action(), rated(MEDIUM, "shell.git.push", "shell.x"))
    grant = draft(Remember(pattern=pattern), seen)

    assert covers([grant], "git push", rated(MEDIUM, "shell.git.push"))
    assert covers([grant], "git push", rated(LOW))
    assert not covers([grant], "git push", rated(HIGH, "shell.git.push"))
    assert not covers([grant], "git push", rated(UNKNOWN))
    assert not covers([grant], "git push", rated(MEDIUM, "shell.git.push", "flow.exfiltration"))
    assert not covers([grant], "git push", rated(MEDIUM, failed=True))


@pytest.mark.parametrize("pattern", Pattern)
def test_where_findings_may_have_been_cut_off_nothing_is_covered(pattern: Pattern) -> None:
    grant = draft(Remember(pattern=pattern), approval(action(), rated(HIGH, "shell.x")))

    assert covers([grant], "git push", rated(HIGH, *["shell.x"] * (MAX_FINDINGS - 1)))
    assert not covers([grant], "git push", rated(HIGH, *["shell.x"] * MAX_FINDINGS))


def test_who_saw_unknown_has_seen_nothing_high() -> None:
    grant = draft(Remember(pattern="exact"), approval(action(), rated(UNKNOWN)))

    assert [covers([grant], "git push", rated(risk)) for risk in (UNKNOWN, MEDIUM, HIGH)] == [
        True,
        True,
        False,
    ]


def test_other_arguments_beside_the_command_must_be_the_same() -> None:
    near = {"command": "git push", "cwd": "/repo"}
    grant = draft(Remember(pattern="command"), approval(action(arguments=near)))

    assert fitting([grant], action(arguments=near), rated())
    assert not fitting([grant], action(arguments=near | {"cwd": "/etc"}), rated())
    assert not fitting([grant], action(), rated())


def test_a_grant_ends() -> None:
    grant = granted("git push", seconds="1m")
    who = {"tool": "terminal", "agent": "coder", "conversation": "c1"}

    assert grant.is_for(**who, now_ms=60_999)
    assert not grant.is_for(**who, now_ms=61_000)


@pytest.mark.parametrize(
    ("given", "asked", "enough"),
    [
        ({}, {}, True),
        ({}, {"approve": 2}, False),
        ({}, {"roles": ("dba",)}, False),
        ({"roles": ("dba",)}, {"roles": ("dba", "ops")}, True),
        ({"roles": ("dba", "ops")}, {"roles": ("dba",)}, False),
        ({"roles": ("dba",)}, {}, True),
        ({}, {"may_remember": False}, False),
    ],
)
def test_it_stands_in_only_for_an_approval_that_its_giver_could_have_given(
    given: dict[str, Any], asked: dict[str, Any], enough: bool
) -> None:
    grant = draft(Remember(pattern="exact"), approval(action(), **given))

    assert grant.is_enough_for(Terms(**asked)) is enough


def test_a_rule_that_can_not_be_told_parks_and_no_grant_stands_in() -> None:
    rule = '[[rule]]\nname = "prod"\noutcome = "release"\ntarget = ["*/prod/*"]\n'
    compiled = PolicyFile.parse(f"version = 1\n{rule}").compiled()

    def raises() -> tuple[str, ...]:
        raise ValueError("nobody knows")

    facts = Facts("web", "coder", "terminal", LOW, action=action(), targets=raises)
    ruling = compiled.rule(facts, lambda _: Ruling(Effect.RELEASE, "default"), "file@1")

    assert (ruling.effect, ruling.terms.may_remember) == (Effect.PARK, False)


# -- what can't be remembered --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("remember", "of", "why"),
    [
        ({"pattern": "command"}, approval(action("git push $(id)")), "plain shell commands"),
        ({"pattern": "command"}, approval(action("x > y")), "plain shell commands"),
        ({"pattern": "command"}, approval(action(tool_name="fetch", arguments={"url": "x"})), "plain"),
        ({"pattern": "command"}, approval(action("echo " + "x" * 5000)), "plain shell commands"),
        ({"pattern": "command"}, approval(action(f"login ghp_{SECRET}")), "holds a secret"),
        ({"pattern": "exact"}, approval(action(), rated(failed=True)), "could not be analyzed"),
        ({"pattern": "exact"}, approval(action(), may_remember=False), "policy does not let"),
        ({"pattern": "exact", "scope": "conversation"}, approval(action(conversation=None)), "names no"),
        ({"pattern": "tool"}, approval(action(), rated(UNKNOWN)), "nobody can tell what terminal does"),
    ],
)  # fmt: skip
def test_what_can_not_be_remembered_says_why(remember: dict[str, Any], of: Approval, why: str) -> None:
    with pytest.raises(InvalidAnswer, match=why):
        draft(Remember(**remember), of)


@pytest.mark.parametrize(
    "wrong",
    [
        {"pattern": "tool", "scope": "fleet"},
        {"pattern": "exact", "below": "src"},
        {"pattern": "exact", "uses": 0},
        {"pattern": "exact", "uses": 1001},
        {"pattern": "exact", "seconds": "31d"},
        {"pattern": "exact", "seconds": 0},
        {"pattern": "exact", "seconds": float("nan")},
        {"pattern": "every"},
        {"pattern": "exact", "more": 1},
    ],
    ids=str,
)
def test_a_wish_that_is_too_wide_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Remember.model_validate(wrong)


def test_suggestions_are_those_that_fit_the_narrowest_first() -> None:
    assert [one.pattern for one in suggested(approval(action("rm -rf build/a")))] == list(Pattern)
    assert [one.pattern for one in suggested(approval(action("rm -rf $X"), rated(UNKNOWN)))] == [
        Pattern.EXACT
    ]
    assert {one.scope for one in suggested(approval(action()))} == {Scope.CONVERSATION}
    assert suggested(approval(action(), may_remember=False)) == []


def answer(**more: Any) -> Answer:
    said = {
        "id": "a1.0",
        "client": "c",
        "approver": "alice",
        "choice": "approve",
        "digest": "0" * 64,
        "at": 1,
    }
    return Answer.checked(said | more)


# -- in an answer --------------------------------------------------------------------------------


def test_the_proof_covers_what_is_to_be_remembered() -> None:
    said = answer(grant=Remember(pattern="exact", uses=1))
    fields = {name.encode(): value.encode() for name, value in said.to_fields(said.proof(b"key")).items()}

    read, proof = Answer.from_fields(fields)
    assert read == said
    assert read.is_proved_by(proof, b"key")
    for forged in (b'{"pattern":"exact","uses":1000}', b'{"pattern":"tool"}', None):
        other = {name: value for name, value in fields.items() if name != b"grant"}
        if forged is not None:
            other[b"grant"] = forged
        changed, proof = Answer.from_fields(other)
        assert not changed.is_proved_by(proof, b"key")


@pytest.mark.parametrize(
    "more",
    [
        {"grant": "{"},
        {"grant": "[]"},
        {"grant": '{"pattern":"every"}'},
        {"grant": '{"pattern":"exact"}', "choice": "reject"},
        {"grant": '{"pattern":"exact","uses":1e9}'},
    ],
    ids=str,
)
def test_an_answer_with_a_wrong_wish_is_refused(more: dict[str, str]) -> None:
    with pytest.raises(InvalidAnswer, match="grant"):
        answer(**more)


# -- in words ------------------------------------------------------------------------------------


def test_it_is_said_in_words() -> None:
    seen = approval(action("cd /repo && rm -rf build/a 'x y'"), rated(HIGH, "shell.delete.workspace"))

    found = draft(Remember(pattern="command", scope="conversation", uses=1), seen)

    assert found.words == (
        "terminal: cd /repo && rm -rf <a path below build/> 'x y', by agent coder in conversation c1, "
        "up to HIGH with no finding beside shell.delete.workspace, once at most"
    )
    assert granted("ls", "tool").words == (
        "any call of terminal, by agent coder, up to HIGH with no finding, 10 times at most"
    )


def test_it_reads_what_it_wrote() -> None:
    grant = granted("rm -rf build/a")

    assert Grant.from_json(grant.to_json()) == grant
    assert len(grant.to_json()) < 700
