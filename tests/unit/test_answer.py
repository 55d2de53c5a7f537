"""Answer: only who has the approver's token can prove one."""

from __future__ import annotations

from typing import Any

import pytest

from guardtier import Outcome
from guardtier.answer import MAX_REASON, Answer, Choice, key_of
from guardtier.errors import InvalidAnswer

KEY = key_of("ann's token")


def an_answer(**fields: Any) -> Answer:
    known = {
        "id": "a1.0",
        "client": "c1",
        "approver": "ann",
        "choice": Choice.APPROVE,
        "digest": "0" * 64,
        "reason": "Fine – go on",
        "at": 1_700_000_000_000,
    }
    return Answer(**{**known, **fields})


def fields_of(answer: Answer, proof: str) -> dict[bytes, bytes]:
    """What a worker reads from the stream."""
    return {k.encode(): v.encode() for k, v in answer.to_fields(proof).items()}


def test_an_answer_survives_the_stream_and_proves_its_approver():
    answer = an_answer()

    received, proof = Answer.from_fields(fields_of(answer, answer.proof(KEY)))

    assert received == answer
    assert received.is_proved_by(proof, KEY)


def test_another_token_proves_nothing():
    answer = an_answer()

    assert not answer.is_proved_by(answer.proof(key_of("bob's token")), KEY)


@pytest.mark.parametrize(
    "change",
    [
        {"id": "a2.0"},
        {"client": "c2"},
        {"approver": "bob"},
        {"choice": Choice.REJECT},
        {"digest": "1" * 64},
        {"reason": ""},
        {"at": 1_700_000_000_001},
        {"choice": Choice.REJECT, "retry": 60},
    ],
)
def test_a_proof_holds_for_every_field(change: dict[str, Any]):
    proof = an_answer().proof(KEY)

    assert not an_answer(**change).is_proved_by(proof, KEY)


@pytest.mark.parametrize("proof", ["", "0" * 64, "x"])
def test_a_made_up_proof_proves_nothing(proof: str):
    assert not an_answer().is_proved_by(proof, KEY)


def test_a_proof_that_is_not_ascii_proves_nothing():
    assert not an_answer().is_proved_by("é" * 64, KEY)


def test_an_answer_without_a_proof_can_be_read_but_proves_nothing():
    fields = fields_of(an_answer(), "x")
    del fields[b"proof"]

    answer, proof = Answer.from_fields(fields)

    assert not answer.is_proved_by(proof, KEY)


@pytest.mark.parametrize(
    ("name", "value", "limit"),
    [
        (b"id", b"a b", None),
        (b"client", b"c{1}", None),
        (b"choice", b"maybe", None),
        (b"digest", b"0", None),
        (b"at", b"-1", None),
        (b"at", b"soon", None),
        (b"reason", b"x" * (MAX_REASON + 1), MAX_REASON),
        (b"color", b"red", None),
        (b"retry", b"60", None),
        (b"retry", b"soon", None),
    ],
)
def test_a_wrong_field_is_named(name: bytes, value: bytes, limit: int | None):
    with pytest.raises(InvalidAnswer) as refused:
        Answer.from_fields(fields_of(an_answer(), "x") | {name: value})

    assert refused.value.field == name.decode()
    if limit is not None:
        assert refused.value.limit == limit


def test_a_rejection_may_say_how_long_the_same_is_refused():
    answer = an_answer(choice=Choice.REJECT, retry=60)

    received, proof = Answer.from_fields(fields_of(answer, answer.proof(KEY)))

    assert received.retry == 60
    assert received.is_proved_by(proof, KEY)
    assert not received.model_copy(update={"retry": 0}).is_proved_by(proof, KEY)


def test_what_an_answer_leaves_open_is_no_part_of_it():
    """So what a client says that knows no such field proves the same."""
    assert set(an_answer().to_fields("x")) == {
        "id",
        "client",
        "approver",
        "choice",
        "digest",
        "reason",
        "at",
        "proof",
    }


@pytest.mark.parametrize("retry", [-1, 31 * 24 * 3600])
def test_a_block_has_bounds(retry: int):
    with pytest.raises(InvalidAnswer) as refused:
        Answer.checked(an_answer(choice=Choice.REJECT).model_dump() | {"retry": retry})

    assert refused.value.field == "retry"


def test_bytes_that_are_no_text_are_refused():
    with pytest.raises(InvalidAnswer, match="UTF-8"):
        Answer.from_fields(fields_of(an_answer(), "x") | {b"reason": b"\xff"})


def test_a_key_is_not_its_token_and_differs_by_token():
    assert len(KEY) == 32
    assert KEY == key_of("ann's token") != key_of("ann's token ")


@pytest.mark.parametrize(
    ("choice", "outcome"),
    [(Choice.APPROVE, Outcome.APPROVED), (Choice.REJECT, Outcome.REJECTED)],
)
def test_a_choice_has_an_outcome(choice: Choice, outcome: Outcome):
    assert choice.outcome == outcome
