"""A policy may say what becomes of an action that carries a secret: the tier keeps only its mark."""

from __future__ import annotations

from typing import Any

import pytest

from guardtier.action import ActionEvent
from guardtier.errors import ConfigError
from guardtier.policy.advice import advice
from guardtier.policy.ruling import Effect
from guardtier.redacted import Fingerprinter, has_marks, rules_marked_in
from rulings import compiled, facts, parsed, rule, ruled

PRINTS = Fingerprinter(b"k" * 32)
MARK = PRINTS.mark("web", "github_token", "secret")


def action(command: str, **fields: Any) -> ActionEvent:
    return ActionEvent(fleet="web", agent="a", tool_name="t", arguments={"command": command}, **fields)


@pytest.mark.parametrize(
    ("matcher", "effect"),
    [
        ('redacted = "*"', Effect.PARK),
        ('redacted = ["private_key", "github_*"]', Effect.PARK),
        ('redacted = "private_key"', Effect.RELEASE),
        ("when = \"'github_token' in redacted\"", Effect.PARK),
        ('when = "size(redacted) > 1"', Effect.RELEASE),
    ],
)
def test_rules_and_conditions_see_which_secrets_an_action_holds(matcher: str, effect: Effect) -> None:
    given = facts(redacted=("github_token",), action=action("ls"))

    assert ruled(rule(more=matcher), given).effect is effect
    assert ruled(rule(more=matcher), facts(action=action("ls"))).effect is Effect.RELEASE


def test_a_rule_that_goes_by_secrets_alone_reads_no_record() -> None:
    text = rule(more='redacted = "*"')

    assert not compiled(text).needs_action("web")
    assert not any("asks" in said for said in advice(parsed(text)))


def test_a_rule_for_secrets_that_there_is_not_is_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean 'github_token'"):
        parsed(rule(more='redacted = "githb_token"')).compiled()
    parsed(rule(more='redacted = "acme-key"'))  # a user's own, which ours are never called like


def test_what_carries_a_secret_waits_for_somebody_with_a_role() -> None:
    given = facts(redacted=("by_name",))

    terms = ruled(rule(more='redacted = "*"\nterms = { roles = ["security"] }'), given).terms

    assert terms.roles == ("security",)


@pytest.mark.parametrize("before", ["", "\n", "\t", "é ", "x="])
@pytest.mark.parametrize("after", ["", "_1", "\n", "9"])
def test_a_mark_is_found_wherever_a_secret_stood(before: str, after: str) -> None:
    found = action(f"{before}{MARK}{after}")

    assert rules_marked_in(found) == ("github_token",)
    assert has_marks(found.to_json())
    assert rules_marked_in(action("ls", thought=f"{before}{MARK}{after}")) == ("github_token",)
    assert rules_marked_in(action("echo redacted:x:y")) == ()


def test_an_inline_test_may_write_the_mark_or_name_the_rule() -> None:
    text = rule(more='redacted = "github_token"')
    for more in (f'arguments = {{ command = "echo {MARK}" }} }}', '}\nredacted = ["github_token"]'):
        text += f"""
[[test]]
name = "{len(text)}"
expect = "park"
risk = "LOW"
action = {{ fleet = "web", tool_name = "terminal"{"," if "arg" in more else ""} {more}
"""
    assert [one.wrong for one in compiled(text).run_tests()] == ["", ""]
