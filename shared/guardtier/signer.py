"""Signer: who says something to the tier, and with whose key that is proved."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, Self

from guardtier.action import is_label
from guardtier.answer import key_of
from guardtier.errors import NotAuthorized

#: Between the name of who vouches and the proof. A proof has hexadecimal digits alone.
BY = ":"


class Provable(Protocol):
    """An answer or a request."""

    def proof(self, key: bytes) -> str: ...


@dataclass(frozen=True, slots=True)
class Signer:
    """The approver who says it. ``voucher``: a console that knows who they are, and signs for them with a
    key of its own; "" where the key is the approver's.
    """

    name: str
    key: bytes = field(repr=False)
    voucher: str = ""

    @classmethod
    def with_token(cls, name: str, token: str) -> Self:
        """Raises NotAuthorized for a name that no approver can have."""
        if not is_label(name):
            raise NotAuthorized("no approver has this name", field="approver")
        return cls(name, key_of(token))

    def proof(self, said: Provable) -> str:
        """The proof (HMAC-SHA256) that goes beside what is said."""
        proof = said.proof(self.key)
        return f"{self.voucher}{BY}{proof}" if self.voucher else proof
