"""Canonical JSON, strict parsing and the digest.

The canonical form follows RFC 8785 in spirit: sorted keys, no white space, UTF-8, the shortest
float. It differs in two points: keys are sorted by code point (RFC 8785: UTF-16 unit), and 1.0 stays
``1.0``. Both sides of guardtier use this module, so the form only has to be one, not that one.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any, NoReturn

import orjson

from guardtier.errors import InvalidAction

MAX_PAYLOAD = 1024 * 1024  #: bytes of one action
MAX_NESTING = 64  #: objects and arrays inside each other, the outermost counted
INT_MIN, INT_MAX = -(2**63), 2**64 - 1  #: what every JSON parser that we use reads exactly


def canonical(value: Any, *, field: str = "payload") -> bytes:
    """The canonical bytes. Raises InvalidAction for what JSON can't say (NaN is for the model)."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError as error:
        raise InvalidAction(f"{field} is not JSON: {error}", field=field) from error


def digest_of(fleet: str, agent: str, tool_name: str, arguments: dict[str, Any]) -> str:
    """SHA-256 (64 hex digits) that binds a verdict to exactly this call by this agent."""
    identity = {"agent": agent, "arguments": arguments, "fleet": fleet, "tool_name": tool_name}
    return sha256(canonical(identity, field="arguments")).hexdigest()


def parse_strict(raw: bytes) -> Any:
    """JSON that every parser reads alike. Raises InvalidAction otherwise.

    Refused: more than MAX_PAYLOAD bytes, nesting above MAX_NESTING, invalid UTF-8, lone surrogates,
    duplicate keys, NaN and infinities, integers outside 64 bits. orjson reads the value; where its
    canonical form is not the bytes received, the standard library's parser looks a second time for
    what orjson lets pass (duplicate keys, integers that it rounds).
    """
    check_size(raw)
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise InvalidAction(f"payload is not JSON: {error}", field="payload") from error
    check_nesting(value, brackets=raw.count(b"{") + raw.count(b"["))
    if orjson.dumps(value, option=orjson.OPT_SORT_KEYS) != raw:
        json.loads(raw, object_pairs_hook=_unique, parse_int=_bounded, parse_constant=_refuse)
    return value


def check_unique(raw: bytes) -> None:
    """Raise InvalidAction where a key stands twice in one object, ValueError for what is no JSON."""
    json.loads(raw, object_pairs_hook=_unique)


def check_size(raw: bytes, field: str = "payload") -> None:
    if len(raw) > MAX_PAYLOAD:
        raise InvalidAction(
            f"{field} has {len(raw)} bytes, the limit is {MAX_PAYLOAD}; pass large content by reference",
            field=field,
            limit=MAX_PAYLOAD,
        )


def check_nesting(value: Any, *, field: str = "payload", brackets: int = MAX_NESTING + 1) -> None:
    """Raise InvalidAction above MAX_NESTING. ``brackets`` is an upper bound, to skip the walk."""
    if brackets <= MAX_NESTING:
        return
    level, depth = [value], 0
    while level := [node for node in level if isinstance(node, dict | list)]:
        depth += 1
        if depth > MAX_NESTING:
            raise InvalidAction(f"{field} nests deeper than {MAX_NESTING}", field=field, limit=MAX_NESTING)
        level = [child for node in level for child in _children(node)]


def _children(node: Any) -> list[Any]:
    return list(node.values()) if isinstance(node, dict) else list(node)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = dict(pairs)
    if len(keys) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise InvalidAction(f"key {twice[:80]!r} stands twice in one object", field=twice[:80])
    return keys


def _bounded(digits: str) -> int:
    if len(digits) > 20 or not INT_MIN <= int(digits) <= INT_MAX:
        raise InvalidAction(
            "an integer needs more than 64 bits; send it as a string", field="payload", limit=64
        )
    return int(digits)


def _refuse(name: str) -> NoReturn:
    raise InvalidAction(f"{name} is not JSON", field="payload")
