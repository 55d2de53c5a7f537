"""The confirmation policies: who waits for a person."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from guardtier import SecurityRisk
from guardtier.policy import AlwaysConfirm, ConfirmRisky, NeverConfirm, Policy

LOW, MEDIUM, HIGH, UNKNOWN = (SecurityRisk(name) for name in ("LOW", "MEDIUM", "HIGH", "UNKNOWN"))


@pytest.mark.parametrize("risk", SecurityRisk)
def test_always_confirms_and_never_does_not(risk: SecurityRisk):
    assert AlwaysConfirm().should_confirm(risk)
    assert not NeverConfirm().should_confirm(risk)


@pytest.mark.parametrize(
    ("threshold", "waiting"),
    [(HIGH, {HIGH}), (MEDIUM, {MEDIUM, HIGH}), (LOW, {LOW, MEDIUM, HIGH})],
)
def test_what_reaches_the_threshold_waits(threshold: SecurityRisk, waiting: set[SecurityRisk]):
    policy = ConfirmRisky(threshold=threshold)

    assert {risk for risk in (LOW, MEDIUM, HIGH) if policy.should_confirm(risk)} == waiting


def test_unknown_waits_unless_told_otherwise():
    assert ConfirmRisky().should_confirm(UNKNOWN)
    assert ConfirmRisky().should_confirm()
    assert not ConfirmRisky(confirm_unknown=False).should_confirm(UNKNOWN)


def test_unknown_is_no_threshold():
    with pytest.raises(ValidationError, match="use confirm_unknown"):
        ConfirmRisky(threshold=UNKNOWN)


def test_policies_that_decide_differently_have_different_versions():
    policies = [
        AlwaysConfirm(),
        NeverConfirm(),
        ConfirmRisky(),
        ConfirmRisky(confirm_unknown=False),
        ConfirmRisky(threshold=LOW),
    ]

    assert len({policy.version for policy in policies}) == len(policies)
    assert ConfirmRisky().version == ConfirmRisky(threshold=HIGH).version


@pytest.mark.parametrize("policy", [AlwaysConfirm(), NeverConfirm(), ConfirmRisky(threshold=LOW)])
def test_a_settings_file_names_a_policy_by_its_kind(policy: Policy):
    assert TypeAdapter(Policy).validate_python(policy.model_dump(mode="json")) == policy


@pytest.mark.parametrize("wrong", [{}, {"kind": "maybe"}, {"kind": "always_confirm", "threshold": "LOW"}])
def test_what_is_no_policy_is_refused(wrong: dict[str, str]):
    with pytest.raises(ValidationError):
        TypeAdapter(Policy).validate_python(wrong)
