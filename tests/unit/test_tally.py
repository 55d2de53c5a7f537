"""Tally: what votes come to, whatever their order."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardtier.answer import Choice
from guardtier.policy.tally import Vote, count, principals, read_votes, tally, votes_to_json, with_vote
from guardtier.policy.terms import Terms

DIGEST, OTHER = "a" * 64, "b" * 64


def vote(principal: str, choice: Choice = Choice.APPROVE, **fields: object) -> Vote:
    known = {"principal": principal, "approver": principal, "choice": choice, "digest": DIGEST}
    return Vote(**known | {"at": 1, "proof": f"{principal} {choice}"} | fields)


def votes_of(text: str) -> tuple[Vote, ...]:
    """``a+ b- a-``: who approves and who rejects, in this order."""
    votes: tuple[Vote, ...] = ()
    for word in text.split():
        votes = with_vote(votes, vote(word[:-1], Choice.APPROVE if word[-1] == "+" else Choice.REJECT))
    return votes


@pytest.mark.parametrize(
    ("terms", "votes", "choice"),
    [
        (Terms(), "", None),
        (Terms(), "a+", Choice.APPROVE),
        (Terms(), "a-", Choice.REJECT),
        (Terms(approve=2), "a+", None),
        (Terms(approve=2), "a+ a+", None),
        (Terms(approve=2), "a+ b+", Choice.APPROVE),
        (Terms(approve=2), "a+ b-", Choice.REJECT),
        (Terms(approve=2, reject=2), "a+ b-", None),
        (Terms(approve=2, reject=2), "a+ b- a-", Choice.REJECT),
        (Terms(approve=2, reject=2), "a- b- a+", None),
        (Terms(approve=2, reject=3), "a+ b- c- d+", Choice.APPROVE),
        (Terms(approve=2, reject=2), "a+ b+ c- d-", Choice.REJECT),
    ],
    ids=str,
)
def test_what_votes_come_to(terms: Terms, votes: str, choice: Choice | None):
    assert tally(terms, votes_of(votes), DIGEST) is choice


def test_a_vote_on_another_action_counts_for_nothing():
    votes = [vote("a"), vote("b", digest=OTHER)]

    assert tally(Terms(approve=2), votes, DIGEST) is None
    assert principals(votes, Choice.APPROVE, DIGEST) == ("a",)


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=8))
def test_one_principal_counts_once_and_by_the_last_word(said: list[tuple[str, bool]]):
    votes: tuple[Vote, ...] = ()
    for name, yes in said:
        votes = with_vote(votes, vote(name, Choice.APPROVE if yes else Choice.REJECT))

    last = dict(said)
    counted = count("a1.0", Terms(approve=3, reject=3), votes, DIGEST)
    assert set(counted.approved_by) == {name for name, yes in last.items() if yes}
    assert set(counted.rejected_by) == {name for name, yes in last.items() if not yes}
    assert len(counted.approved_by) + len(counted.rejected_by) == len(last)


def test_the_order_of_votes_changes_nothing():
    votes = votes_of("a+ b+ c- d-")

    assert len({tally(Terms(approve=2, reject=3), order, DIGEST) for order in permutations(votes)}) == 1


def test_votes_survive_the_record():
    votes = (vote("a", reason="I looked ✓"), vote("b", Choice.REJECT))

    assert read_votes(votes_to_json(votes)) == votes
    assert read_votes(b"") == ()


@pytest.mark.parametrize("raw", [b"{}", b"[{}]", b'["a"]', b"!", b'[{"principal":"a"}]'])
def test_votes_that_cannot_be_read_are_an_error(raw: bytes):
    with pytest.raises(ValueError, match=r"."):
        read_votes(raw)


def test_what_is_counted_is_told_in_words():
    told = count("a1.0", Terms(approve=2), votes_of("alice+"), DIGEST)
    split = count("a1.0", Terms(approve=3, reject=2), votes_of("alice+ bob-"), DIGEST)

    assert told.in_words == "1 of 2 approvals: alice"
    assert split.in_words == "1 of 3 approvals: alice; 1 of 2 rejections: bob"
    assert not told.allowed
