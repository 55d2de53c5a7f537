"""Delivery: one entry of a work stream, as a consumer group handed it to a worker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from pydantic import ValidationError

from guardtier.action import ActionEvent, is_name
from guardtier.assessment import Assessment
from guardtier.errors import InvalidAction, UnusableEntry


@dataclass(frozen=True, slots=True)
class Delivery:
    """``deliveries`` counts how often the entry has been handed out, this time included."""

    partition: int
    stream: str
    group: str
    entry: str
    fields: dict[bytes, bytes]
    fleet: str | None = None
    deliveries: int = 1

    def text(self, field: bytes) -> str:
        """A field of the envelope as text; what is no UTF-8 is shown as such, never raised."""
        return self.fields.get(field, b"").decode(errors="backslashreplace")

    @property
    def action(self) -> ActionEvent:
        """The action that a script put here. Raises UnusableEntry where it can't be read."""
        try:
            return ActionEvent.from_json(self.fields[b"payload"])
        except (KeyError, InvalidAction) as error:
            raise UnusableEntry(f"it holds no action: {error}", field="payload") from error

    @property
    def assessment(self) -> Assessment:
        """Its rating. Raises UnusableEntry where it can't be read."""
        try:
            return Assessment.from_json(self.fields[b"assessment"])
        except (KeyError, ValidationError) as error:
            raise UnusableEntry("it holds no assessment", field="assessment") from error

    @property
    def id(self) -> str:
        return self.text(b"id")

    @property
    def sender(self) -> Sender:
        """Who asked, as far as the envelope says it in a form that may be part of a key."""
        client = self.text(b"client")
        return Sender(self.fleet, client if is_name(client) else None)


class Sender(NamedTuple):
    """Where an answer goes; ``client`` is None where the envelope names none that can be told."""

    fleet: str | None
    client: str | None
