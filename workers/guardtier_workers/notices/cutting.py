"""Cutting: a JSON value whose long strings are cut, before and after secrets are taken out of it.

Looking for secrets takes time, so it is done in what may be shown alone. But half a secret is not known as
one: so more is looked through than is shown, and what stands before a cut goes.
"""

from __future__ import annotations

from typing import Any

LONGEST = 8 * 1024  #: characters of one string that are looked through
MARGIN = 1024  #: characters before a cut that are not shown; longer than a secret that its beginning hides


def cut(value: Any) -> Any:
    """The value with the beginning of each string; a key stays whole, so that none becomes another."""
    if isinstance(value, str):
        return value[:LONGEST]
    if isinstance(value, dict):
        return {key: cut(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [cut(inner) for inner in value]
    return value


def trimmed(whole: Any, clean: Any) -> Any:
    """``clean`` (of ``cut(whole)``, without secrets) without what stands before a cut."""
    if isinstance(whole, str) and isinstance(clean, str):
        return clean if len(whole) <= LONGEST else f"{clean[:-MARGIN]}…"
    if isinstance(whole, dict) and isinstance(clean, dict):
        pairs = zip(whole.values(), clean.items(), strict=True)
        return {name: trimmed(inner, shown) for inner, (name, shown) in pairs}
    if isinstance(whole, list) and isinstance(clean, list):
        return [trimmed(inner, shown) for inner, shown in zip(whole, clean, strict=True)]
    return clean
