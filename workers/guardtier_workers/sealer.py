"""How a worker that decides makes the bytes of its verdicts: signed, where the settings name keys."""

from __future__ import annotations

from typing import Any

from guardtier.errors import ConfigError
from guardtier.sealing import Seal, Sealer, SigningKeys
from guardtier.settings import Settings
from guardtier.verdict import Verdict


def signing_keys(settings: Settings) -> SigningKeys | None:
    """Raises ConfigError for a file of keys that can't be used: the worker must not start without."""
    return SigningKeys(settings.signing_key_file) if settings.signing_key_file else None


def sealer(settings: Settings, keys: SigningKeys | None = None) -> Seal:
    """``keys``: those of the settings, where they have been read. Raises as :func:`signing_keys`."""
    keys = keys or signing_keys(settings)
    if keys is None:
        return Verdict.to_json
    approved = settings.approved_seconds or settings.retain_seconds
    return Sealer(
        keys,
        released_ms=int(settings.released_seconds * 1000),
        approved_ms=int(approved * 1000),
    )


def signing(seal: Seal) -> dict[str, Any]:
    """What a heartbeat says of the keys: which signs, and which count; none where it does not sign."""
    if not isinstance(seal, Sealer):
        return {"signs": "", "keys": ()}
    try:
        return {"signs": seal.keys.id, "keys": seal.keys.ids}
    except ConfigError:  # all of them are over: whoever decides says so
        return {"signs": "", "keys": (), "spent": True}
