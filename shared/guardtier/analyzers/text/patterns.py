"""PatternSecurityAnalyzer: known shapes of harm in text that nobody parses, and the user's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from guardtier.analyzers.gate import GATE
from guardtier.analyzers.text.base import TextAnalyzer
from guardtier.analyzers.text.fields import Text, Texts
from guardtier.analyzers.text.foreign import found_in_foreign
from guardtier.analyzers.text.hidden import hidden_in
from guardtier.analyzers.text.places import Place
from guardtier.analyzers.text.rules import (
    RUNS,
    Signature,
    Signatures,
    named,
    read_own,
    read_users,
    validated,
)
from guardtier.analyzers.view import Call
from guardtier.assessment import Finding


class PatternSecurityAnalyzer(TextAnalyzer):
    """Signatures over what will run, and over everything for those that ask for it.

    ``patterns`` are the user's own: a regex of RE2 (HIGH, everywhere in what runs) or a mapping with
    the fields of a signature; ``file`` is a TOML file of [pattern.<family>.<name>] tables. The
    package's own signatures leave shell commands and code to the analyzers that parse them, unless
    ``parsed`` is True; ``builtin=False`` leaves them out.
    """

    name: ClassVar[str] = "patterns"

    def __init__(
        self,
        patterns: Sequence[str | dict[str, Any]] = (),
        *,
        file: str | Path | None = None,
        builtin: bool = True,
        parsed: bool = False,
    ) -> None:
        signatures = list(_own(parsed=parsed)) if builtin else []
        signatures += _listed(patterns)
        if file is not None:
            signatures += _filed(file)
        self._signatures = Signatures(signatures)
        everywhere = [one for one in signatures if Place.PARSED in one.where]
        self._parsed = any(one.near is None for one in everywhere)
        self._near = GATE.admit(one.near for one in everywhere if one.near is not None)
        said = [one for one in signatures if Place.SAID in one.where]
        self._of_said = Signatures(said) if said else None
        self._concerned = self._parsed or bool(said)  # by plain commands too

    def concerns(self, call: Call) -> bool:
        return self._concerned or not call.plain or (bool(self._near) and not call.clean)

    def findings(self, texts: Texts) -> list[Finding]:
        searched = self._parsed or not texts.only_parsed or texts.runs.concerns(self._near)
        found = self._in(texts.runs) if searched else []
        found += found_in_foreign(texts, self._in)
        if not texts.runs.raw.isascii():
            found += hidden_in(texts.runs)
        if self._of_said is not None and texts.said is not None:
            found += self._of_said.found_in(texts.said, texts.said.normal)
        return found

    def _in(self, text: Text) -> list[Finding]:
        return self._signatures.found_in(text, text.normal)


def _own(*, parsed: bool) -> Iterator[Signature]:
    for entry in named(read_own("patterns.toml")["pattern"], "pattern"):
        one = validated(Signature, entry, "patterns.toml")
        yield one.model_copy(update={"where": one.where | {Place.PARSED}}) if parsed else one


def _listed(patterns: Sequence[str | dict[str, Any]]) -> Iterator[Signature]:
    for number, entry in enumerate(patterns, 1):
        own = {"id": f"pattern.user.{number}", "where": RUNS}
        if isinstance(entry, str):
            entry = {"regex": [entry], "message": "Matches a pattern of your own."}  # noqa: PLW2901
        yield validated(Signature, own | entry, f"pattern {number}")


def _filed(file: str | Path) -> Iterator[Signature]:
    for entry in named(read_users(file).get("pattern", {}), "pattern"):
        yield validated(Signature, {"where": RUNS} | entry, str(file))
