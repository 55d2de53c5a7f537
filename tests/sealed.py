"""Sealed: keys in files as a tier has them, and verdicts that it might say."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import time
from typing import Any

from guardtier import ActionEvent, Outcome, SecurityRisk, Verdict
from guardtier.keyfile import Key, private_json, public_json
from guardtier.sealing import Sealer, SigningKeys
from tier import low

HOUR_MS = 3_600_000
ACTION = low("ls").placed_in(0)
SEAL_LENGTH = len(',"seal":"') + 16 + 1 + 86 + len('"}')


def now_ms() -> int:
    return int(time() * 1000)


def ago(**span: float) -> datetime:
    """A moment in the past, or with negative spans in the future."""
    return datetime.now(UTC) - timedelta(**span)


def clock(ahead_ms: int) -> Callable[[], int]:
    """A clock that is so far ahead of the right time."""
    return lambda: now_ms() + ahead_ms


class KeyFolder:
    """The tier's private file and the agents' public one, written anew as a test says."""

    def __init__(self, folder: Path, *keys: Key) -> None:
        self.private, self.public = folder / "signing.json", folder / "verdict-keys.json"
        self.keys = list(keys) or [Key.new()]
        self.write()

    def write(self, *, public: list[Key] | None = None) -> None:
        """Both files, whole or not at all, as an operator's tool would."""
        for file, text in (
            (self.private, private_json(self.keys)),
            (self.public, public_json(self.keys if public is None else public)),
        ):
            draft = file.with_suffix(".new")
            draft.touch(mode=0o600)
            draft.write_text(text)
            draft.replace(file)

    def sealer(self, **times: Any) -> Sealer:
        return Sealer(SigningKeys(self.private), **times)


def verdict_on(action: ActionEvent, outcome: Outcome = Outcome.RELEASED, **fields: Any) -> Verdict:
    """What a policy worker would have decided just now."""
    known = {
        "id": action.id,
        "outcome": outcome,
        "digest": action.digest,
        "risk": SecurityRisk.LOW,
        "policy": "test:1",
        "decided_at": now_ms(),
    }
    return Verdict(**known | fields)
