"""What becomes what: an action of the SDK as an ActionEvent of the tier.

Everything here raises where something can't be said exactly, and its callers turn that into a denial.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from openhands.sdk.mcp.definition import MCPToolAction
from pydantic import ValidationError

from guardtier.action import ActionEvent, ToolAnnotations, invalid_action
from guardtier.errors import InvalidAction
from guardtier.risk import SecurityRisk

_HINTS = tuple(ToolAnnotations.model_fields)


def action_id_of(conversation_id: object, event_id: str, partition: int = 0, again: int = 0) -> str:
    """The id under which the tier knows an action: the same after every restart.

    Made of the SDK's own event id, which is random and saved with the event. The model's tool-call id
    is no use: models repeat theirs. ``again``: how often it is asked for anew, as another action, since
    what was said of the one before is over.
    """
    said = f"{conversation_id}\n{event_id}" + (f"\n{again}" if again else "")
    name = sha256(said.encode()).hexdigest()
    return f"oh-{name[:40]}.{partition}"


def action_of(event: Any, *, action_id: str, fleet: str, agent: str, conversation: Any) -> ActionEvent:
    """The SDK's ActionEvent as the tier's. Raises InvalidAction."""
    try:
        return ActionEvent(
            id=action_id,
            fleet=fleet,
            agent=agent,
            conversation=str(conversation.id),
            tool_name=event.tool_name,
            arguments=arguments_of(event.action),
            summary=event.summary or "",
            thought="\n".join(part.text for part in event.thought),
            security_risk=SecurityRisk(event.security_risk.value),
            annotations=annotations_of(_tools(conversation).get(event.tool_name)),
        )
    except ValidationError as error:
        raise invalid_action(error) from error


def arguments_of(action: Any) -> dict[str, Any]:
    """The arguments that will run: those of the validated action, not the text that the model sent.

    (The SDK repairs and completes that text.) Raises InvalidAction where they don't survive being
    written as JSON, such as a SecretStr or a NaN: the digest would then bind something else.
    """
    if type(action).model_validate_json(action.model_dump_json()) != action:
        raise InvalidAction("the arguments don't survive being written as JSON", field="arguments")
    body: dict[str, Any] = action.model_dump(mode="json")
    if body.pop("kind", None) != type(action).__name__:
        raise InvalidAction("the action is of no known kind", field="arguments")
    if not isinstance(action, MCPToolAction):
        return body
    data = body.pop("data", None)
    if body or not isinstance(data, dict) or action.to_mcp_arguments() != data:
        raise InvalidAction("an MCP call with more than its data", field="arguments")
    return data


def annotations_of(tool: Any) -> ToolAnnotations | None:
    """What a tool says of itself. What it left out stays out: the SDK's defaults are not its words."""
    if tool is None or tool.annotations is None:
        return None
    said = tool.annotations.model_dump(exclude_unset=True, exclude_none=True)
    return ToolAnnotations(**{hint: said[hint] for hint in _HINTS if hint in said})


def _tools(conversation: Any) -> Mapping[str, Any]:
    """The agent's tools by name; none before it is initialized, as right after a restart.

    Hints never lower what arguments show, so their absence can only make a rating stricter.
    """
    try:
        tools: Mapping[str, Any] = conversation.agent.tools_map
    except RuntimeError:
        return {}
    return tools
