"""Schema enhancement, on the tools that the SDKs of OpenAI, Anthropic and MCP make themselves."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel, Field, TypeAdapter

from guardtier import SecurityRisk
from guardtier.errors import ConfigError, InvalidAction
from guardtier.tools import PARAMETER, enhance_tool, extract_security_risk, is_read_only

if TYPE_CHECKING:  # the SDKs take seconds, in each process that collects tests
    import mcp.types

Plain = dict[str, Any]


class Mode(Enum):
    QUICK = "quick"
    SLOW = "slow"


class Place(BaseModel):
    city: str
    inside: list[Place] = Field(default_factory=list)


class Search(BaseModel):
    """Search in files."""

    pattern: str = Field(description="what to look for")
    mode: Mode = Mode.QUICK
    where: Place | None = None


class NoArguments(BaseModel):
    """Takes nothing."""


def run(command: str, timeout: float | None = None) -> str:
    """Run a command.

    Args:
        command: what to run
        timeout: in seconds
    """
    return command


async def mcp_tools() -> dict[str, mcp.types.Tool]:
    """Tools as an MCP server lists them, of its own making."""
    import mcp.types
    from mcp.server.mcpserver import MCPServer

    server = MCPServer("files")
    server.tool()(run)
    server.tool(name="read", annotations=mcp.types.ToolAnnotations(read_only_hint=True))(run)
    server.tool(name="nothing")(lambda: "nothing")
    return {tool.name: tool for tool in await server.list_tools()}


def chat(model: type[BaseModel]) -> Plain:
    import openai

    return dict(openai.pydantic_function_tool(model))


def responses(model: type[BaseModel]) -> Plain:
    return {"type": "function", **chat(model)["function"]}


def claude(function: Callable[..., Any]) -> Plain:
    import anthropic

    return dict(anthropic.beta_tool(function).to_dict())


SEARCH = {"pattern": "x", "mode": "slow", "where": {"city": "Rome", "inside": []}}
NAMES = (
    "openai chat",
    "openai chat without arguments",
    "openai chat without a schema",
    "openai responses",
    "openai responses without a schema",
    "anthropic",
    "anthropic, by hand",
)


@cache
def sdk_tools() -> dict[str, tuple[Plain, list[str], Any, Plain]]:
    """A tool as each SDK makes it, where its schema is, the SDK's type for it, valid arguments."""
    from anthropic.types import ToolParam
    from openai.types.chat import ChatCompletionFunctionToolParam
    from openai.types.responses import FunctionToolParam

    return {
        "openai chat": (chat(Search), ["function", "parameters"], ChatCompletionFunctionToolParam, SEARCH),
        "openai chat without arguments": (
            chat(NoArguments),
            ["function", "parameters"],
            ChatCompletionFunctionToolParam,
            {},
        ),
        "openai chat without a schema": (
            {"type": "function", "function": {"name": "now"}},
            ["function", "parameters"],
            ChatCompletionFunctionToolParam,
            {},
        ),
        "openai responses": (responses(Search), ["parameters"], FunctionToolParam, SEARCH),
        "openai responses without a schema": (
            {"type": "function", "name": "now", "parameters": None, "strict": True},
            ["parameters"],
            FunctionToolParam,
            {},
        ),
        "anthropic": (claude(run), ["input_schema"], ToolParam, {"command": "ls"}),
        "anthropic, by hand": (
            {"name": "run", "input_schema": {"type": "object"}},
            ["input_schema"],
            ToolParam,
            {},
        ),
    }


def valid(schema: Plain) -> Any:
    """What validates by this schema, which is one."""
    from jsonschema import Draft202012Validator

    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def schema_at(tool: Plain, path: list[str]) -> Plain:
    for key in path:
        tool = tool[key]
    return tool


def accepts(schema: Plain, arguments: Plain) -> bool:
    return bool(valid(schema).is_valid(arguments))


@pytest.mark.parametrize("name", NAMES)
def test_an_sdks_tool_asks_for_the_risk_and_is_still_its_tool(name: str):
    tool, path, kind, arguments = sdk_tools()[name]
    before = deepcopy(tool)

    made = enhance_tool(tool)

    assert tool == before
    TypeAdapter(kind).validate_python(made)
    schema = schema_at(made, path)
    valid(schema)
    assert schema["properties"][PARAMETER]["enum"] == ["LOW", "MEDIUM", "HIGH", "UNKNOWN"]
    assert all(
        level.description in schema["properties"][PARAMETER]["description"] for level in SecurityRisk
    )
    assert accepts(schema, arguments | {PARAMETER: "LOW"})
    assert not accepts(schema, arguments)
    assert not accepts(schema, arguments | {PARAMETER: "none"})


@pytest.mark.parametrize("name", NAMES)
def test_what_the_tool_is_called_with_fits_its_own_schema(name: str):
    tool, path, _, arguments = sdk_tools()[name]
    risk, rest = extract_security_risk(arguments | {PARAMETER: "HIGH"})

    assert (risk, rest) == (SecurityRisk.HIGH, arguments)
    own = schema_at(tool, path[:-1]).get(path[-1])
    assert own is None or accepts(own, rest)


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("openai")])
def test_a_strict_schema_of_openai_stays_one(name: str):
    tool, path, *_ = sdk_tools()[name]
    made = enhance_tool(tool)
    if not schema_at(made, path[:-1]).get("strict"):
        return

    schema = schema_at(made, path)

    assert schema["required"] == list(schema["properties"])
    assert schema["additionalProperties"] is False


async def test_an_mcp_tool_stays_an_object_of_the_sdk():
    import mcp.types

    tools = await mcp_tools()
    before = tools["run"].model_copy(deep=True)

    made = enhance_tool(tools["run"])

    assert isinstance(made, mcp.types.Tool)
    assert tools["run"] == before
    assert made.input_schema["required"] == ["command", PARAMETER]
    valid(made.input_schema)
    assert accepts(made.input_schema, {"command": "ls", "timeout": None, PARAMETER: "LOW"})
    assert not accepts(made.input_schema, {"command": "ls"})
    wire = tools["run"].model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert enhance_tool(wire) == made.model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert accepts(enhance_tool(tools["nothing"]).input_schema, {PARAMETER: "LOW"})


async def test_a_read_only_tool_is_left_alone():
    tools = await mcp_tools()

    assert is_read_only(tools["read"])
    assert enhance_tool(tools["read"]) == tools["read"]
    assert enhance_tool(tools["read"], read_only=False) != tools["read"]
    assert enhance_tool(chat(Search), read_only=True) == chat(Search)
    hinted = {"name": "x", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": False}}
    assert PARAMETER in enhance_tool(hinted)["inputSchema"]["properties"]


@pytest.mark.parametrize("name", NAMES)
def test_enhancing_twice_changes_nothing(name: str):
    once = enhance_tool(sdk_tools()[name][0])

    assert enhance_tool(once) == once


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "web_search"},
        {"type": "bash_20250124", "name": "bash"},
        {"type": "custom", "custom": {"name": "sql"}},
    ],
)
def test_a_tool_without_a_schema_is_left_alone(tool: Plain):
    assert enhance_tool(tool) == tool


def test_a_parameter_of_the_tools_own_is_not_taken_over():
    own = {"type": "object", "properties": {PARAMETER: {"type": "string"}}}
    tool = {"name": "rate", "input_schema": own}

    with pytest.raises(ConfigError, match="of its own") as told:
        enhance_tool(tool)
    made = enhance_tool(tool, parameter="guard_risk")

    assert told.value.field == PARAMETER
    assert made["input_schema"]["required"] == ["guard_risk"]
    arguments = {PARAMETER: "any", "guard_risk": "LOW"}
    assert extract_security_risk(arguments, parameter="guard_risk") == (
        SecurityRisk.LOW,
        {PARAMETER: "any"},
    )


#: Schemas that would refuse one more property, so that no call of the tool were valid.
CLOSED: dict[str, Plain] = {
    "no object": {"type": "string"},
    "a reference": {"$ref": "#/$defs/X", "$defs": {"X": {"type": "object"}}},
    "a closed alternative": {
        "anyOf": [{"type": "object", "additionalProperties": False, "properties": {"a": {}}}]
    },
    "a closed part": {"allOf": [{"unevaluatedProperties": False}]},
    "names of a form": {"type": "object", "propertyNames": {"maxLength": 2}},
    "properties by pattern": {"type": "object", "patternProperties": {".*": {"type": "integer"}}},
}


@pytest.mark.parametrize("name", CLOSED)
def test_a_schema_that_takes_no_more_properties_is_refused(name: str):
    with pytest.raises(ConfigError, match="tool run") as told:
        enhance_tool({"name": "run", "input_schema": CLOSED[name]})

    assert told.value.field == "tool"


def test_open_alternatives_and_bounds_still_hold():
    schema = {
        "type": "object",
        "properties": {"a": {}, "b": {}},
        "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
        "minProperties": 1,
        "maxProperties": 1,
    }

    made = enhance_tool({"name": "run", "input_schema": schema})["input_schema"]

    assert accepts(made, {"a": 1, PARAMETER: "LOW"})
    assert not accepts(made, {"a": 1, "b": 1, PARAMETER: "LOW"})
    assert not accepts(made, {PARAMETER: "LOW"})


@pytest.mark.parametrize(
    "tool", [{}, {"name": "x"}, {"input_schema": {"type": "object", "properties": []}}]
)
def test_what_is_no_tool_is_refused(tool: Plain):
    with pytest.raises(ConfigError):
        enhance_tool(tool)


@pytest.mark.parametrize(
    ("said", "risk"),
    [("LOW", "LOW"), (" high ", "HIGH"), ("Unknown", "UNKNOWN"), (None, "UNKNOWN")],
)
def test_a_level_is_read(said: str | None, risk: str):
    assert extract_security_risk({"a": 1, PARAMETER: said}) == (SecurityRisk(risk), {"a": 1})


def test_a_missing_claim_is_unknown_and_the_input_stays_as_it_is():
    arguments = {"a": [1], PARAMETER: "LOW"}

    extract_security_risk(arguments)

    assert arguments == {"a": [1], PARAMETER: "LOW"}
    assert extract_security_risk({"a": 1}) == (SecurityRisk.UNKNOWN, {"a": 1})


@pytest.mark.parametrize("said", ["", "none", "LOW!", 1, True, ["LOW"], {"LOW": 1}, "x" * 10_000])
def test_a_word_that_is_no_level_is_refused(said: object):
    with pytest.raises(InvalidAction, match="LOW, MEDIUM, HIGH, UNKNOWN") as told:
        extract_security_risk({PARAMETER: said})

    assert told.value.field == PARAMETER
    assert len(told.value.message) < 200
