"""Labels: what an action is remembered for, as data (``data/labels.toml`` and the user's own)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Annotated, Any, Literal

import re2
from pydantic import BaseModel, ConfigDict, StringConstraints, model_validator

from guardtier.analyzers.effects.schema import Effect
from guardtier.analyzers.flow.deeds import OF_CODE, Deed, Deeds
from guardtier.analyzers.flow.redact import redacted
from guardtier.analyzers.hints import said_by
from guardtier.analyzers.tools import Kind
from guardtier.analyzers.view import View
from guardtier.assessment import Finding

LOST = "history.lost"  #: not all is known of what came before
#: Set by the tier itself: a secret or orders in an output (``observe``), a history that is gone.
OWN = frozenset({"secret.seen", "injection.seen", LOST})
LabelName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)*$", max_length=64)]
Glob = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[a-z0-9_.*]+$")]
_VERBS = {
    "read": "reads", "collect": "collects", "write": "writes", "delete": "deletes", "execute": "runs",
    "send": "sends to", "receive": "fetches", "credentials": "takes credentials from",
    "persist": "installs",
}  # fmt: skip
_WORDS = 100  #: characters of a mark's words


class Label(BaseModel):
    """One ``[[label]]``. It is set where any of its lines holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: LabelName
    words: Annotated[str, StringConstraints(min_length=1, max_length=80)]
    effects: tuple[Effect, ...] = ()
    places: tuple[str, ...] = ()
    findings: tuple[Glob, ...] = ()
    tools: tuple[Glob, ...] = ()
    kinds: tuple[Kind, ...] = ()
    world: Literal["in", "out"] | None = None
    url_data: bool = False

    @model_validator(mode="after")
    def _says_when(self) -> Label:
        if not (self.effects or self.findings or self.tools or self.kinds or self.world or self.url_data):
            raise ValueError("never holds: give effects, findings, tools, kinds, world or url_data")
        if self.places and not self.effects:
            raise ValueError("places need effects")
        return self


class Labels:
    """All labels, ready to be set. What an effect, a finding or a tool's name sets is looked up once."""

    def __init__(self, labels: Iterable[Label]) -> None:
        self._labels = tuple(labels)
        self.names = frozenset(label.name for label in self._labels) | OWN
        self._words = {label.name: label.words for label in self._labels}
        self._findings = _Globs((label.name, label.findings) for label in self._labels)
        self._tools = _Globs((label.name, label.tools) for label in self._labels)
        self._effects: dict[tuple[str, str], tuple[str, ...]] = {}
        self._wanted = lru_cache(maxsize=64)(self._effects_of)

    def of(self, view: View, deeds: Deeds, findings: Sequence[Finding]) -> dict[str, str]:
        """The labels of an action: name → what it did, in words."""
        doing: dict[str, str] = {}
        for deed in deeds.done:
            for name in self._of_effect(deed.effect, deed.place):
                if name not in doing:
                    doing[name] = _told(self._words[name], deed)
        for name in self._otherwise(view, deeds, findings):
            doing.setdefault(name, self._words[name])
        return doing

    def may_set(self, names: frozenset[str], view: View, findings: Sequence[Finding]) -> bool:
        """Whether a shell command may set one of these labels: 1 µs, where to set them all takes 20."""
        effects, others = self._wanted(names)
        tool_name = _plain(view.action.tool_name)
        if others or view.kind != "shell" or not view.tool.known:
            return True
        for flow in view.flows:
            for done in flow.done:
                if not effects.isdisjoint(done.effects):
                    return True
        for finding in findings:
            if not names.isdisjoint(self._findings.of(finding.id)):
                return True
            if finding.id.startswith(("python.", "sql.")):
                named = OF_CODE.fullmatch(finding.id)
                if named and named[1] in effects:
                    return True
        return not names.isdisjoint(self._tools.of(tool_name))

    def _effects_of(self, names: frozenset[str]) -> tuple[frozenset[str], bool]:
        """The effects that set one of them, and whether something else of a shell command may."""
        wanted = [label for label in self._labels if label.name in names]
        others = any("shell" in label.kinds or label.url_data for label in wanted) or "download" in names
        return frozenset(effect for label in wanted for effect in label.effects), others

    def _otherwise(self, view: View, deeds: Deeds, findings: Sequence[Finding]) -> Iterator[str]:
        for finding in findings:
            yield from self._findings.of(finding.id)
        yield from self._tools.of(_plain(view.action.tool_name))
        if deeds.fetched:
            yield "download"
        world = _world_of(view)
        for label in self._labels:
            if (
                view.kind in label.kinds
                or (world and label.world == world)
                or (label.url_data and deeds.url_data)
            ):
                yield label.name

    def _of_effect(self, effect: str, place: str) -> tuple[str, ...]:
        """Effects and places are few, so all that were met are kept."""
        known = self._effects.get((effect, place))
        if known is None:
            known = self._effects[effect, place] = tuple(
                label.name
                for label in self._labels
                if effect in label.effects and (not label.places or place in label.places)
            )
        return known


class _Globs:
    """Which labels a name sets; the last names are remembered."""

    def __init__(self, labels: Iterable[tuple[str, Sequence[str]]]) -> None:
        self._patterns = [(name, _any_of(globs)) for name, globs in labels if globs]
        self.of = lru_cache(maxsize=1024)(self._of)

    def _of(self, text: str) -> tuple[str, ...]:
        return tuple(name for name, pattern in self._patterns if pattern.fullmatch(text) is not None)


def _told(words: str, deed: Deed) -> str:
    verb = _VERBS.get(deed.effect)
    if verb is None or not deed.target or "\x00" in deed.target:
        return words
    return redacted(f"{verb} {deed.target}", _WORDS)


def _world_of(view: View) -> str | None:
    hints = view.action.annotations
    if view.tool.known or hints is None:
        return None
    if said_by(view.action) == "reads the open world":
        return "in"
    return "out" if hints.openWorldHint is True and hints.readOnlyHint is not True else None


@lru_cache(maxsize=1024)
def _plain(tool_name: str) -> str:
    return re.sub(r"[^a-z0-9.]", "_", tool_name.lower()[:256])


def _any_of(globs: Sequence[str]) -> Any:
    """One RE2 pattern for all: many stars take no time that grows with their number."""
    return re2.compile("|".join(".*".join(map(re2.escape, re.split(r"\*+", glob))) for glob in globs))
