"""ActionEvent: a tool call that is about to run."""

from __future__ import annotations

import re
from secrets import token_hex
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StrictBool,
    StringConstraints,
    ValidationError,
)

from guardtier.canonical import canonical, check_nesting, check_size, digest_of, parse_strict
from guardtier.errors import InvalidAction
from guardtier.risk import SecurityRisk

#: An action's id; the part behind the point is the partition that holds its record.
ACTION_ID = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}(\.[0-9]{1,4})?$"
#: Fleets and clients are parts of Redis keys, so nothing in them can end one.
NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
#: Agents and conversations are named by their frameworks: printable ASCII without spaces.
LABEL = r"^[!-~]{1,128}$"

_NAME = re.compile(NAME)
_LABEL = re.compile(LABEL)
_ACTION_ID = re.compile(ACTION_ID)


class ToolAnnotations(BaseModel):
    """What a tool says of itself: the hints of the Model Context Protocol, in its spelling."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str | None = Field(default=None, max_length=256)
    readOnlyHint: StrictBool | None = None  # noqa: N815 - MCP's own name
    destructiveHint: StrictBool | None = None  # noqa: N815
    idempotentHint: StrictBool | None = None  # noqa: N815
    openWorldHint: StrictBool | None = None  # noqa: N815


class ActionEvent(BaseModel):
    """One tool call, published before it runs.

    ``security_risk`` is the agent's own claim; the tier's rating is the Assessment's. Raises
    InvalidAction from :meth:`from_json`, and pydantic's ValidationError from the constructor.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)

    id: Annotated[str, StringConstraints(pattern=ACTION_ID)] = Field(default_factory=lambda: token_hex(12))
    fleet: Annotated[str, StringConstraints(pattern=NAME)]
    agent: Annotated[str, StringConstraints(pattern=LABEL)]
    conversation: Annotated[str, StringConstraints(pattern=LABEL)] | None = None
    tool_name: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    arguments: dict[str, JsonValue] = Field(default_factory=dict)
    summary: str = ""
    thought: str = ""
    security_risk: SecurityRisk = SecurityRisk.UNKNOWN
    annotations: ToolAnnotations | None = None

    @property
    def digest(self) -> str:
        """SHA-256 over the canonical form of fleet, agent, tool name and arguments (64 hex digits)."""
        return digest_of(self.fleet, self.agent, self.tool_name, self.arguments)

    @property
    def partition(self) -> int | None:
        """The partition that the id names; None before the client has placed the action."""
        return partition_of(self.id)

    def placed_in(self, partition: int) -> Self:
        """This action with the partition at the end of its id; unchanged where it has one."""
        if "." in self.id:
            return self
        return self.model_copy(update={"id": f"{self.id}.{partition}"})

    def to_json(self) -> bytes:
        """The canonical bytes, without what is left at its default. Stable over a round trip.

        Raises InvalidAction above 1 MiB or 64 levels of nesting.
        """
        body = self._body()
        raw = canonical(body)
        check_size(raw)
        check_nesting(body, brackets=raw.count(b"{") + raw.count(b"["))
        return raw

    def _body(self) -> dict[str, Any]:
        """As ``model_dump`` says it without defaults, but with the id: a quarter of that one's time."""
        body: dict[str, Any] = {
            "id": self.id,
            "fleet": self.fleet,
            "agent": self.agent,
            "tool_name": self.tool_name,
        }
        if self.conversation is not None:
            body["conversation"] = self.conversation
        if self.arguments:
            body["arguments"] = self.arguments
        if self.summary:
            body["summary"] = self.summary
        if self.thought:
            body["thought"] = self.thought
        if self.security_risk is not SecurityRisk.UNKNOWN:
            body["security_risk"] = self.security_risk.value
        if self.annotations is not None:
            body["annotations"] = self.annotations.model_dump(mode="json", exclude_defaults=True)
        return body

    @classmethod
    def from_json(cls, raw: bytes) -> Self:
        """Read what :meth:`to_json` wrote, or what another program sent. Raises InvalidAction."""
        return cls.from_value(parse_strict(raw))

    @classmethod
    def from_value(cls, value: Any) -> Self:
        """Build from parsed JSON. Raises InvalidAction that names the first wrong field."""
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            raise invalid_action(error) from error


def invalid_action(error: ValidationError) -> InvalidAction:
    """The first complaint of pydantic as our own error: the field's path, and the limit if any."""
    first = error.errors(include_url=False)[0]
    path = ".".join(str(part) for part in first["loc"])
    says = str(first["msg"]).removeprefix("Value error, ")
    bounds = first.get("ctx", {})
    limit = next((bounds[k] for k in ("max_length", "min_length", "pattern") if k in bounds), None)
    return InvalidAction(f"{path}: {says}" if path else says, field=path or "payload", limit=limit)


def partition_of(action_id: str) -> int | None:
    """The partition that an id names; None where it names none or is no id."""
    if not is_action_id(action_id):
        return None
    _, _, partition = action_id.partition(".")
    return int(partition) if partition else None


def no_full_id(action_id: str) -> InvalidAction:
    """The complaint about an id whose partition is missing, is none, or is none of this tier's."""
    shown = action_id[:100]
    like = f"{shown}.0" if is_action_id(shown) and "." not in shown else "…a1.0"
    return InvalidAction(
        f"{shown!r} is no full action id: it must end with its partition, as in {like} "
        "(submit returns it, and guardtier pending shows it)",
        field="id",
    )


def is_action_id(text: str) -> bool:
    return _ACTION_ID.fullmatch(text) is not None


def is_name(text: str) -> bool:
    """Whether the text may name a fleet or a client."""
    return _NAME.fullmatch(text) is not None


def is_label(text: str) -> bool:
    """Whether the text may name an agent or a conversation."""
    return _LABEL.fullmatch(text) is not None
