"""The errors and their form on the wire."""

from __future__ import annotations

import pytest

from guardtier import errors
from guardtier.errors import (
    AlreadyRedeemed,
    GuardtierError,
    GuardTimeout,
    InvalidAction,
    QueueFull,
    WrongState,
)

KINDS = [
    kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, GuardtierError)
]


@pytest.mark.parametrize("kind", KINDS)
def test_each_error_is_raised_again_as_the_same_type(kind: type[GuardtierError]):
    sent = kind("what was wrong", field="arguments.x", limit=64)

    received = GuardtierError.from_json(sent.to_json())

    assert type(received) is kind
    assert (received.message, received.field, received.limit) == ("what was wrong", "arguments.x", 64)
    assert str(received) == "what was wrong"


def test_each_error_has_a_code_of_its_own():
    assert len({kind.code for kind in KINDS}) == len(KINDS) > 10


def test_what_is_not_known_is_left_out():
    assert InvalidAction("m").to_json() == b'{"code":"invalid_action","message":"m"}'


def test_an_unknown_code_becomes_a_plain_error():
    received = GuardtierError.from_json(b'{"code":"from_the_future","message":"m"}')

    assert type(received) is GuardtierError
    assert received.message == "m"


@pytest.mark.parametrize(
    "raw",
    [b"", b"\xff", b"[]", b"null", b"1", b'"x"', b"{}", b'{"code":"error"}', b'{"code":[],"message":""}'],
)
def test_bytes_that_are_no_error_become_one_that_says_so(raw: bytes):
    assert "can't be read" in GuardtierError.from_json(raw).message


def test_a_message_is_cut_on_the_wire():
    received = GuardtierError.from_json(InvalidAction("m" * 9999, field="f" * 9999).to_json())

    assert (len(received.message), len(received.field or "")) == (2000, 256)


def test_an_error_is_caught_by_its_family():
    assert issubclass(GuardTimeout, TimeoutError)
    assert issubclass(AlreadyRedeemed, WrongState)


def test_who_is_turned_away_reads_when_to_come_again():
    """The words are written once for many, and the time is each one's own."""
    head = QueueFull("more than 50 wait: ask again after retry_after seconds", field="max_queue").head()

    told = GuardtierError.from_json(head + b',"retry_after":2.25}')

    assert isinstance(told, QueueFull)
    assert (str(told), told.retry_after) == ("more than 50 wait: ask again after 2.2 s", 2.25)
