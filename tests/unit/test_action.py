"""ActionEvent: what is an action, its limits, its bytes and its digest."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from guardtier import ActionEvent, SecurityRisk, ToolAnnotations
from guardtier.action import is_action_id, is_name, partition_of
from guardtier.canonical import MAX_NESTING, MAX_PAYLOAD
from guardtier.errors import InvalidAction

MINIMAL = {"id": "a1", "fleet": "web", "agent": "coder", "tool_name": "terminal"}


def an_action(**fields: Any) -> ActionEvent:
    return ActionEvent(**{**MINIMAL, **fields})


def raw(**fields: Any) -> bytes:
    return json.dumps({**MINIMAL, **fields}).encode()


def refusal(payload: bytes) -> InvalidAction:
    with pytest.raises(InvalidAction) as refused:
        ActionEvent.from_json(payload)
    return refused.value


# --- names -----------------------------------------------------------------------------------


def test_an_action_gets_an_id_of_its_own():
    first, second = (ActionEvent(fleet="web", agent="a", tool_name="t") for _ in range(2))

    assert first.id != second.id
    assert is_action_id(first.id)


@pytest.mark.parametrize("text", ["a", "a1_-B", "x" * 64, "a.0", "a.9999"])
def test_an_id_that_is_one(text: str):
    assert is_action_id(text)
    assert an_action(id=text).id == text


@pytest.mark.parametrize(
    "text", ["", "-a", "x" * 65, "a.", "a.b", "a.12345", "a.1.2", "a b", "a\n", "ä", "a:b", "a{1}"]
)
def test_an_id_that_is_none(text: str):
    assert not is_action_id(text)
    assert refusal(raw(id=text)).field == "id"


@pytest.mark.parametrize("text", ["", "_a", "x" * 65, "a b", "a\n", "a:b", "{a}", "é"])
def test_a_fleet_that_could_end_a_redis_key_is_refused(text: str):
    assert not is_name(text)
    assert refusal(raw(fleet=text)).field == "fleet"


@pytest.mark.parametrize("field", ["agent", "conversation"])
@pytest.mark.parametrize("text", ["", "a b", "x" * 129, "tab\t", "é", "\x7f"])
def test_a_label_is_printable_ascii(field: str, text: str):
    assert refusal(raw(**{field: text})).field == field


@pytest.mark.parametrize("field", ["agent", "conversation"])
def test_a_label_may_look_like_a_framework_s_own_name(field: str):
    assert getattr(an_action(**{field: "openhands/agent:7#x"}), field) == "openhands/agent:7#x"


def test_the_partition_stands_at_the_end_of_the_id():
    placed = an_action(id="a1").placed_in(7)

    assert (placed.id, placed.partition) == ("a1.7", 7)
    assert placed.placed_in(3) is placed
    assert an_action(id="a1").partition is None
    assert partition_of("no id") is None


# --- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["fleet", "agent", "tool_name"])
def test_what_must_not_be_left_out(field: str):
    payload = json.dumps({key: MINIMAL[key] for key in MINIMAL if key != field}).encode()

    assert refusal(payload).field == field


@pytest.mark.parametrize(
    ("fields", "field", "limit"),
    [
        ({"color": "red"}, "color", None),
        ({"tool_name": ""}, "tool_name", 1),
        ({"tool_name": "x" * 257}, "tool_name", 256),
        ({"fleet": "a b"}, "fleet", "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"),
        ({"security_risk": "SEVERE"}, "security_risk", None),
        ({"arguments": []}, "arguments", None),
        ({"summary": None}, "summary", None),
        ({"annotations": {"readOnlyHint": "yes"}}, "annotations.readOnlyHint", None),
        ({"annotations": {"harmless": True}}, "annotations.harmless", None),
        ({"annotations": {"title": "x" * 257}}, "annotations.title", 256),
    ],
)
def test_a_wrong_field_is_named_with_its_limit(fields: dict[str, Any], field: str, limit: int | str | None):
    error = refusal(raw(**fields))

    assert (error.field, error.limit) == (field, limit)


@pytest.mark.parametrize("payload", [b"", b"{", b"null", b"[]", b'"x"', b"1", b"{}{}", b"\xef\xbb\xbf{}"])
def test_what_is_no_object_is_refused(payload: bytes):
    assert refusal(payload).field


@pytest.mark.parametrize(
    "arguments",
    [
        b'{"a":1,"a":2}',
        b'{"a":{"b":1,"c":2,"b":1}}',
        b'[{"x":{"a":1,"\\u0061":1}}]',
        b"NaN",
        b'{"a":Infinity}',
        b'{"a":-Infinity}',
        b'{"a":1e999}',
        b'{"a":"\\ud800"}',
        b'{"\\udfff":1}',
        b'{"a":"\xff"}',
        b'{"a":"\xed\xa0\x80"}',
        b'{"a":18446744073709551616}',
        b'{"a":-9223372036854775809}',
        b'{"a":1' + b"0" * 5000 + b"}",
        b'{"a":01}',
        b'{"a":1,}',
        b"{'a':1}",
    ],
)
def test_what_two_parsers_may_read_differently_is_refused(arguments: bytes):
    refusal(raw(arguments="HERE").replace(b'"HERE"', arguments))


def test_a_key_that_stands_twice_is_named():
    error = refusal(b'{"fleet":"web","fleet":"data"}')

    assert error.field == "fleet"
    assert "twice" in error.message


@pytest.mark.parametrize("number", [-(2**63), 2**63, 2**64 - 1])
def test_an_integer_of_64_bits_is_kept_exactly(number: int):
    assert ActionEvent.from_json(raw(arguments={"n": number})).arguments == {"n": number}


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1])
def test_a_larger_integer_can_not_be_sent(number: int):
    with pytest.raises(InvalidAction):
        an_action(arguments={"n": number}).to_json()


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_json_can_not_say_is_no_argument(number: float):
    with pytest.raises(ValidationError):
        an_action(arguments={"n": number})


def test_a_lone_surrogate_can_not_be_sent():
    with pytest.raises((InvalidAction, ValidationError)):
        an_action(arguments={"text": "\ud800"}).to_json()


# --- limits ----------------------------------------------------------------------------------


def of_size(size: int) -> ActionEvent:
    empty = len(an_action(arguments={"x": ""}).to_json())
    return an_action(arguments={"x": "y" * (size - empty)})


def test_an_action_of_one_mebibyte_passes():
    payload = of_size(MAX_PAYLOAD).to_json()

    assert len(payload) == MAX_PAYLOAD == 1024 * 1024
    assert ActionEvent.from_json(payload).to_json() == payload


def test_one_byte_more_does_not():
    larger = of_size(MAX_PAYLOAD + 1)

    with pytest.raises(InvalidAction) as refused:
        larger.to_json()

    assert refused.value.limit == MAX_PAYLOAD
    assert refusal(json.dumps(larger.model_dump(mode="json")).encode()).limit == MAX_PAYLOAD


def nested(levels: int) -> Any:
    """Arrays in arrays. The action and its arguments are two levels more."""
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return value


def test_64_levels_of_nesting_pass():
    action = an_action(arguments={"x": nested(MAX_NESTING - 2)})

    assert ActionEvent.from_json(action.to_json()) == action


def test_65_levels_do_not():
    arguments = {"x": nested(MAX_NESTING - 1)}

    with pytest.raises(InvalidAction) as refused:
        an_action(arguments=arguments).to_json()

    assert refused.value.limit == MAX_NESTING
    assert refusal(raw(arguments=arguments)).limit == MAX_NESTING


def test_nesting_that_would_end_a_recursive_parser_is_refused():
    refusal(raw(arguments="HERE").replace(b'"HERE"', b'{"x":' + b"[" * 400_000 + b"]" * 400_000 + b"}"))


def test_brackets_in_a_string_do_not_nest():
    assert ActionEvent.from_json(raw(arguments={"x": "[{" * 1000})).arguments["x"] == "[{" * 1000


# --- bytes and digest ------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
actions = st.builds(
    ActionEvent,
    fleet=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,9}", fullmatch=True),
    agent=st.from_regex(r"[!-~]{1,12}", fullmatch=True),
    conversation=st.none() | st.from_regex(r"[!-~]{1,12}", fullmatch=True),
    tool_name=texts.filter(bool),
    arguments=st.dictionaries(texts, values, max_size=4),
    summary=texts,
    thought=texts,
    security_risk=st.sampled_from(SecurityRisk),
    annotations=st.none() | st.builds(ToolAnnotations, readOnlyHint=st.none() | st.booleans()),
)


@given(actions)
def test_an_action_survives_the_wire_byte_by_byte(action: ActionEvent):
    sent = action.to_json()
    received = ActionEvent.from_json(sent)

    assert received.to_json() == sent
    assert received == action
    assert received.digest == action.digest


@given(actions)
def test_its_bytes_say_what_is_not_at_its_default_and_the_id(action: ActionEvent):
    said = action.model_dump(mode="json", exclude_defaults=True) | {"id": action.id}

    assert json.loads(action.to_json()) == said
    assert set(said) <= set(ActionEvent.model_fields)


@given(actions)
def test_another_program_s_json_has_the_same_bytes_and_digest(action: ActionEvent):
    """Keys in another order, white space, escapes: what is said counts, not how."""
    body = action.model_dump(mode="json")
    foreign = json.dumps(dict(reversed(body.items())), indent=2).encode()

    received = ActionEvent.from_json(foreign)

    assert received.to_json() == action.to_json()
    assert received.digest == action.digest


@pytest.mark.parametrize(
    "change",
    [
        {"fleet": "data"},
        {"agent": "reviewer"},
        {"tool_name": "bash"},
        {"arguments": {"command": "ls "}},
        {"arguments": {"command": "ls", "x": None}},
        {"arguments": {}},
    ],
)
def test_the_digest_changes_with_what_will_run_and_for_whom(change: dict[str, Any]):
    action = an_action(arguments={"command": "ls"})

    assert action.model_copy(update=change).digest != action.digest


@pytest.mark.parametrize(
    "change",
    [
        {"id": "another.3"},
        {"conversation": "c2"},
        {"summary": "List"},
        {"thought": "Hm"},
        {"security_risk": SecurityRisk.HIGH},
        {"annotations": ToolAnnotations(readOnlyHint=True)},
    ],
)
def test_the_digest_does_not_depend_on_anything_else(change: dict[str, Any]):
    action = an_action(arguments={"command": "ls"})

    assert action.model_copy(update=change).digest == action.digest


@pytest.mark.parametrize(
    ("one", "other"),
    [({"n": 1}, {"n": "1"}), ({"n": 1}, {"n": 1.0}), ({"n": 0}, {"n": False}), ({"n": []}, {"n": {}})],
)
def test_values_of_different_types_have_different_digests(one: Any, other: Any):
    assert an_action(arguments=one).digest != an_action(arguments=other).digest


def test_fields_can_not_run_into_each_other_in_the_digest():
    assert an_action(fleet="a", agent="bc").digest != an_action(fleet="ab", agent="c").digest


def test_an_action_can_not_be_changed():
    with pytest.raises(ValidationError):
        an_action().fleet = "data"  # type: ignore[misc]
