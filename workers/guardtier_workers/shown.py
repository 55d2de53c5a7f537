"""Shown: whether what is kept of a parked action is what was asked, and what its approver was shown.

Of an action without a secret the digest tells that. What stands in place of secrets has another digest, and
an analyzer worker's credential may write records: a policy worker that parks it signs what it is shown as.
"""

from __future__ import annotations

import logging

from guardtier.answer import Answer, Choice
from guardtier.errors import ConfigError, DigestMismatch
from guardtier.redacted import has_marks
from guardtier.sealing import SigningKeys
from guardtier.store.delivery import Delivery
from guardtier.store.records import Record

log = logging.getLogger(__name__)

_PURPOSE = b"guardtier.shown.1"


class Shown:
    """``keys`` are those by which verdicts are signed; None: nothing is, and whoever may write records may
    tell agents what they like as well.
    """

    def __init__(self, keys: SigningKeys | None) -> None:
        self._keys = keys

    def seal(self, delivery: Delivery) -> bytes:
        """What the record of a rated action keeps; b"" where it holds no secret. Raises ConfigError where
        no key is valid.
        """
        shown = delivery.text(b"shown")
        if not shown or self._keys is None:
            return b""
        return self._keys.sign(_PURPOSE, _said(delivery.id, delivery.text(b"digest"), shown))

    def seal_if_any(self, delivery: Delivery) -> bytes:
        """The same, and b"" where no key is valid: what can't be decided is parked all the same."""
        try:
            return self.seal(delivery)
        except ConfigError as error:
            log.warning("%s is shown unsigned, so it can only be rejected: %s", delivery.id, error)
            return b""

    def check(self, record: Record, answer: Answer) -> None:
        """Raises DigestMismatch where it is not what the approver was shown, or not what was asked.

        A rejection counts whatever was asked: else nobody could end what waits on at its deadlines.
        """
        shown = record.shown
        if answer.shown is not None and answer.shown != shown:
            raise DigestMismatch(
                f"what is kept of {record.id} is not what you were shown: look at it again", field="shown"
            )
        if answer.choice is Choice.REJECT or record.action.digest == record.digest:
            return
        if self._keys is None and has_marks(record.event):
            return
        said = _said(record.id, record.digest, shown)
        if self._keys is None or not self._keys.has_signed(_PURPOSE, said, record.sealed):
            raise DigestMismatch(
                f"what is kept of {record.id} is not what the agent asked for: somebody has changed it, or "
                "the key that signed it is gone. No approval can count: reject it; the agent asks again",
                field="shown",
            )


def _said(action_id: str, digest: str, shown: str) -> bytes:
    return f"{action_id}\0{digest}\0{shown}".encode()
