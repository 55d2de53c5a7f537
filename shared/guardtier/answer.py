"""Answer: what an approver says of a parked action, with the proof that it was the approver.

The proof is an HMAC keyed from the approver's token. Whoever can merely write to the answers stream,
or to Redis, can't make one.
"""

from __future__ import annotations

import hmac
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Any, Self

import orjson
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from guardtier.action import ACTION_ID, LABEL, NAME, invalid_action
from guardtier.canonical import canonical
from guardtier.errors import InvalidAnswer
from guardtier.policy.grants import Remember
from guardtier.verdict import Outcome

MAX_REASON = 4000  #: characters; it reaches the agent's model
MAX_RETRY = 30 * 24 * 3600  #: seconds
_PURPOSE = b"guardtier approver key v1"


class Choice(StrEnum):
    APPROVE = "approve"
    REJECT = "reject"

    @property
    def outcome(self) -> Outcome:
        return Outcome.APPROVED if self is Choice.APPROVE else Outcome.REJECTED


def _read_grant(value: Any) -> Any:
    """An entry has it as JSON. Raises ValueError for what is none."""
    return orjson.loads(value) if isinstance(value, str | bytes) else value


class Answer(BaseModel):
    """One answer to one action. ``digest`` is that of the action which the approver saw."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    id: Annotated[str, StringConstraints(pattern=ACTION_ID)]
    client: Annotated[str, StringConstraints(pattern=NAME)]
    approver: Annotated[str, StringConstraints(pattern=LABEL)]
    choice: Choice
    digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    reason: Annotated[str, StringConstraints(max_length=MAX_REASON)] = ""
    at: int = Field(ge=0, description="milliseconds since 1970, the approver's clock")
    retry: int | None = Field(
        default=None,
        ge=0,
        le=MAX_RETRY,
        description="seconds for which what is identical to the rejected action is refused at once; "
        "none: as the policy says",
    )
    shown: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = Field(
        default=None, description="SHA-256 of the action as it was shown: of Record.event"
    )
    grant: Annotated[Remember | None, BeforeValidator(_read_grant)] = Field(
        default=None, description="what is to be remembered of an approval"
    )

    @field_validator("retry")
    @classmethod
    def _retry_is_of_a_rejection(cls, retry: int | None, info: ValidationInfo) -> int | None:
        if retry is not None and info.data.get("choice") is Choice.APPROVE:
            raise ValueError("only a rejection says how long the same is refused")
        return retry

    @field_validator("grant")
    @classmethod
    def _grant_is_of_an_approval(cls, grant: Remember | None, info: ValidationInfo) -> Remember | None:
        if grant is not None and info.data.get("choice") is Choice.REJECT:
            raise ValueError("only an approval can be remembered")
        return grant

    def proof(self, key: bytes) -> str:
        """The HMAC-SHA256 (64 hex digits) over every field that says something."""
        said = canonical(self._said(), field="answer")
        return hmac.new(key, said, sha256).hexdigest()

    def is_proved_by(self, proof: str, key: bytes) -> bool:
        return hmac.compare_digest(self.proof(key).encode(), proof.encode())

    def to_fields(self, proof: str) -> dict[str, str]:
        """The entry of the answers stream."""
        said = self._said()
        if self.grant is not None:
            said["grant"] = canonical(said["grant"], field="grant").decode()
        return {name: str(value) for name, value in said.items()} | {"proof": proof}

    @classmethod
    def from_fields(cls, fields: dict[bytes, bytes]) -> tuple[Self, str]:
        """The answer and its proof. Raises InvalidAnswer that names the first wrong field."""
        try:
            said = {name.decode(): value.decode() for name, value in fields.items()}
        except UnicodeDecodeError as error:
            raise InvalidAnswer("the answer is not UTF-8", field="answer") from error
        proof = said.pop("proof", "")
        return cls.checked(said), proof

    @classmethod
    def checked(cls, said: dict[str, Any]) -> Self:
        """An answer of these fields. Raises InvalidAnswer that names the first wrong one."""
        try:
            return cls.model_validate(said)
        except ValidationError as error:
            wrong = invalid_action(error)
            raise InvalidAnswer(wrong.message, field=wrong.field, limit=wrong.limit) from error

    def _said(self) -> dict[str, Any]:
        """Without what is left open: an answer of an older client says the same, and proves the same."""
        return self.model_dump(mode="json", exclude_none=True)


def key_of(token: str) -> bytes:
    """The HMAC key that a token stands for (32 bytes). The tier keeps this, never the token."""
    return hmac.new(_PURPOSE, token.encode(), sha256).digest()
