"""What `guardtier policy check` says of files that are allowed, and hardly meant."""

from __future__ import annotations

from guardtier.policy.advice import advice
from rulings import parsed, rule

TEST = '[[test]]\nname = "t"\naction = { fleet = "web", tool_name = "x" }\nexpect = "park"\nrisk = "LOW"\n'


def said(text: str) -> str:
    return "\n".join(advice(parsed(text + TEST)))


def test_nothing_where_all_is_well():
    assert said(rule(more='fleet = "web"')) == ""


def test_that_a_release_leaves_out_what_is_high():
    assert "release_high" in said(rule(outcome="release"))
    assert said(rule(outcome="release", more='risk = ["LOW", "MEDIUM"]')) == ""


def test_that_a_rule_never_decides():
    strict = rule("all", "reject", 'fleet = ["web", "data-*"]\nrisk = { at_least = "LOW" }')
    mild = rule("some", more='fleet = "data-1*"\nrisk = "HIGH"\nagent = "a"')

    assert "'some' never decides: what it matches, 'all' matches too, and says reject" in said(
        strict + mild
    )


def test_not_of_one_that_may_decide():
    mild = rule("some", more='fleet = "data-1*"')
    for matchers in (
        'fleet = "data-12"',
        'tool = "x"',
        'mode = "shadow"',
        'risk = "HIGH"',
        'when = "1 == 1"',
    ):
        assert "never decides" not in said(rule("strict", "reject", matchers) + mild)


def test_that_two_rules_together_ask_for_more_than_each():
    two = rule("a", more='tool = "x"\nterms = { roles = ["dba"] }') + rule(
        "b", more="terms = { approve = 2 }"
    )

    assert "'a' and 'b' may park the same action: then it takes 2 to approve with the role dba" in said(two)
    assert (
        said(two.replace('tool = "x"', 'tool = "x"\nfleet = "a*"').replace("approve = 2", "approve = 1"))
        == ""
    )
    assert (
        said(
            rule("a", more='tool = "x"\nterms = { roles = ["dba"] }')
            + rule("b", more='tool = "y*"\nterms = { approve = 2 }')
        )
        == ""
    )


def test_that_every_action_is_read():
    assert "of every action" in said(rule(more='target = "/srv/*"'))
    assert said(rule(more='target = "/srv/*"\ntool = "terminal"')) == ""


def test_that_nothing_is_tested():
    assert "[[test]]" in advice(parsed(rule()))[0]
    assert advice(parsed("")) == []


def test_that_a_finding_is_only_the_beginning_of_ids():
    findings = 'finding = ["sql.drop", "sql.truncate", "shell.delete", "flow", "http.upload", "sql.drop.*"]'

    assert [line.partition("finding ")[2] for line in said(rule(more=findings)).splitlines()] == [
        "'sql.drop' is only the beginning of ids: write 'sql.drop.*'",
        "'flow' is only the beginning of ids: write 'flow.*'",
    ]
    assert said('own = ["acme"]\n' + rule(more='finding = "acme"')) == ""


def test_that_a_reminder_is_for_nobody():
    assert "reminds nobody" in said(rule(more='terms = { remind_every = "5m" }'))
    assert said(rule(more='terms = { remind_every = "5m", notify = ["oncall"] }')) == ""


def test_that_a_name_is_no_glob_and_an_address_none_that_is_told():
    assert said(rule(more='tool = ["term?nal", "term*"]')).count("only * is special") == 1
    assert "only * is special" in said(rule(more='agent = "^coder.*$"'))
    assert "lower case" in said(rule(more='tool = "x"\ntarget = "https://Evil.example/*"'))
    assert said(rule(more='tool = "x"\ntarget = ["https://evil.example/Path?a=[1]", "/srv/[a]"]')) == ""
