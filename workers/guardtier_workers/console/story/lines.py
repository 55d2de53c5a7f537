"""Lines of the audit streams, as the console reads them: their details, and whose they are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from guardtier.look import Me
from guardtier.store.trail import Line

_MOST: Final = 256 * 1024  #: bytes of a field that are parsed
_FLEETS_STREAM = re.compile(r"^gt:\{\d+\}:actions:(.+)$")


def details_of(line: Line) -> Mapping[str, Any]:
    """What the line says besides; empty where that can't be read."""
    return _json(line.fields.get(b"details", b""))


def error_of(line: Line) -> str:
    """Why something was refused; "" where the line says nothing of that."""
    found = _json(line.fields.get(b"error", b"")).get("message")
    return found if isinstance(found, str) else ""


def fleet_of(line: Line) -> str | None:
    """Whose line it is; None where it does not say: a refused answer names an action alone."""
    if fleet := line.text("fleet"):
        return fleet
    found = _FLEETS_STREAM.match(line.text("stream"))
    if found:
        return found[1]
    return "" if line.text("stream").endswith(":strays") else None


def is_shown(line: Line, me: Me, *, about: str | None = None) -> bool:
    """Whether an approver is shown a line. ``about``: the fleet of the action that it names, where that is
    known. What says neither is for those who see every fleet.
    """
    fleet = fleet_of(line)
    if fleet is None:
        fleet = about
    return me.sees(fleet or "*")


def names_of(value: Any) -> tuple[str, ...]:
    """A list of names as the details have it; what is none is left out."""
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()


def _json(raw: bytes) -> Mapping[str, Any]:
    if not raw or len(raw) > _MOST:
        return {}
    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
