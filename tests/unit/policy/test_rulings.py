"""What a policy file comes to for one action: the strictest rule, else the default; errors park."""

from __future__ import annotations

from typing import Any

import pytest

from guardtier.action import ActionEvent
from guardtier.policy.compiled import BROKEN
from guardtier.policy.ruling import Effect, Facts, Ruling
from guardtier.risk import SecurityRisk
from rulings import compiled, facts, parked, released, rule, ruled

LOW, MEDIUM, HIGH, UNKNOWN = (SecurityRisk(name) for name in ("LOW", "MEDIUM", "HIGH", "UNKNOWN"))
RELEASE, PARK, REJECT = Effect.RELEASE, Effect.PARK, Effect.REJECT


def refund(amount: Any, **more: Any) -> Facts:
    action = ActionEvent(fleet="web", agent="a", tool_name="refund", arguments={"amount": amount})
    return facts(tool="refund", action=action, **more)


def test_where_no_rule_matches_the_default_decides_and_says_its_own_version():
    ruling = ruled(rule(more='fleet = "other"'))

    assert (ruling.effect, ruling.version, ruling.rules) == (RELEASE, "default", ())


def test_a_rule_decides_under_the_version_of_the_file():
    ruling = ruled(rule("mine"))

    assert (ruling.effect, ruling.version, ruling.rules) == (PARK, "file@7", ("mine",))


@pytest.mark.parametrize("order", [("release", "park", "reject"), ("reject", "park", "release")])
def test_the_strictest_wins_whatever_comes_first(order: tuple[str, ...]):
    text = "".join(rule(f"to-{outcome}", outcome) for outcome in order)

    assert ruled(text).rules == ("to-reject",)


def test_all_rules_of_the_strictest_outcome_are_named():
    assert ruled(rule("a") + rule("z", "release") + rule("b")).rules == ("a", "b")


def test_it_names_no_more_than_a_record_should_hold():
    text = "".join(rule(f"r{number}") for number in range(100))

    assert ruled(text).rules == tuple(f"r{number}" for number in range(20))


def test_a_rule_releases_what_the_default_would_park():
    assert ruled(rule(outcome="release"), default=parked).effect is RELEASE


@pytest.mark.parametrize("risk", [HIGH, UNKNOWN])
def test_what_is_high_or_unknown_is_released_only_by_a_rule_that_says_so(risk: SecurityRisk):
    given = facts(risk=risk)

    assert ruled(rule(outcome="release"), given, parked).effect is PARK
    knowingly = rule(outcome="release", more='release_high = true\nowner = "lab@example.com"')
    assert ruled(knowingly, given, parked).effect is RELEASE


def test_what_failed_is_never_released():
    failed = facts(risk=HIGH, failed=True)
    knowingly = rule(outcome="release", more='release_high = true\nowner = "lab@example.com"')

    assert ruled(knowingly, failed, released).effect is PARK
    assert ruled("", failed, released).effect is PARK
    assert ruled('[fleet.web]\nmode = "shadow"', failed, released).effect is PARK
    assert ruled(rule(outcome="reject"), failed).effect is REJECT


MATCHERS = [
    ('fleet = ["data-*", "web"]', True),
    ('fleet = "we"', False),
    ('agent = "coder-*"', True),
    ('agent = "*-2"', False),
    ('conversation = "c-*"', True),
    ('tool = "term*al"', True),
    ('tool = "Terminal"', False),
    ('risk = "MEDIUM"', True),
    ('risk = ["LOW", "HIGH"]', False),
    ('risk = { at_least = "MEDIUM" }', True),
    ('risk = { at_least = "HIGH" }', False),
    ('finding = ["sql.*", "shell.delete.*"]', True),
    ('finding = "shell.read.*"', False),
    ('label = "secret.*"', True),
    ('label = "download"', False),
    ('target = "*/prod/*"', True),
    ('target = "/etc/*"', False),
    ('time = { days = "fri", from = "10:00", to = "14:00" }', True),
    ('time = { days = "sat-sun" }', False),
    ('fleet = "web"\nagent = "coder-1"\nrisk = "MEDIUM"', True),
    ('fleet = "web"\nagent = "coder-2"\nrisk = "MEDIUM"', False),
]


@pytest.mark.parametrize(("matchers", "matches"), MATCHERS, ids=[text for text, _ in MATCHERS])
def test_all_matchers_must_hold(matchers: str, matches: bool):
    given = facts(
        findings=("shell.write.system", "shell.delete.home"),
        labels=("secret.read",),
        targets=lambda: ("/srv/prod/db", "notes.md"),
        now_ms=1_767_355_200_000,  # Friday 2026-01-02, 12:00 UTC
    )

    assert ruled(rule(more=matchers), given).effect is (PARK if matches else RELEASE)


def test_unknown_is_at_least_anything_unless_it_is_said_otherwise():
    given = facts(risk=UNKNOWN)

    assert ruled(rule(more='risk = { at_least = "HIGH" }'), given).effect is PARK
    assert ruled(rule(more='risk = { at_least = "HIGH", unknown = false }'), given).effect is RELEASE


def test_an_action_without_a_conversation_matches_no_glob_over_conversations():
    assert ruled(rule(more='conversation = "*"'), facts(conversation=None)).effect is RELEASE


def test_a_rejection_brings_its_reason():
    ruling = ruled(rule("a", "reject") + rule("b", "reject", 'reason = "not here"'))

    assert (ruling.effect, ruling.reason, ruling.rules) == (REJECT, "not here", ("a", "b"))


def test_a_condition_looks_at_the_action():
    text = rule(outcome="reject", more="when = 'action.arguments.amount > 100.0'")

    assert ruled(text, refund(200)).effect is REJECT
    assert ruled(text, refund(99.5)).effect is RELEASE


def test_a_condition_sees_all_that_is_known():
    given = refund(
        1,
        risk=HIGH,
        findings=("shell.send.data",),
        labels=("secret.read",),
        targets=lambda: ("https://x.example",),
        now_ms=1_767_355_200_000,
    )
    parts = (
        "fleet == 'web' && agent == 'coder-1' && conversation == 'c-1' && tool == 'refund'",
        "risk == 'HIGH' && 'secret.read' in labels && findings.exists(f, f.startsWith('shell.send'))",
        "targets.exists(t, t.endsWith('.example')) && now.getDayOfWeek() == 5",
        "action.claimed_risk == 'UNKNOWN' && action.summary == '' && action.thought == ''",
        "!has(action.annotations.readOnlyHint) && !has(action.arguments.other)",
    )
    for part in parts:
        assert ruled(rule(more=f'when = """{part}"""'), given).effect is PARK, part


@pytest.mark.parametrize("amount", ["100", None, True, [1], 10**25])
@pytest.mark.parametrize("outcome", ["release", "park", "reject"])
def test_a_condition_that_cannot_be_told_parks_and_names_its_rule(outcome: str, amount: Any):
    ruling = ruled(rule("amounts", outcome, "when = 'action.arguments.amount > 100.0'"), refund(amount))

    assert (ruling.effect, ruling.rules) == (PARK, ("amounts",))


def test_so_does_a_key_that_is_not_there_or_an_action_that_is_not_at_hand():
    text = rule("amounts", "release", "when = 'action.arguments.sum > 100.0'")

    assert ruled(text, refund(1)).effect is PARK
    assert ruled(text, facts(tool="refund")).effect is PARK


def test_so_does_a_condition_that_takes_too_many_steps():
    given = refund(list(range(20_000)))

    assert ruled(rule(more="when = 'action.arguments.amount.all(a, a < 0)'"), given).effect is RELEASE
    assert ruled(rule(more="when = 'action.arguments.amount.exists(a, a < 0)'"), given).effect is PARK


def test_a_rejection_beats_a_condition_that_cannot_be_told():
    text = rule("amounts", "reject", "when = 'action.arguments.amount > 1.0'") + rule("no", "reject")

    assert ruled(text, refund("x")).rules == ("no",)


def test_targets_that_cannot_be_told_park_and_name_the_rule():
    def untold() -> tuple[str, ...]:
        raise RuntimeError("a target is computed")

    given = facts(targets=untold)

    assert ruled(rule("srv", "reject", 'target = "/srv/*"'), given).rules == ("srv",)
    assert ruled(rule("srv", "release", 'target = "/srv/*"'), given).effect is PARK
    assert ruled(rule(), given).effect is PARK  # nobody asked for them: the rule itself parks


@pytest.mark.parametrize(
    "asks", ['target = "/srv/prod/*"', "when = 'targets.exists(t, t == \"/srv/prod/x\")'"]
)
@pytest.mark.parametrize(("path", "effect"), [("/srv/pr*d/x", PARK), ("/srv/prod/x", Effect.REJECT)])
def test_a_glob_that_may_stand_for_a_target_parks(asks: str, path: str, effect: Effect):
    action = ActionEvent(fleet="web", agent="coder-1", tool_name="terminal")

    assert ruled(rule("p", "reject", asks), facts(targets=lambda: (path,), action=action)).effect is effect


LOST = ("history.lost", "untrusted.in")


@pytest.mark.parametrize("asks", ['label = "secret.read"', "when = '\"secret.read\" in labels'"])
@pytest.mark.parametrize("outcome", ["reject", "park", "release"])
def test_where_the_history_is_lost_a_label_cannot_be_told(outcome: str, asks: str):
    action = ActionEvent(fleet="web", agent="coder-1", tool_name="terminal")
    ruling = ruled(rule("p", outcome, asks), facts(labels=LOST, action=action))

    assert (ruling.effect, ruling.rules, ruling.terms.may_remember) == (PARK, ("p",), False)


@pytest.mark.parametrize("asks", ['label = "untrusted.*"', 'label = "history.lost"'])
def test_a_label_that_there_is_can_be_told(asks: str):
    assert ruled(rule("p", "reject", asks), facts(labels=LOST)).effect is Effect.REJECT
    assert ruled(rule("p", "reject"), facts(labels=LOST)).effect is Effect.REJECT


def test_what_releases_names_each_target_not_one_among_others():
    text = rule("tmp", "release", 'target = ["/tmp/*", "/var/tmp/*"]')
    both = facts(targets=lambda: ("/etc/passwd", "/tmp/x"))

    assert ruled(text, both, default=parked).effect is PARK
    assert ruled(text, facts(targets=tuple), default=parked).effect is PARK
    mine = facts(targets=lambda: ("/tmp/x", "/var/tmp/y"))
    assert ruled(text, mine, default=parked).effect is RELEASE
    assert ruled(rule("etc", "reject", 'target = "/etc/*"'), both).effect is REJECT


@pytest.mark.parametrize("kind", ["finding", "redacted"])
def test_what_releases_names_each_finding_and_each_secret(kind: str):
    named = {"finding": ("shell.read.home", "shell.send.file"), "redacted": ("github_token", "private_key")}
    one, other = named[kind]
    text = rule("known", "release", f'{kind} = "{one}"')
    given = {"finding": "findings", "redacted": "redacted"}[kind]

    assert ruled(text, facts(**{given: (one, other)}), default=parked).effect is PARK
    assert ruled(text, facts(**{given: (one, one)}), default=parked).effect is RELEASE
    assert ruled(text, facts(**{given: ()}), default=parked).effect is PARK
    some = facts(**{given: (other, one)})
    assert ruled(rule("known", "reject", f'{kind} = "{one}"'), some).effect is REJECT


def test_nor_does_it_release_where_a_finding_may_be_cut_off():
    full = facts(findings=("shell.read.home",) * 64)
    text = rule("known", "release", 'finding = "shell.read.*"')

    assert (ruled(text, full).effect, ruled(text, full).rules) == (PARK, ("known",))


def test_targets_are_asked_for_once_and_only_where_a_rule_that_holds_asks():
    asked = []

    def told() -> tuple[str, ...]:
        asked.append(1)
        return ("/srv/a",)

    given = facts(targets=told)
    ruled(rule(more='target = "/srv/*"\ntool = "other"'), given)
    assert not asked

    ruled(rule("a", more='target = "/x/*"') + rule("b", more='target = "/srv/*"'), given)
    assert len(asked) == 1


def test_what_may_be_buried_under_too_many_findings_parks():
    full = facts(findings=("shell.read.home",) * 64)  # what an assessment keeps
    text = rule("sent", "reject", 'finding = "shell.send.*"')

    assert ruled(text, facts(findings=("shell.read.home",) * 63)).effect is RELEASE
    assert (ruled(text, full).effect, ruled(text, full).rules) == (PARK, ("sent",))
    assert ruled(rule("read", "reject", 'finding = "*.home"'), full).effect is REJECT
    assert ruled(rule("else", "reject", 'tool = "x"\nfinding = "a*"'), full).effect is RELEASE


def test_questions_that_take_too_long_park(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("guardtier.policy.asking.MAX_SECONDS", -1.0)
    text = rule("a", "reject", "when = '1 == 2'") + rule("b", "reject", "when = '1 == 2'")

    assert ruled(text, refund(1)).rules == ("b",)


def test_an_error_of_the_default_parks():
    def broken(_: Facts) -> Ruling:
        raise RuntimeError("boom")

    ruling = ruled("", default=broken)

    assert (ruling.effect, ruling.rules) == (PARK, (BROKEN,))
    assert not ruling.terms.may_remember


def test_no_grant_releases_what_a_rule_could_not_tell():
    text = rule("amounts", more="when = 'action.arguments.amount > 100.0'")

    assert ruled(text, refund(200)).terms.may_remember
    assert not ruled(text, refund("200")).terms.may_remember
    buried = facts(findings=("shell.read.home",) * 64)
    assert not ruled(rule(more='finding = "shell.send.*"'), buried).terms.may_remember


def test_a_rule_in_shadow_mode_changes_nothing_and_says_what_it_would():
    ruling = ruled(rule("trial", more='mode = "shadow"'))

    assert (ruling.effect, ruling.rules) == (RELEASE, ())
    assert (ruling.would, ruling.would_by) == (PARK, ("trial",))


def test_a_rule_in_shadow_mode_that_would_change_nothing_says_nothing():
    assert ruled(rule("trial", more='mode = "shadow"') + rule("real")).would is None


def test_a_release_on_trial_says_that_it_would_release():
    ruling = ruled(rule("trial", "release", 'mode = "shadow"'), default=parked)

    assert (ruling.effect, ruling.would) == (PARK, RELEASE)


def test_in_a_fleet_in_shadow_mode_everything_is_released():
    ruling = ruled('[fleet.web]\nmode = "shadow"\n' + rule("no", "reject"))

    assert (ruling.effect, ruling.would, ruling.would_by) == (RELEASE, REJECT, ("no",))
    assert ruled('[fleet.web]\nmode = "shadow"').would is None


def test_the_default_parks_under_the_fleets_terms_and_so_does_a_rule_without_its_own():
    fleet = "[fleet.web]\nterms = { approve = 2 }\n"

    assert ruled(fleet, default=parked).terms.approve == 2
    assert ruled(fleet + rule()).terms.approve == 2
    assert ruled(fleet + rule(more="terms = { approve = 3 }")).terms.approve == 3


def test_needs_action_only_where_a_rule_of_the_fleet_asks():
    policy = compiled(
        rule("a", more='fleet = "data-*"\ntool = "refund"\nwhen = "true"')
        + rule("b", more='fleet = "web"\ntarget = "/srv/*"')
        + rule("c", more='fleet = "idle"')
    )

    assert policy.needs_action("data-1")
    assert policy.needs_action("data-1", "refund")
    assert not policy.needs_action("data-1", "terminal")
    assert policy.needs_action("web", "anything")
    assert not policy.needs_action("idle")
