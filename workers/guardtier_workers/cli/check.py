"""guardtier check: rate without a tier, with the configured ensemble and policy."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from guardtier.action import ActionEvent
from guardtier.assessment import Assessment
from guardtier.policy.ruling import Effect
from guardtier.risk import SecurityRisk
from guardtier_workers.cli.exits import Exit, UsageError
from guardtier_workers.cli.options import Config, Json
from guardtier_workers.cli.output import emit, say
from guardtier_workers.cli.rating import AGENT, Rater
from guardtier_workers.cli.safe_text import quoted
from guardtier_workers.cli.tier import load_settings

_WORDS = {Effect.RELEASE: "released", Effect.PARK: "parked for a person", Effect.REJECT: "rejected"}


def check(
    command: Annotated[str | None, typer.Argument(help="A shell command to rate.")] = None,
    lines: Annotated[
        bool,
        typer.Option("--jsonl", help="Rate standard input, a JSON object a line, and answer each."),
    ] = False,
    tool: Annotated[str, typer.Option(help="The tool's name.")] = "terminal",
    fleet: Annotated[str, typer.Option(help="Whose policy counts.")] = AGENT,
    config: Config = None,
    as_json: Json = False,
) -> int:
    """Rate a command offline. Exits 0 where it would be released, else 3."""
    if lines == (command is not None):
        raise UsageError("give a COMMAND, or --jsonl and lines on standard input")
    with Rater(load_settings(None, config)) as rater:
        if command is None:
            rater.rate_lines(sys.stdin.buffer, sys.stdout, fleet=fleet)
            return Exit.DONE
        action = ActionEvent.from_value(
            {"fleet": fleet, "agent": AGENT, "tool_name": tool, "arguments": {"command": command}}
        )
        action.to_json()  # the limits hold here as they do in the tier
        rating = rater.rate(action)
    if as_json:
        emit(rating.to_body())
    else:
        what = _WORDS[rating.ruling.effect]
        rules = f" by {', '.join(rating.ruling.rules)}" if rating.ruling.rules else ""
        say(f"{rating.assessment.risk.value}: would be {what}{rules} ({rating.policy})")
        for found in rating.assessment.findings:
            say(f"  {found.risk.value} {found.id}: {found.message}")
            if found.span:
                say(f"      {quoted(command, found.span)}")
        for line in _unexplained(rating.assessment):
            say(f"  {line}")
    return Exit.NOT_ALLOWED if rating.parked else Exit.DONE


def _unexplained(assessment: Assessment) -> list[str]:
    """Who voted what the rating is, where no finding says why."""
    if any(found.risk is assessment.risk for found in assessment.findings):
        return []
    if assessment.risk is SecurityRisk.LOW:
        return []
    if assessment.risk is SecurityRisk.UNKNOWN:
        return ["UNKNOWN: no analyzer can tell what this does"]
    return [
        f"{vote.risk.value} {vote.child}: the analyzer says so, and not why"
        for vote in assessment.votes
        if vote.risk is assessment.risk
    ]
