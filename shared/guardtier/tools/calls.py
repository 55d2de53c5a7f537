"""A framework's tool call as an ActionEvent, with the model's claim taken out of the arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from guardtier.action import ActionEvent
from guardtier.canonical import parse_strict
from guardtier.errors import InvalidAction
from guardtier.tools.schema import PARAMETER, asks_for, extract_security_risk, plain_tool

#: Where a call keeps its arguments; MCP's parameters may have none, and then nothing beside these.
_ARGUMENTS = ("arguments", "input", "args")
_BARE = frozenset({"name", "_meta", "task"})
_MCP = "tools/call"
_HINTS = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")


def action_of_call(
    call: Mapping[str, Any] | BaseModel,
    *,
    fleet: str,
    agent: str,
    tool: Mapping[str, Any] | BaseModel | None = None,
    parameter: str | None = PARAMETER,
    **fields: Any,
) -> ActionEvent:
    """The action that this call is. ``fields`` are further ones of the ActionEvent.

    Takes OpenAI's tool calls (Chat Completions and Responses, arguments as JSON text), Anthropic's
    ``tool_use`` block, the parameters of MCP's ``tools/call``, and what has its arguments as ``args``
    (LangChain's ``tool_call``, Gemini's function call); as dicts or the SDKs' own objects.

    ``tool`` is what the model was given: its hints go with the action, and the claim is taken out only
    where that tool asked for it. Without it the claim is taken out of every call; ``parameter=None``:
    of none. Raises InvalidAction, also for JSON that is broken or has a key twice: the tool must not
    be called then.
    """
    name, arguments = _parts_of(_plain_call(call))
    if tool is not None:
        if parameter is not None and not asks_for(tool, parameter):
            parameter = None
        fields = _hints_of(plain_tool(tool)) | fields
    if parameter is not None and isinstance(arguments, Mapping):
        claim, arguments = extract_security_risk(arguments, parameter=parameter)
        fields = {"security_risk": claim} | fields
    said = {"fleet": fleet, "agent": agent, "tool_name": name, "arguments": arguments}
    return ActionEvent.from_value(fields | said)


def _plain_call(call: object) -> Mapping[str, Any]:
    if not isinstance(call, Mapping | BaseModel):
        raise InvalidAction(
            f"no tool call, but a {type(call).__name__}: give its dict, or its SDK's object", field="call"
        )
    plain = plain_tool(call)
    if isinstance(call, BaseModel) and getattr(call, "method", None) == _MCP:
        return {"method": _MCP, **plain}  # of a request that was made here it is a default, and not set
    return plain


def _parts_of(call: Mapping[str, Any]) -> tuple[Any, Any]:
    """Name and arguments, wherever this form keeps them."""
    kind = call.get("type")
    if call.get("method") == _MCP and isinstance(call.get("params"), Mapping):
        call = call["params"]
    elif isinstance(call.get("function"), Mapping):
        call = call["function"]
    elif kind == "custom" and isinstance(call.get("custom"), Mapping):
        return call["custom"].get("name"), {"input": call["custom"].get("input")}
    if kind == "custom_tool_call":
        return call.get("name"), {"input": call.get("input")}
    found = [call[key] for key in _ARGUMENTS if key in call]
    bare = kind is None and call.keys() <= _BARE
    if "name" not in call or len(found) != 1 - bare:
        # What is called with other arguments than were rated would be another call.
        raise InvalidAction(
            "no tool call in a form of OpenAI, Anthropic, MCP, LangChain or Gemini: a name, and one of "
            "arguments, input, args",
            field="call",
        )
    arguments = found[0] if found else None
    if isinstance(arguments, str):
        return call["name"], _parsed(arguments)
    return call["name"], {} if arguments is None else arguments


def _parsed(text: str) -> Any:
    """A model's JSON. No text at all is what some models send for a tool without parameters."""
    if not text.strip():
        return {}
    try:
        value = parse_strict(text.encode())
    except UnicodeEncodeError as error:
        raise InvalidAction("arguments hold a lone surrogate", field="arguments") from error
    except InvalidAction as error:
        raise InvalidAction(f"arguments: {error.message}", field="arguments", limit=error.limit) from error
    if not isinstance(value, dict):
        raise InvalidAction("arguments must be a JSON object", field="arguments")
    return value


def _hints_of(tool: Mapping[str, Any]) -> dict[str, Any]:
    """MCP's annotations of the tool, as far as an action has them."""
    found = tool.get("annotations")
    if not isinstance(found, Mapping):
        return {}
    hints = {name: found[name] for name in _HINTS if isinstance(found.get(name), bool)}
    return {"annotations": hints} if hints else {}
