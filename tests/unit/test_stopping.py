"""What a halt or a block makes of a policy's ruling: the stricter counts, and everybody is told why."""

from __future__ import annotations

from itertools import product

import pytest

from guardtier.assessment import MAX_FINDINGS, Assessment, Finding
from guardtier.policy.block import Block
from guardtier.policy.halts import Halt, Scope
from guardtier.policy.ruling import Effect, Ruling
from guardtier.policy.terms import USUAL, Terms
from guardtier.risk import SecurityRisk
from guardtier.store.ledger import Circumstances
from guardtier_workers.stopping import stop_of, stop_under

TERMS = Terms(approve=2)
PARKS = Halt(reason="stop", by="olga", at=1)
REJECTS = Halt(reason="stop", by="olga", at=1, then="reject")
BLOCK = Block(reason="no", by="alice", id="a.0", until=1).to_json()


@pytest.mark.parametrize(("effect", "then"), list(product(Effect, ("park", "reject"))))
def test_the_stricter_of_the_two_counts(effect: Effect, then: str) -> None:
    halt = PARKS if then == "park" else REJECTS

    ruling = stop_of(halt).over(Ruling(effect, "p@1", rules=("mine",), terms=TERMS, reason="policy's"))

    assert ruling.effect.strictness == max(effect.strictness, Effect(then).strictness)
    assert ruling.version == "p@1"
    if effect is Effect.REJECT and then == "park":
        assert (ruling.rules, ruling.reason) == (("mine",), "policy's")
    else:
        assert ruling.rules[0] == "halt"
        assert ruling.reason == "Halted by olga: stop"


def test_what_the_policy_parks_keeps_its_terms_and_what_it_releases_gets_the_usual() -> None:
    stop = stop_of(PARKS)

    assert stop.over(Ruling(Effect.PARK, "p", terms=TERMS)).terms == TERMS
    assert stop.over(Ruling(Effect.RELEASE, "p", terms=TERMS)).terms == USUAL


def test_what_shadow_mode_would_have_done_stays_on_record() -> None:
    ruling = Ruling(Effect.RELEASE, "p", would=Effect.REJECT, would_by=("mine",))

    assert stop_of(PARKS).over(ruling).would is Effect.REJECT


def test_nothing_is_stopped_where_nothing_stands() -> None:
    assert stop_under(Circumstances(policy=b"x", file=b"y")) is None


@pytest.mark.parametrize("garbage", [b"!", b"{}", b"\xff", b"[]"])
def test_what_can_not_be_read_parks(garbage: bytes) -> None:
    for circumstances in (Circumstances(halt=garbage), Circumstances(block=garbage)):
        stop = stop_under(circumstances)
        assert stop is not None
        assert stop.effect is Effect.PARK


@pytest.mark.parametrize("halt", [PARKS.to_json(), REJECTS.to_json(), b"!"])
def test_a_block_counts_beside_any_halt(halt: bytes) -> None:
    stop = stop_under(Circumstances(halt=halt, block=BLOCK))

    assert stop is not None
    assert (stop.effect, stop.rule, stop.reason) == (Effect.REJECT, "block", "no")


def test_a_halt_counts_beside_a_block_that_can_not_be_read() -> None:
    stop = stop_under(Circumstances(halt=REJECTS.to_json(), block=b"!"))

    assert stop is not None
    assert (stop.effect, stop.rule) == (Effect.REJECT, "halt")


def test_the_finding_comes_first_and_leaves_the_rating_alone() -> None:
    found = [Finding(id=f"x.f{n}", risk=SecurityRisk.LOW, message="m") for n in range(MAX_FINDINGS)]
    rated = Assessment(risk=SecurityRisk.LOW, findings=tuple(found))

    told = stop_of(PARKS.model_copy(update={"reason": "x" * 1000})).told_in(rated)

    assert (told.risk, told.findings[0].id, len(told.findings)) == ("LOW", "agent.halted", MAX_FINDINGS)
    assert Assessment.from_json(told.to_json()) == told


@pytest.mark.parametrize(
    ("scope", "covered"),
    [
        (Scope(fleet="web"), (True, True, True, False)),
        (Scope(fleet="web", agent="a"), (True, True, False, False)),
        (Scope(fleet="web", agent="a", conversation="c"), (False, True, False, False)),
    ],
)
def test_a_scope_covers_what_it_names(scope: Scope, covered: tuple[bool, ...]) -> None:
    whose = [("web", "a", None), ("web", "a", "c"), ("web", "b", "c"), ("ops", "a", "c")]

    assert tuple(scope.covers(*one) for one in whose) == covered
    assert Scope.of_key(scope.key) == scope


@pytest.mark.parametrize("key", ["", "web ", "web  c", "web a c d", "no:fleet", "web \x00"])
def test_what_names_nothing_is_no_scope(key: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever it says
        Scope.of_key(key)


def test_what_a_newer_worker_wrote_is_read() -> None:
    raw = b'{"at":1,"by":"b","reason":"r","scope":"web a c","then":"reject","until":9}'

    assert Halt.read(raw) == Halt(reason="r", by="b", at=1, then="reject", scope="web a c")
