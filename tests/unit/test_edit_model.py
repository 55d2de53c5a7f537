"""Edits: what a verdict with other arguments is about, and what is riskier or stricter."""

from __future__ import annotations

from typing import Any

import pytest

from guardtier import ActionEvent, Assessment, Finding, Outcome, SecurityRisk, Verdict
from guardtier.assessment import MAX_FINDINGS
from guardtier.errors import DigestMismatch, EditedAction, InvalidAction, InvalidAnswer, WrongState
from guardtier.policy.edit import EditRequest, is_riskier, stricter
from guardtier.policy.terms import USUAL, Step, Terms
from guardtier.replies import Reply
from guardtier.status import status_of, verdict_of

ACTION = ActionEvent(id="a1.0", fleet="web", agent="bot", tool_name="terminal", arguments={"command": "rm"})
EDITED = ACTION.model_copy(update={"arguments": {"command": "ls"}})
LOW, MEDIUM, HIGH, UNKNOWN = (SecurityRisk(name) for name in ("LOW", "MEDIUM", "HIGH", "UNKNOWN"))


def a_verdict(**fields: Any) -> Verdict:
    known = {
        "id": "a1.0",
        "outcome": Outcome.APPROVED,
        "digest": EDITED.digest,
        "edited_from": ACTION.digest,
        "arguments": EDITED.arguments,
        "risk": LOW,
        "policy": "p",
        "decided_at": 1,
    }
    return Verdict(**known | fields)


def reply(verdict: Verdict) -> Reply:
    return Reply("a1.0", verdict.outcome.value, verdict)


def request(**fields: Any) -> EditRequest:
    known = {
        "id": "a1.0",
        "client": "c",
        "approver": "alice",
        "at": 1,
        "digest": ACTION.digest,
        "arguments": {"command": "ls"},
    }
    return EditRequest(**known | fields)


def test_the_edited_action_is_the_agents_own_but_for_its_arguments() -> None:
    assert a_verdict().apply(ACTION) == EDITED
    assert a_verdict(arguments=None, edited_from=None, digest=ACTION.digest).apply(ACTION) is ACTION


@pytest.mark.parametrize(
    "wrong",
    [
        {"arguments": {"command": "rm -rf /"}},
        {"arguments": {}},
        {"arguments": None},
        {"edited_from": None},
        {"edited_from": "0" * 64},
        {"digest": ACTION.digest},
        {"edited_from": EDITED.digest},
    ],
)
def test_arguments_that_the_digest_does_not_bind_never_run(wrong: dict[str, Any]) -> None:
    verdict = a_verdict(**wrong)

    with pytest.raises(DigestMismatch):
        verdict.apply(ACTION)
    with pytest.raises(DigestMismatch):
        verdict_of(reply(verdict), ACTION, accept_edits=True)


def test_another_agents_verdict_is_not_applied() -> None:
    with pytest.raises(DigestMismatch):
        a_verdict().apply(ACTION.model_copy(update={"agent": "other"}))


def test_a_client_that_takes_no_edits_raises() -> None:
    assert verdict_of(reply(a_verdict()), ACTION, accept_edits=True) == a_verdict()
    with pytest.raises(EditedAction, match="accept_edits"):
        verdict_of(reply(a_verdict()), ACTION)
    with pytest.raises(EditedAction):
        status_of(reply(a_verdict()), None)


def test_a_no_about_an_edit_is_a_no_for_everybody() -> None:
    verdict = a_verdict(outcome=Outcome.REJECTED, arguments=None, reason="no")

    assert verdict_of(reply(verdict), ACTION) == verdict
    with pytest.raises(WrongState, match="rejected"):
        verdict.apply(ACTION)


def test_the_model_is_told_what_runs_instead() -> None:
    told = a_verdict(arguments={"command": "ls\x1b[2K", "n": 3}, decided_by=("alice",)).feedback

    assert told.startswith('The action was approved by "alice": it may run, once. An approver changed it')
    assert '"command": "ls [2K", "n": "3"' in told
    assert told.isprintable()
    many = a_verdict(arguments={f"a{i}": "x" * 10**5 for i in range(100)}).feedback
    assert len(many) < 15_000


@pytest.mark.parametrize(
    ("edited", "seen", "riskier"),
    [
        (LOW, HIGH, False),
        (HIGH, HIGH, False),
        (HIGH, MEDIUM, True),
        (UNKNOWN, HIGH, True),
        (UNKNOWN, UNKNOWN, False),
        (HIGH, UNKNOWN, False),
    ],
)
def test_unknown_counts_as_riskier_than_any_other(
    edited: SecurityRisk, seen: SecurityRisk, riskier: bool
) -> None:
    assert is_riskier(Assessment(risk=edited), Assessment(risk=seen)) is riskier


def test_a_new_detector_that_says_high_is_riskier_and_so_is_a_failure() -> None:
    def rated(*ids: str, risk: SecurityRisk = HIGH) -> Assessment:
        return Assessment(
            risk=HIGH, findings=tuple(Finding(id=name, risk=risk, message="") for name in ids)
        )

    assert is_riskier(rated("a", "b"), rated("a"))
    assert not is_riskier(rated("a"), rated("a", "b"))
    assert not is_riskier(rated("b", risk=MEDIUM), rated("a"))
    assert is_riskier(Assessment.of_failure("x"), Assessment(risk=UNKNOWN))
    assert is_riskier(rated(*["a"] * MAX_FINDINGS), rated(*["a"] * MAX_FINDINGS))


def test_an_edit_waits_under_the_stricter_of_both_terms() -> None:
    had = Terms(approve=2, reject=3, roles=("ops",), time_limit=60, retry=60)
    now = Terms(approve=1, reject=2, roles=("dba",), reason_required=True, may_edit=False, time_limit=5)

    assert stricter(had, now) == Terms(
        approve=2,
        reject=2,
        roles=("dba",),
        reason_required=True,
        may_edit=False,
        time_limit=60,
        retry=600,
    )
    assert stricter(had, USUAL).roles == ("ops",)
    assert stricter(USUAL, USUAL) == USUAL


def test_those_are_told_whom_the_new_rule_names_and_within_the_time_that_is_left() -> None:
    had = Terms(time_limit=60, notify=("a",), remind_every=10)
    now = Terms(
        time_limit=600,
        notify=("b",),
        escalate=(Step(after=30, notify=("c",)), Step(after=300, notify=("d",))),
    )

    both = stricter(had, now)

    assert (both.notify, both.remind_every) == (("b",), None)
    assert [step.after for step in both.escalate] == [30]
    assert Terms.read(both.to_json()) == both
    assert stricter(had, USUAL) == had


def test_a_request_is_read_as_it_was_signed() -> None:
    signed = request(arguments={"b": 1.0, "a": ["ü", None, {"x": -0.0}]})
    proof = signed.proof(b"k")

    read, found = EditRequest.from_fields(
        {name.encode(): _bytes(value) for name, value in signed.to_fields(proof).items()}
    )

    assert (read, found) == (signed, proof)
    assert read.is_proved_by(proof, b"k")
    assert not request(arguments={}).is_proved_by(proof, b"k")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "payload"),
        (b"{", "payload"),
        (b'{"arguments":{"a":1,"a":2}}', "a"),
        (b'{"arguments":{"a":NaN}}', "payload"),
        (b'{"arguments":{"a":1' + b"0" * 30 + b"}}", "payload"),
        (b'{"arguments":' + b"[" * 70 + b"]" * 70 + b"}", "payload"),
        (b'{"arguments":{"a":"' + b"x" * 2**20 + b'"}}', "payload"),
    ],
)
def test_what_parsers_read_differently_is_refused(body: bytes, field: str) -> None:
    with pytest.raises(InvalidAction) as refused:
        EditRequest.from_fields({b"request": body})
    assert refused.value.field == field


def test_the_edited_action_must_be_one_and_another() -> None:
    assert request().applied_to(ACTION) == EDITED
    with pytest.raises(InvalidAnswer, match="approve it instead"):
        request(arguments=ACTION.arguments).applied_to(ACTION)
    long = ACTION.model_copy(update={"thought": "x" * 600_000})
    with pytest.raises(InvalidAction):
        request(arguments={"command": "y" * 600_000}).applied_to(long)


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()
