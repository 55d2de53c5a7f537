"""SignedRequest: what an approver asks of one partition, with the proof that it was the approver."""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from guardtier.action import ACTION_ID, LABEL, NAME, invalid_action
from guardtier.canonical import canonical
from guardtier.errors import InvalidAnswer


class SignedRequest(BaseModel):
    """One request to the partition that its id names. ``op`` says which; a subclass has the rest."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    op: str
    id: Annotated[str, StringConstraints(pattern=ACTION_ID)]
    client: Annotated[str, StringConstraints(pattern=NAME)]
    approver: Annotated[str, StringConstraints(pattern=LABEL)]
    at: int = Field(ge=0, description="milliseconds since 1970, the approver's clock")

    def proof(self, key: bytes) -> str:
        """The HMAC-SHA256 (64 hex digits) over every field."""
        said = canonical(self.model_dump(mode="json"), field="request")
        return hmac.new(key, said, sha256).hexdigest()

    def is_proved_by(self, proof: str, key: bytes) -> bool:
        return hmac.compare_digest(self.proof(key).encode(), proof.encode())

    def to_fields(self, proof: str) -> dict[str, str | bytes]:
        """The entry of the answers stream."""
        body = canonical(self.model_dump(mode="json"), field="request")
        return {"op": self.op, "id": self.id, "client": self.client, "request": body, "proof": proof}

    @classmethod
    def from_fields(cls, fields: dict[bytes, bytes]) -> tuple[Self, str]:
        """The request and its proof. Raises InvalidAnswer that names the first wrong field."""
        try:
            request = cls.model_validate_json(fields.get(b"request", b""))
            proof = fields.get(b"proof", b"").decode()
        except ValidationError as error:
            wrong = invalid_action(error)
            raise InvalidAnswer(wrong.message, field=wrong.field, limit=wrong.limit) from error
        except UnicodeDecodeError as error:
            raise InvalidAnswer("the request is not UTF-8", field="request") from error
        if (request.id, request.client) != (_text(fields, b"id"), _text(fields, b"client")):
            raise InvalidAnswer("the request is not the envelope's", field="id")
        return request, proof


def _text(fields: dict[bytes, bytes], name: bytes) -> str:
    return fields.get(name, b"").decode(errors="backslashreplace")
