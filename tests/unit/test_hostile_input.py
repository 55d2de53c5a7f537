"""Anything that an attacker may send is read in one way, or refused with an error of ours."""

from __future__ import annotations

from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz import oracles
from guardtier.errors import GuardtierError
from guardtier.replies import MOST_EARLY, Reply, Wait
from guardtier.status import read_page
from guardtier.verdict import Verdict
from hostile import TEXTS, Hostile
from tier import low

#: The same examples in each run: what is found goes into a test of its own.
bounded = settings(max_examples=60, derandomize=True, database=None, deadline=None)

_LEAVES = [
    None,
    True,
    0,
    -1,
    2**63,
    2**64,
    1.5,
    1e308,
    "",
    "web",
    "a1.0",
    "x" * 300,
    "\ud800",
    "\u202e",
    "\0",
]
JSON = st.one_of(
    st.sampled_from(_LEAVES),
    st.lists(st.sampled_from(_LEAVES), max_size=3),
    st.dictionaries(
        st.sampled_from(["", "a", "id", "\ud800"]), st.sampled_from([*_LEAVES, [], {}, [[]]]), max_size=3
    ),
)
FIELDS = ("id", "fleet", "agent", "conversation", "tool_name", "arguments", "summary", "thought",
    "security_risk",
          "annotations")  # fmt: skip
GOOD = orjson.loads(low(id="a1.0").to_json())


def written(value: Any) -> bytes:
    """As another program may write it: not in our form, and with what JSON does not have."""
    import json

    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


@bounded
@given(st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=3), st.booleans())
def test_a_payload_is_read_in_one_way(changes: dict[str, Any], spaced: bool) -> None:
    value = GOOD | changes

    oracles.payload(written(value) if spaced else orjson.dumps(GOOD))
    oracles.envelope({b"id": b"a1.0", b"client": b"c", b"payload": written(value)})


@bounded
@given(st.binary(max_size=200) | st.sampled_from(TEXTS))
def test_bytes_are_read_in_one_way(raw: bytes) -> None:
    oracles.payload(raw)
    oracles.payload(b'{"a":' + raw + b"}")
    oracles.body(raw)


def test_a_good_payload_is_accepted() -> None:
    assert oracles.payload(low(id="a1.0").to_json())
    assert oracles.envelope({b"id": b"a1.0", b"client": b"c", b"payload": low(id="a1.0").to_json()})


@pytest.mark.parametrize("seed", range(4))
def test_entries_of_agents_and_approvers_are_refused_with_our_errors(seed: int) -> None:
    made = Hostile(seed)

    for _ in range(200):
        oracles.envelope(made.request())
        oracles.request(made.answer())


VERDICT = {
    "id": "a1.0", "outcome": "released", "digest": oracles.ASKED.digest, "risk": "LOW", "policy": "p",
    "decided_at": 1,
}  # fmt: skip
REPLY = {b"id": b"a1.0", b"state": b"released", b"verdict": orjson.dumps(VERDICT)}


def test_the_reply_that_is_due_lets_it_run() -> None:
    assert oracles.reply(REPLY)


@bounded
@given(st.dictionaries(st.sampled_from([*Verdict.model_fields]), JSON, min_size=1, max_size=3))
def test_a_changed_verdict_lets_nothing_else_run(changes: dict[str, Any]) -> None:
    body = written(VERDICT | changes)

    ran = oracles.reply(REPLY | {b"verdict": body})

    bound = {"id", "digest", "outcome", "arguments", "edited_from"} & changes.keys()
    about_this = all(VERDICT.get(name) == changes[name] for name in bound)
    assert not ran or about_this or changes.get("outcome") == "approved"


@bounded
@given(
    st.dictionaries(st.sampled_from(["risk", "findings", "votes", "failed", "labels"]), JSON, max_size=3)
)
def test_a_vote_is_believed_or_not(changes: dict[str, Any]) -> None:
    assessment = written({"risk": "LOW"} | changes)

    assert not oracles.vote({b"assessment": assessment, b"digest": b"a" * 64})
    oracles.vote({b"assessment": assessment, b"digest": oracles.ASKED.digest.encode()})


@bounded
@given(
    st.dictionaries(
        st.sampled_from([b"id", b"state", b"verdict", b"error", b"deadline", b"token", b"digest",
        b"entry", b"body",
                         b"halted"]),
        st.binary(max_size=30) | st.sampled_from(TEXTS) | JSON.map(written),
        max_size=5,
    )
)  # fmt: skip
def test_a_broken_reply_lets_nothing_run(fields: dict[bytes, bytes]) -> None:
    assert not oracles.reply(fields)
    oracles.reply(REPLY | fields)


@pytest.mark.parametrize("seed", range(4))
def test_replies_with_something_wrong_are_our_errors(seed: int) -> None:
    made = Hostile(seed, ("a1.0",))

    for _ in range(200):
        oracles.reply(made.reply())
        oracles.reply(made.spoilt(REPLY))


@bounded
@given(st.dictionaries(st.sampled_from(["choice", "digest", "reason", "fleet", "arguments", "text",
    "ids", "scope",
                                        "letter", "policy", "replaces", "retry", "more"]), JSON,
                                        max_size=6))  # fmt: skip
def test_a_body_of_the_api_is_read_or_refused(value: dict[str, Any]) -> None:
    oracles.body(written(value))


#: Lines of policy files, good ones and such as only break out of something.
LINES = (
    "version = 1", "[[rule]]", 'name = "a"', 'name = "b"', 'outcome = "release"',
    'outcome = "park"', "[fleet.web]",
    'outcome = "reject"', 'reason = "no"', 'owner = "me"', 'risk = ["LOW"]', 'risk = ["HIGH", "UNKNOWN"]',
    'finding = ["shell.*"]', 'fleet = ["*"]', 'tool = ["t*"]', 'when = "true"', 'when = "1"',
    "release_high = true",
    'mode = "shadow"', "[rule.terms]", "approve = 2", 'time_limit = "1h"', "[[test]]",
    'policy = "never_confirm"',
    "[" * 300, "a." * 40, '"""', "'''", "x = 1e400", "x = nan", "x = " + "9" * 5000, "version = 2",
    "\0", "=", "#",
    'target = ["/srv/**", "!x"]', "hours = 1", "\ufeff", "\r", "version = [[[", "own = ['*']",
    "[rule]", "[[fleet]]",
)  # fmt: skip


@bounded
@given(st.lists(st.sampled_from(LINES) | st.text(max_size=30), max_size=14))
def test_a_policy_file_is_read_or_refused(lines: list[str]) -> None:
    oracles.policy("\n".join(["version = 1", *lines]))


@pytest.mark.parametrize("seed", range(3))
def test_a_policy_file_with_one_place_changed_is_read_or_refused(seed: int) -> None:
    draw, text = (
        Random(seed),
        "\n".join(LINES[:3]) + '\noutcome = "park"\nfleet = ["web"]\nrisk = ["HIGH"]\n',
    )
    assert oracles.policy(text)

    for _ in range(60):
        at = draw.randrange(len(text))
        oracles.policy(text[:at] + draw.choice(LINES) + text[at + draw.randrange(3) :])


@pytest.mark.parametrize(
    "wrong", [{"id": []}, {"id": {}}, {"id": 5}, {"id": "a b"}, {"deadline": []}, {"deadline": "soon"}]
)
def test_a_line_of_a_listing_without_an_id_or_a_time_is_refused(wrong: dict[str, Any]) -> None:
    row = {"id": "a.0", "state": "parked", "deadline": 1, "digest": 64 * "0", "action": None}
    assert read_page(orjson.dumps({"open": [row], "after": ""}))

    with pytest.raises(GuardtierError):
        read_page(orjson.dumps({"open": [row | wrong], "after": ""}))


async def test_replies_to_requests_of_nobody_do_not_fill_a_clients_memory() -> None:
    wait = Wait("a.0", lambda _: True, lambda _: None)
    for number in range(10 * MOST_EARLY):
        wait.offer(Reply("a.0", "parked", entry=b"%d-0" % number))

    assert len(wait._early) == MOST_EARLY
    wait.sent_as(b"1-0")
    assert (await wait.future).entry == b"1-0"
