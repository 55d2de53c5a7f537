"""Redacted: the mark that stands in place of a secret which the tier does not keep.

``redacted:github_token:9f86d081884c7d65``: the rule that knew it, and a fingerprint. It has no spaces and
nothing that a shell, a URL or code would act on, so what it stands in is still read as it was.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator
from hashlib import sha256
from typing import NamedTuple

import orjson

from guardtier.action import ActionEvent
from guardtier.assessment import Assessment

_PURPOSE = b"guardtier.redacted.1\0"
_MARK = re.compile(r"\bredacted:([A-Za-z0-9_-]{1,40}):([0-9a-f]{16})\b")
#: In JSON: the n of a line break may stand before one, and a rule may find a secret within a word.
_IN_JSON = re.compile(rb"redacted:([A-Za-z0-9_-]{1,40}):[0-9a-f]{16}")
_NO_RULE = re.compile(r"[^A-Za-z0-9_-]")

EVERYTHING = "everything"  #: the rule of a mark that stands for all arguments


class Kept(NamedTuple):
    """What of an action is kept: its JSON, and its rating. ``marks`` stand in place of what is not."""

    event: bytes
    assessment: Assessment
    marks: tuple[str, ...] = ()

    @property
    def listed(self) -> str:
        """The marks, as the audit stream has them: sixteen at the most."""
        return " ".join(self.marks[:16])

    @property
    def shown(self) -> str:
        """SHA-256 (64 hex digits) of what is kept in place of the action; "" where that is the action."""
        return sha256(self.event).hexdigest() if self.marks else ""

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules of all the marks, each once."""
        return tuple(dict.fromkeys(mark.split(":")[1] for mark in self.marks))


class Fingerprinter:
    """Fingerprints of secrets (64 bits, 16 hex digits): an HMAC-SHA256, cut off.

    The same secret of two fleets has two of them: nobody can tell by those of their own fleet what another
    has. Without the key, a secret can't be guessed and tried. Raises ValueError for a key under 16 bytes.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) < 16:
            raise ValueError("a key for fingerprints has at least 16 bytes")
        self._key = key

    def of(self, fleet: str, secret: str) -> str:
        said = _PURPOSE + fleet.encode() + b"\0" + secret.encode("utf-8", "surrogatepass")
        return hmac.new(self._key, said, sha256).hexdigest()[:16]

    def mark(self, fleet: str, rule: str, secret: str) -> str:
        """What stands in place of this secret."""
        return f"redacted:{_NO_RULE.sub('_', rule)[:40] or 'secret'}:{self.of(fleet, secret)}"


def marks_in(text: str) -> Iterator[tuple[str, str]]:
    """The rule and the fingerprint of every mark in a text."""
    for found in _MARK.finditer(text):
        yield found[1], found[2]


def rules_marked_in(action: ActionEvent) -> tuple[str, ...]:
    """The rules of the marks in what an action would do and says, each once."""
    said = orjson.dumps([action.arguments, action.summary, action.thought])
    if b"redacted:" not in said:
        return ()
    return tuple(dict.fromkeys(found[1].decode() for found in _IN_JSON.finditer(said)))


def has_marks(text: str | bytes) -> bool:
    """Whether something was redacted in a text, or in the JSON of an action."""
    if isinstance(text, bytes):
        return b"redacted:" in text and _IN_JSON.search(text) is not None
    return "redacted:" in text and _MARK.search(text) is not None
