"""Tests in a policy file: rated by analyzers, or by what they say themselves."""

from __future__ import annotations

from typing import Any

import pytest

from guardtier.action import ActionEvent
from guardtier.assessment import Assessment, Finding
from guardtier.errors import ConfigError
from guardtier.policy.confirmation import AlwaysConfirm
from guardtier.policy.inline import TestResult
from guardtier.risk import SecurityRisk
from rulings import compiled, rule

HOME = Finding(id="shell.delete.home", risk=SecurityRisk.HIGH, message="…")


def one(more: str) -> str:
    return f'[[test]]\nname = "t"\naction = {{ fleet = "web", tool_name = "terminal" }}\n{more}\n'


def rated(action: ActionEvent) -> Assessment:
    return Assessment(risk=SecurityRisk.HIGH, findings=(HOME,), labels=("download",))


def result(text: str, *args: Any, **more: Any) -> TestResult:
    (found,) = compiled(text).run_tests(*args, **more)
    return found


def test_one_without_a_rating_is_rated_by_the_analyzers():
    text = rule(more='finding = "shell.delete.*"\nlabel = "download"') + one(
        'expect = "park"\nrules = ["r"]'
    )

    assert result(text, rated).passed


def test_without_analyzers_it_is_skipped():
    found = result(one('expect = "park"'))

    assert found.skipped
    assert not found.passed


def test_one_that_says_its_rating_needs_no_analyzers():
    text = rule(outcome="reject", more='finding = "shell.delete.*"') + one(
        'expect = "reject"\nrisk = "LOW"\nfindings = ["shell.delete.home"]\nlabels = ["download"]'
    )

    assert result(text).passed


def test_targets_are_asked_for_where_a_rule_asks_and_none_are_given():
    text = rule(more='target = "/srv/*"') + one('expect = "park"\nrisk = "LOW"')

    assert result(text).skipped
    assert result(text, targets=lambda action, findings: lambda: ("/srv/a",)).passed
    assert result(text + 'targets = ["/srv/b"]').passed
    assert not result(text + 'targets = ["/x"]').passed


def test_the_time_is_the_tests_own():
    text = rule(more='time = { from = "22:00" }') + one('risk = "LOW"\nexpect = "park"')

    assert not result(text).passed
    assert result(text + "at = 2026-01-05T23:00:00Z").passed


def test_the_default_is_the_files_then_the_callers_then_confirm_risky():
    text = one('risk = "MEDIUM"\nexpect = "park"')

    assert not result(text).passed
    assert result(text, default=lambda fleet: AlwaysConfirm()).passed
    assert result('[fleet.web]\npolicy = { kind = "always_confirm" }\n' + text).passed


WRONG = [
    ('expect = "reject"', "expected reject, got park by r"),
    ('expect = "park"\nrules = []', "expected by the default, got park by r"),
    ('expect = "park"\nrules = ["s"]', "expected by s, got park by r"),
    ('expect = "park"\nwould = "park"', "expected that it would park, got reject"),
    ('expect = "park"\nreason = "no"', "expected the reason 'no', got ''"),
]


@pytest.mark.parametrize(("wants", "wrong"), WRONG)
def test_what_is_not_as_expected_is_told(wants: str, wrong: str):
    text = rule() + rule("s", "reject", 'mode = "shadow"') + one(f'risk = "LOW"\n{wants}')

    assert result(text).wrong == wrong


def test_what_is_known_of_it_is_told_beside():
    """Else nobody could tell why a rule does not match: it waits for another finding, or another target."""
    wants = 'risk = "HIGH"\nfindings = ["shell.cloud.delete"]\nlabels = ["download"]\nexpect = "reject"'
    asks = rule("s3", "reject", 'target = "s3://*"')

    assert result(rule() + one(wants)).known == "it is HIGH, found: shell.cloud.delete, labels: download"
    told = result(asks + one(wants), targets=lambda action, findings: lambda: ("/srv/a", "/srv/b"))
    assert told.known.endswith(", targets: /srv/a, /srv/b")
    untold = result(
        rule(more="when = 'action.arguments.path == \"x\"'") + one('risk = "LOW"\nexpect = "release"')
    )
    assert untold.known.startswith("it is LOW, found: nothing; rule 'r' can't be told, so it parks: ")
    assert "path" in untold.known
    assert result(rule() + one('risk = "HIGH"\nexpect = "park"')).known == ""


def test_a_fleets_shadow_mode_is_looked_through():
    text = '[fleet.web]\nmode = "shadow"\n' + rule() + one('risk = "LOW"\nexpect = "park"\nrules = ["r"]')

    assert result(text).passed


@pytest.mark.parametrize(
    "more",
    ['findings = ["shell.read.home"]', "at = 2026-01-05T23:00:00", 'risk = "HIHG"', 'findngs = ["x"]'],
)
def test_what_says_nothing_certain_is_refused(more: str):
    with pytest.raises(ConfigError, match="test 't'"):
        compiled(one(f'expect = "park"\n{more}'))
