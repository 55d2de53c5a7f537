"""The model that replays audit lines: it takes every true story, and no line that can't be."""

from __future__ import annotations

import json
from typing import Any

import pytest

from audit_model import AuditBroken, AuditModel, Line

A, B = "a" * 64, "b" * 64  # digests


def line(event: str, action_id: str = "a1.0", **fields: Any) -> Line:
    details = fields.pop("details", None)
    known = {
        "id": action_id,
        "event": event,
        "fleet": "web",
        "agent": "bot",
        "digest": A,
        "risk": "HIGH",
        "policy": "p@1",
    } | fields
    return known | ({"details": json.dumps(details)} if details else {})


def vote(
    event: str, who: str, choice: str = "approve", need: tuple[int, int] = (1, 1), **more: Any
) -> Line:
    """An answer's line; without ``approved`` and ``rejected`` only this vote counts."""
    approved = more.pop("approved", [who] if choice == "approve" else [])
    rejected = more.pop("rejected", [who] if choice == "reject" else [])
    details = {
        "principal": who,
        "choice": choice,
        "approved_by": approved,
        "rejected_by": rejected,
        "need": {"approve": need[0], "reject": need[1]},
    }
    return line(event, by=who, details=details, **more)


def edit(who: str = "ann", *, digest: str = B, was: str = A, riskier: bool = False) -> Line:
    counted = [] if riskier else [who]
    return vote("edited", who, approved=counted, digest=digest, was=was)


def halt(scope: str) -> Line:
    return line("halted", "h1.0", details={"scope": scope})


def resume(scope: str) -> Line:
    return line("resumed", "h2.0", details={"scope": scope})


ASSESSED, PARKED = line("assessed"), line("parked")
EXPIRED, REDEEMED, APPROVED = line("expired"), line("redeemed"), vote("approved", "ann")
ANN_OF_TWO = vote("answered", "ann", need=(2, 1))

STORIES: dict[str, tuple[list[Line], str]] = {
    "released": ([line("released")], "released"),
    "rejected by the policy": ([line("rejected")], "rejected"),
    "parked": ([PARKED], "parked"),
    "approved and redeemed": ([PARKED, APPROVED, REDEEMED], "redeemed"),
    "rejected by a person": ([PARKED, vote("rejected", "ann", "reject")], "rejected"),
    "expired": ([PARKED, EXPIRED], "expired"),
    "two approve": (
        [PARKED, ANN_OF_TWO, vote("approved", "bob", need=(2, 1), approved=["ann", "bob"])],
        "approved",
    ),
    "one of two": ([PARKED, ANN_OF_TWO], "parked"),
    "a change of mind": (
        [PARKED, ANN_OF_TWO, vote("rejected", "ann", "reject", need=(2, 1))],
        "rejected",
    ),
    "the same answer twice counts once": ([PARKED, ANN_OF_TWO, ANN_OF_TWO], "parked"),
    "a voter who may not any more": ([PARKED, ANN_OF_TWO, vote("answered", "bob", need=(2, 1))], "parked"),
    "edited and approved": ([PARKED, edit(), vote("approved", "ann", digest=B)], "approved"),
    "edited, riskier": ([PARKED, edit(riskier=True), vote("approved", "bob", digest=B)], "approved"),
    "edited, votes on what was before are gone": (
        [PARKED, ANN_OF_TWO, edit("bob"), vote("approved", "bob", digest=B)],
        "approved",
    ),
    "extended twice": (
        [
            PARKED,
            line("extended", was="5", deadline="10"),
            line("extended", was="10", deadline="15"),
            EXPIRED,
        ],
        "expired",
    ),
    "rejected by a halt": ([PARKED, line("rejected", details={"halt": "web"})], "rejected"),
    "refusals change nothing": ([PARKED, line("answer_refused"), line("edit_refused"), EXPIRED], "expired"),
    "repeated": ([line("released"), line("repeated", state="released")], "released"),
    "what is beside it": ([line("granted"), line("blocked"), PARKED], "parked"),
    "halted, then resumed": ([PARKED, halt("web"), APPROVED, resume("web"), REDEEMED], "redeemed"),
    "others are halted": ([halt("web bot c1"), halt("web bo"), halt("we"), line("released")], "released"),
}

BROKEN: dict[str, list[Line]] = {
    "assessed twice": [ASSESSED],
    "decided twice": [line("released"), PARKED],
    "approved, but never parked": [APPROVED],
    "approved twice": [PARKED, APPROVED, vote("approved", "bob")],
    "approved after its end": [PARKED, EXPIRED, APPROVED],
    "expired after its end": [PARKED, APPROVED, EXPIRED],
    "redeemed twice": [PARKED, APPROVED, REDEEMED, REDEEMED],
    "redeemed without approval": [PARKED, REDEEMED],
    "approved by one of two": [PARKED, vote("approved", "ann", need=(2, 1))],
    "one principal counted twice": [
        PARKED,
        ANN_OF_TWO,
        vote("approved", "ann", need=(2, 1), approved=["ann", "ann"]),
    ],
    "somebody counted who did not answer": [
        PARKED,
        vote("approved", "ann", need=(2, 1), approved=["ann", "bob"]),
    ],
    "not decided though there are enough": [PARKED, vote("answered", "ann")],
    "approved though there are enough rejections": [
        PARKED,
        vote("answered", "ann", "reject", need=(1, 2)),
        vote("approved", "bob", "reject", need=(1, 2), rejected=["ann", "bob"]),
    ],
    "a vote that is counted as its opposite": [PARKED, vote("approved", "ann", "reject", approved=["ann"])],
    "an answer that doesn't say whose": [PARKED, line("approved", by="ann")],
    "an answer about another digest": [PARKED, vote("approved", "ann", digest=B)],
    "an approval of what was edited since": [PARKED, edit(riskier=True), vote("approved", "bob")],
    "an edit of something else": [PARKED, edit(was=B)],
    "an edit after the end": [PARKED, APPROVED, edit()],
    "an edit with another's vote": [PARKED, vote("edited", "ann", approved=["bob"], digest=B, was=A)],
    "a halt that is none": [PARKED, line("rejected", by="eve")],
    "extended back": [PARKED, line("extended", was="10", deadline="5")],
    "extended from another deadline": [
        PARKED,
        line("extended", was="5", deadline="10"),
        line("extended", was="5", deadline="15"),
    ],
    "repeated in another state": [PARKED, line("repeated", state="released")],
    "released while its fleet is halted": [halt("web"), line("released")],
    "released while its conversation is halted": [
        halt("web bot c1"),
        line("released", conversation="c1"),
    ],
    "redeemed while its agent is halted": [PARKED, APPROVED, halt("web bot"), REDEEMED],
    "resumed, though nothing was halted": [halt("web"), resume("web bot")],
    "of another fleet": [line("parked", fleet="ops")],
    "unknown": [line("forgiven")],
}


@pytest.mark.parametrize("story", STORIES)
def test_a_true_story_ends_where_it_says(story: str) -> None:
    lines, state = STORIES[story]

    assert AuditModel().replay([ASSESSED, *lines]).states == {"a1.0": state}


@pytest.mark.parametrize("story", BROKEN)
def test_a_line_that_cannot_be_breaks_the_replay(story: str) -> None:
    with pytest.raises(AuditBroken):
        AuditModel().replay([ASSESSED, *BROKEN[story]])


def test_nothing_happens_to_what_was_never_assessed() -> None:
    with pytest.raises(AuditBroken, match="never assessed"):
        AuditModel().replay([PARKED])


def test_who_decided_is_told() -> None:
    lines = [PARKED, ANN_OF_TWO, vote("approved", "bob", need=(2, 1), approved=["ann", "bob"])]

    story = AuditModel().replay([ASSESSED, *lines]).stories["a1.0"]

    assert (story.decided_by, story.ended) == (("ann", "bob"), False)
