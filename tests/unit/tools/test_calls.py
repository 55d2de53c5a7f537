"""A framework's tool call becomes an ActionEvent: the calls are the SDKs' own objects."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from guardtier import ActionEvent, SecurityRisk
from guardtier.errors import InvalidAction
from guardtier.tools import action_of_call, enhance_tool

if TYPE_CHECKING:  # the SDKs take seconds, in each process that collects tests
    from openai.types.chat import ChatCompletionMessageFunctionToolCall

WHO = {"fleet": "web", "agent": "coder"}
ARGUMENTS = {"command": "ls", "security_risk": "MEDIUM"}
TEXT = json.dumps(ARGUMENTS)


def chat_call(arguments: str) -> ChatCompletionMessageFunctionToolCall:
    from openai.types.chat import ChatCompletionMessageFunctionToolCall

    return ChatCompletionMessageFunctionToolCall.model_validate(
        {"id": "call_1", "type": "function", "function": {"name": "run", "arguments": arguments}}
    )


FORMS = ("openai chat", "openai responses", "anthropic", "mcp", "mcp request", "mcp request's object")


@cache
def calls() -> dict[str, Any]:
    """One of each form."""
    import mcp.types
    from anthropic.types import ToolUseBlock
    from openai.types.responses import ResponseFunctionToolCall

    return {
        "openai chat": chat_call(TEXT),
        "openai responses": ResponseFunctionToolCall(
            call_id="call_1", name="run", arguments=TEXT, type="function_call"
        ),
        "anthropic": ToolUseBlock.model_validate(
            {"id": "toolu_1", "name": "run", "input": ARGUMENTS, "type": "tool_use"}
        ),
        "mcp": mcp.types.CallToolRequestParams(name="run", arguments=ARGUMENTS),
        "mcp request": {"method": "tools/call", "params": {"name": "run", "arguments": ARGUMENTS}},
        "mcp request's object": mcp.types.CallToolRequest(
            params=mcp.types.CallToolRequestParams(name="run", arguments=ARGUMENTS)
        ),
    }


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("plain", [False, True], ids=["object", "dict"])
def test_a_call_of_each_sdk_becomes_an_action(form: str, plain: bool):
    call = calls()[form]
    if plain and not isinstance(call, dict):
        call = call.model_dump(mode="json", by_alias=True)

    action = action_of_call(call, **WHO, conversation="c-1", thought="first look")

    assert (action.tool_name, action.arguments) == ("run", {"command": "ls"})
    assert action.security_risk is SecurityRisk.MEDIUM
    assert (action.conversation, action.thought) == ("c-1", "first look")
    assert action.digest == ActionEvent(**WHO, tool_name="run", arguments={"command": "ls"}).digest


@pytest.mark.parametrize(
    "call",
    [
        {"name": "run", "args": ARGUMENTS, "id": "call_1", "type": "tool_call"},  # LangChain
        {"name": "run", "args": ARGUMENTS},  # Gemini
    ],
    ids=["langchain", "gemini"],
)
def test_a_call_that_has_its_arguments_as_args_is_rated_with_them(call: dict[str, Any]):
    action = action_of_call(call, **WHO)

    assert (action.arguments, action.security_risk) == ({"command": "ls"}, SecurityRisk.MEDIUM)


def test_free_text_for_a_custom_tool_is_its_input():
    calls = [
        {"type": "custom", "id": "c", "custom": {"name": "sql", "input": "drop table t"}},
        {"type": "custom_tool_call", "call_id": "c", "name": "sql", "input": "drop table t"},
    ]

    for call in calls:
        action = action_of_call(call, **WHO)
        assert (action.tool_name, action.arguments) == ("sql", {"input": "drop table t"})
        assert action.security_risk is SecurityRisk.UNKNOWN


@pytest.mark.parametrize("nothing", ["", "  ", "{}"])
def test_a_tool_without_arguments(nothing: str):
    assert action_of_call(chat_call(nothing), **WHO).arguments == {}
    assert action_of_call({"name": "run"}, **WHO).arguments == {}


#: What a model may send as arguments, and which field is named.
BROKEN = {
    '{"command": "ls"': "arguments",
    "ls -la": "arguments",
    '["ls"]': "arguments",
    "null": "arguments",
    '{"command": "ls", "command": "rm -rf /"}': "arguments",
    '{"command": "ls", "security_risk": "HIGH", "security_risk": "LOW"}': "arguments",
    '{"a": NaN}': "arguments",
    '{"a": "\\ud800"}': "arguments",
    '{"a": "\ud800"}': "arguments",
    '{"a": 99999999999999999999999}': "arguments",
    '{"a": ' + "[" * 100 + "]" * 100 + "}": "arguments",
    '{"a": "' + "x" * 1_100_000 + '"}': "arguments",
    '{"command": "ls", "security_risk": "harmless"}': "security_risk",
}


@pytest.mark.parametrize("text", BROKEN, ids=range(len(BROKEN)))
def test_broken_arguments_are_refused(text: str):
    said = {"name": "run", "arguments": text}
    for call in ({"type": "function", "function": said}, {"type": "function_call"} | said):
        with pytest.raises(InvalidAction) as told:
            action_of_call(call, **WHO)

        assert told.value.field == BROKEN[text]


@pytest.mark.parametrize(
    "call",
    [
        {},
        {"name": "run", "type": "text"},
        {"type": "function"},
        {"type": "text", "text": "hello"},
        {"name": 7, "arguments": {}},
        {"name": "", "arguments": {}},
        {"name": "run", "arguments": [1]},
        {"name": "run", "input": {"when": print}},
        {"name": "run", "input": {"a": float("nan")}},
        {"name": "run", "parameters": {"command": "rm -rf /"}},
        {"name": "run", "kwargs": {"command": "rm -rf /"}},
        {"name": "run", "arguments": {}, "args": {"command": "rm -rf /"}},
        {"name": "run", "arguments": {}, "input": {"command": "rm -rf /"}},
        ("run", {"command": "ls"}),
    ],
    ids=str,
)
def test_what_is_no_call_is_refused(call: dict[str, Any]):
    with pytest.raises(InvalidAction):
        action_of_call(call, **WHO)


def test_the_tool_that_the_model_was_given_says_what_is_a_claim():
    plain = {"name": "run", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": True}}
    asked = enhance_tool(plain | {"annotations": {"destructiveHint": True, "x-own": 1}})
    call = {"name": "run", "arguments": ARGUMENTS}

    unasked, claimed = (action_of_call(call, **WHO, tool=tool) for tool in (plain, asked))

    assert unasked.arguments == ARGUMENTS
    assert unasked.security_risk is SecurityRisk.UNKNOWN
    assert unasked.annotations is not None
    assert unasked.annotations.readOnlyHint is True
    assert claimed.arguments == {"command": "ls"}
    assert claimed.security_risk is SecurityRisk.MEDIUM
    assert claimed.annotations is not None
    assert claimed.annotations.destructiveHint is True


def test_a_tool_with_a_parameter_of_that_name_keeps_it():
    call = {"name": "rate", "arguments": {"security_risk": "3 of 5", "guard_risk": "LOW"}}

    assert action_of_call(call, **WHO, parameter=None).arguments == call["arguments"]
    renamed = action_of_call(call, **WHO, parameter="guard_risk")
    assert (renamed.arguments, renamed.security_risk) == ({"security_risk": "3 of 5"}, SecurityRisk.LOW)


def test_no_field_of_the_call_names_another_agent():
    call = {"name": "run", "arguments": {}, "fleet": "other", "agent": "other"}

    assert action_of_call(call, **WHO).agent == "coder"
