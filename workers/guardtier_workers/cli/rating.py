"""Rates without a tier: one action, or lines of a program. The contract of ``check --jsonl``.

In: ``{"id", "tool_name", "arguments", "summary"?, "thought"?, "annotations"?}``, a line each. Out, in
the same order and flushed line by line: ``{"id", "risk", "parked", "findings": [{"id", "risk",
"message", "field", "span"}], "us"}``; for a bad line ``{"id": … or null, "error": {"code", "field",
"message", "limit"?}}`` in its place.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from time import perf_counter_ns
from typing import Any, BinaryIO, Self, TextIO

import orjson

from guardtier.action import ActionEvent
from guardtier.analyzers.registry import ensemble
from guardtier.assessment import Assessment
from guardtier.canonical import MAX_PAYLOAD, parse_strict
from guardtier.errors import GuardtierError, InvalidAction
from guardtier.policy.ruling import Effect, Ruling
from guardtier.settings import Settings
from guardtier_workers.cli.exits import error_body
from guardtier_workers.cli.safe_text import json_text
from guardtier_workers.clock import now_ms
from guardtier_workers.facts import facts_on
from guardtier_workers.policies import in_force
from guardtier_workers.policyfiles import FileInForce, own_file
from guardtier_workers.warm import warm

AGENT = "check"  #: the agent and, unless one is named, the fleet that offline actions are said to be of
_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Rating:
    """What the tier would say. ``us``: how long the ensemble took, in microseconds."""

    assessment: Assessment
    ruling: Ruling
    us: int

    @property
    def policy(self) -> str:
        """The version of the policy that decides."""
        return self.ruling.version

    @property
    def parked(self) -> bool:
        """Whether it would not be released: parked for a person, or rejected."""
        return self.ruling.effect is not Effect.RELEASE

    def to_body(self) -> dict[str, Any]:
        findings = [
            {name: found[name] for name in ("id", "risk", "message", "field", "span")}
            for found in (one.model_dump(mode="json") for one in self.assessment.findings)
        ]
        return {
            "risk": self.assessment.risk.value,
            "parked": self.parked,
            "findings": findings,
            "us": self.us,
        }


class Rater:
    """The configured ensemble and policies, in this process. Use it as a context manager."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ensemble = ensemble(
            settings.analyzers,
            time_limit=settings.analyzer_seconds,
            propagate_unknown=settings.propagate_unknown,
            tables=settings.analyzer,
        )
        self._runner = asyncio.Runner()

    def warm(self) -> None:
        """Be as a worker is once it is up."""
        warm(self._ensemble)
        gc.collect()
        gc.freeze()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.close()

    def assess(self, action: ActionEvent) -> Assessment:
        """What the analyzers say of it, as if it named no conversation."""
        assessment = self._ensemble.assess_cheaply(action)
        return assessment or self._runner.run(self._ensemble.assess(action))

    def rate(self, action: ActionEvent) -> Rating:
        """What the tier would say, under the settings' policy file. Raises ConfigError for a wrong one."""
        start = perf_counter_ns()
        assessment = self.assess(action)
        us = (perf_counter_ns() - start) // 1000
        policy = in_force(self._settings, action.fleet, None, self._file)
        return Rating(assessment, policy.rule(facts_on(action, assessment, at_ms=now_ms())), us)

    @cached_property
    def _file(self) -> FileInForce | None:
        return own_file(self._settings)

    def rate_lines(self, source: BinaryIO, out: TextIO, *, fleet: str) -> None:
        """Answer every line of ``source`` before the next one is read."""
        self.warm()
        for line in _lines(source):
            print(json_text(self._answer(line, fleet)), file=out, flush=True)

    def _answer(self, line: bytes, fleet: str) -> dict[str, Any]:
        try:
            name, action = _action_in(line, fleet)
            return {"id": name, **self.rate(action).to_body()}
        except GuardtierError as error:
            return {"id": _name_in(line), "error": error_body(error)}


def _action_in(line: bytes, fleet: str) -> tuple[str | int, ActionEvent]:
    """The caller's own name for a line, and its action. Raises InvalidAction."""
    body = parse_strict(line)
    if not isinstance(body, dict):
        raise InvalidAction("a line must be a JSON object", field="payload")
    for field in ("id", "tool_name", "arguments"):
        if field not in body:
            raise InvalidAction(f"{field} is missing", field=field)
    name = body.pop("id")
    if not _is_name(name):
        raise InvalidAction("id must be a string", field="id")
    return name, ActionEvent.from_value({"fleet": fleet, "agent": AGENT, **body})


def _name_in(line: bytes) -> str | int | None:
    """The id of a bad line, where it can be told."""
    if len(line) > MAX_PAYLOAD:
        return None
    try:
        body = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    name = body.get("id") if isinstance(body, dict) else None
    return name if _is_name(name) else None


def _is_name(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _lines(source: BinaryIO) -> Iterator[bytes]:
    """The lines without their ends. What is over the limit is cut off behind it, never kept."""
    longest = MAX_PAYLOAD + 2
    while line := source.readline(longest):
        rest = line
        while rest and not rest.endswith(b"\n"):
            rest = source.readline(_CHUNK)
        yield line.rstrip(b"\r\n")
