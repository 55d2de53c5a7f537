"""Reading a policy file: what is in it, and what is said of one that can't be used."""

from __future__ import annotations

import sys

import pytest

from guardtier.errors import ConfigError
from guardtier.policy.confirmation import ConfirmRisky
from guardtier.policy.file import MAX_BYTES, MAX_RULES, PolicyFile
from guardtier.policy.terms import USUAL
from guardtier.risk import SecurityRisk
from rulings import compiled, parsed, rule


def complaint(text: str, version: str = "version = 1\n") -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        PolicyFile.parse(version + text, name="p.toml")
    assert caught.value.message.startswith("p.toml")
    return caught.value


def test_a_fleets_section_is_told():
    policy = compiled(
        """
        [fleet.web]
        policy = { kind = "confirm_risky", threshold = "MEDIUM" }
        mode = "shadow"
        terms = { approve = 2, roles = ["dba"], time_limit = "30m" }
        budget = { actions_a_minute = 120, rejected_in_a_row = 5, then = "reject" }
        """
    )

    assert policy.default_of("web") == ConfirmRisky(threshold=SecurityRisk.MEDIUM)
    assert policy.is_shadow("web")
    assert policy.terms_of("web").time_limit == 1800
    budget = policy.budget_of("web")
    assert budget is not None
    assert (budget.actions_a_minute, budget.then) == (120, "reject")


def test_of_another_fleet_nothing_is_said():
    policy = compiled('[fleet.web]\nmode = "shadow"\nterms = { approve = 2 }')

    assert policy.default_of("data") is None
    assert not policy.is_shadow("data")
    assert policy.terms_of("data") is USUAL
    assert policy.budget_of("data") is None


def test_channels_and_quorums_are_told_for_whoever_knows_people_and_settings():
    policy = compiled(
        rule("a", more='terms = { roles = ["dba"], approve = 2, notify = ["desk"] }')
        + rule("b", more='terms = { escalate = [{ after = "5m", notify = ["oncall", "desk"] }] }')
        + "[fleet.web]\nterms = { approve = 3 }"
    )

    assert policy.channels == {"desk", "oncall"}
    assert policy.quorums == {"rule.a": (("dba",), 2), "rule.b": (("dba",), 2), "fleet.web": ((), 3)}


def test_a_quorum_is_that_of_all_rules_that_surely_match_together():
    text = rule("all-dba", more='terms = { roles = ["dba"] }') + rule(
        "two", more='tool = "sql"\nterms = { approve = 2, roles = ["dba", "sre"] }'
    )

    assert compiled(text).quorums == {"rule.all-dba": (("dba",), 1), "rule.two": (("dba",), 2)}
    only_web = text.replace('name = "all-dba"', 'name = "all-dba"\nfleet = "web"')
    assert compiled(only_web).quorums["rule.two"] == (("dba", "sre"), 2)


#: What is wrong, the field that the error names, and what its message says.
WRONG = [
    (rule(more='toool = "x"'), "rule.r.toool", "did you mean 'tool'"),
    (rule(more="terms = { aprove = 2 }"), "rule.r.terms.aprove", "did you mean 'approve'"),
    (rule(more='time = { form = "10:00" }'), "rule.r.time.form", "did you mean 'from'"),
    (
        '[fleet.web]\npolicy = { kind = "confirm_risky", treshold = "LOW" }',
        "fleet.web.policy.treshold",
        "thres",
    ),
    ("[fleet.web]\nbudget = { then = 'park' }", "fleet.web.budget", "actions_a_minute"),
    ('ruel = "x"', "ruel", "did you mean 'rule'"),
    (rule(outcome="parked"), "rule.r.outcome", "'release', 'park' or 'reject'"),
    ('[[rule]]\noutcome = "park"', "rule.1.name", "rule number 1: name is missing"),
    (rule("block"), "rule.block", "taken"),
    (rule() + rule(), "rule.r.name", "2 rules are called 'r'"),
    (rule(more="tool = []"), "rule.r.tool", "can never match"),
    (rule(more="risk = []"), "rule.r.risk", "can never match"),
    (rule(more='risk = "HIHG"'), "rule.r.risk.0", "HIGH"),
    (rule(more='risk = { at_least = "UNKNOWN" }'), "rule.r.risk", "at_least"),
    (rule(more='fleet = "two words"'), "rule.r.fleet", "can never match"),
    (rule(more='finding = "Shell.Delete"'), "rule.r.finding", "can never match"),
    (rule(more='finding = "shel.delete.*"'), "rule.r.finding", "did you mean 'shell'"),
    (rule(more='finding = "shell.delet.*"'), "rule.r.finding", "did you mean 'delete'"),
    (rule(more='label = "secret.reed"'), "rule.r.label", "did you mean 'secret.read'"),
    (rule(more='time = { from = "10:00", to = "10:00" }'), "rule.r.time", "can never match"),
    (rule(more="time = { days = [] }"), "rule.r.time", "can never match"),
    (rule(more='time = { from = "6pm" }'), "rule.r.time.from", "as '08:00'"),
    ('[fleet.web]\npolicy = "always_confirm"', "fleet.web.policy", 'write { kind = "always_confirm" }'),
    ('[fleet."web-*"]\nmode = "shadow"', "fleet.web-*", "full name"),
    (rule(more='time = { days = "mo-fr" }'), "rule.r.time.days", "mon-fri"),
    (rule(more='time = { zone = "Europe/Atlantis" }'), "rule.r.time", "zone"),
    (rule(more='time = { zone = "../../etc/passwd" }'), "rule.r.time", "zone"),
    (rule(outcome="release", more='risk = "HIGH"'), "rule.r", "can never match"),
    (rule(outcome="release", more="release_high = true"), "rule.r", "owner"),
    (rule(outcome="park", more='release_high = true\nowner = "x"'), "rule.r", "release_high"),
    (rule(outcome="release", more="terms = { approve = 2 }"), "rule.r", "terms"),
    (rule(outcome="park", more='reason = "no"'), "rule.r", "reason"),
    (rule(more='terms = { time_limit = "soon" }'), "rule.r.terms.time_limit", "no time"),
    (rule(more="when = 'nobody == 1'"), "rule.r.when", "undeclared reference to 'nobody'"),
    (rule(more="when = 'fleet > 1'"), "rule.r.when", "no matching overload"),
    (rule(more="when = 'fleet =='"), "rule.r.when", "Syntax error"),
    (rule(more="when = 'action.arguments.amount'"), "rule.r.when", "true or false"),
    (rule(more="when = 'action.amount > 1.0'"), "rule.r.when", "action.amount"),
    (
        "[[test]]\nname = 't'\nexpect = 'park'\naction = { fleet = 'web' }",
        "test.t.action.tool_name",
        "missing",
    ),
    (
        "[[test]]\nname = 't'\nexpect = 'park'\nrules = ['x']\naction = { fleet = 'w', tool_name = 't' }",
        "test.t.rules",
        "no rule 'x'",
    ),
    ("[[rule]]\nname = 'r'\noutcom = 'park'", "rule.r.outcom", "did you mean 'outcome'"),
    ("rule = 3", "rule", "list"),
    ("[fleet.'a b']", "fleet", "a b"),
]


@pytest.mark.parametrize(("text", "field", "says"), WRONG, ids=[field for _, field, _ in WRONG])
def test_what_is_wrong_is_told_with_its_place(text: str, field: str, says: str):
    error = complaint(text)

    assert error.field is not None
    assert error.field.startswith(field)
    assert says in error.message


def test_the_format_has_a_version():
    assert complaint("", version="").field == "version"
    assert complaint("", version="version = 2").field == "version"


def test_a_file_that_is_no_toml_is_refused_with_the_line():
    assert "line 2" in complaint("[[rule]\n").message


def test_what_detectors_of_your_own_find_may_be_named():
    parsed('own = ["acme.*"]\n' + rule(more='finding = "acme.tills.*"\nlabel = "acme.vip"'))


def test_a_glob_that_may_match_something_known_is_allowed():
    parsed(rule(more='finding = ["*", "shell.d*", "*.credentials", "shell.*"]\nlabel = "*.read"'))


HUGE = [
    ("x" * MAX_BYTES, "bytes"),
    ('"\\"".' * 40_000 + "b = 1", "too many parts"),
    ("a." * 100_000 + "b = 1", "too many parts"),  # tomllib alone would take gigabytes
    ("a = " + "[" * 100_000, "nested"),
    ("".join(rule(f"r{number}") for number in range(MAX_RULES + 1)), "2000 items"),
    (rule(more=f"when = '{'fleet' + ' ' * 2000} == agent'"), "longer than 2000"),
    (rule(more=f"when = '{'(' * 500}true{')' * 500}'"), "recursion"),
]


@pytest.mark.parametrize(("text", "says"), HUGE, ids=[f"{says} {at}" for at, (_, says) in enumerate(HUGE)])
def test_sizes_are_bounded(text: str, says: str):
    assert says in complaint(text).message


def test_without_the_extra_a_condition_names_it(monkeypatch: pytest.MonkeyPatch):
    from guardtier.policy import condition

    condition._environment.cache_clear()
    monkeypatch.setitem(sys.modules, "cel_expr_python", None)
    try:
        assert "guardtier[cel]" in complaint(rule(more="when = 'true'")).message
    finally:
        condition._environment.cache_clear()
