"""The policies at run time: what stands in Redis, and an approver's request to change it.

The settings give each fleet its policy, and the tier its policy file; what an approver sets at run time
stands above them until it is reset. It is kept in each partition and has a version there, which only
grows.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from guardtier.action import ACTION_ID, LABEL, NAME
from guardtier.canonical import canonical
from guardtier.errors import ConfigError, InvalidAnswer
from guardtier.policy.confirmation import Policy
from guardtier.policy.request import SignedRequest

UNREADABLE = "policy.unreadable"  #: the version of a decision under a policy that can't be read
NONE = sha256(b"").hexdigest()  #: what a request names that replaces nothing
EVERY_FLEET = "*"  #: in the place of a fleet's name: the policy file, which stands for all of them
MAX_FILE = 256 * 1024  #: bytes of a policy file

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class _Standing(BaseModel):
    """What is kept in one partition: who set it, when, by which request."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = Field(ge=1, le=2**53)
    by: Annotated[str, StringConstraints(pattern=LABEL)]
    at: int = Field(ge=0, description="milliseconds since 1970, the policy worker's clock")
    request: Annotated[str, StringConstraints(pattern=ACTION_ID)]

    @classmethod
    def read(cls, raw: bytes) -> Self | None:
        """What was kept. Raises ValueError where it can't be read; None where nothing was."""
        return cls.model_validate_json(raw) if raw else None

    def to_json(self) -> bytes:
        return canonical(self.model_dump(mode="json"), field="policy")


class StandingPolicy(_Standing):
    """A fleet's own policy. No ``policy``: it was reset, the settings' counts."""

    policy: Policy | None

    @property
    def label(self) -> str:
        """What a decision records: the policy and its version, ``always_confirm@3``."""
        return f"{self.policy.version if self.policy else 'settings'}@{self.version}"


class StandingFile(_Standing):
    """The policy file that stands for all fleets; its text is kept by its digest, beside this.

    No ``digest``: it was reset, the settings' file counts, if they have one.
    """

    digest: Digest | None

    @property
    def label(self) -> str:
        """What a decision records that a rule of the file made: ``file@7``."""
        return f"{'file' if self.digest else 'settings'}@{self.version}"


def digest_of_policy(raw: bytes) -> str:
    """What a request names as the policy that it replaces (64 hex digits)."""
    return sha256(raw).hexdigest()


def digest_of_file(text: bytes) -> str:
    """By what the text of a policy file is kept (64 hex digits). Raises ConfigError above the limit."""
    if len(text) > MAX_FILE:
        raise ConfigError(
            f"the policy file has {len(text)} bytes, the limit is {MAX_FILE}", field="file", limit=MAX_FILE
        )
    return sha256(text).hexdigest()


def label_of_settings_file(digest: str) -> str:
    """What a decision records that a rule of the settings' file made: ``file:0123456789ab``."""
    return f"file:{digest[:12]}"


class PolicyRequest(SignedRequest):
    """Set a fleet's policy in one partition, that of the id; no ``policy``: back to the settings.

    ``replaces`` is the digest of what the approver saw standing there, so an old request that somebody
    sends once more changes nothing.
    """

    op: Literal["configure"] = "configure"
    fleet: Annotated[str, StringConstraints(pattern=NAME)]
    policy: Policy | None
    replaces: Digest


class FileRequest(SignedRequest):
    """Let a policy file stand in one partition; no ``digest``: back to the settings' file.

    The text travels beside the request, which is bound to it by its digest. ``replaces`` as in
    :class:`PolicyRequest`.
    """

    op: Literal["configure_file"] = "configure_file"
    digest: Digest | None
    replaces: Digest

    def with_text(self, proof: str, text: bytes) -> dict[str, str | bytes]:
        """The entry of the answers stream, with the text of the file."""
        return self.to_fields(proof) | {"text": text}

    def text_in(self, fields: dict[bytes, bytes]) -> str:
        """The text that came with it, "" for a reset. Raises InvalidAnswer for any other text."""
        raw = fields.get(b"text", b"")
        if self.digest is None and not raw:
            return ""
        try:
            if digest_of_file(raw) != self.digest:
                raise InvalidAnswer("the text is not the one that was signed", field="text")
            return raw.decode()
        except ConfigError as error:
            raise InvalidAnswer(error.message, field="text", limit=error.limit) from error
        except UnicodeDecodeError as error:
            raise InvalidAnswer("the policy file is not UTF-8", field="text") from error
