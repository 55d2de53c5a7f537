"""guardtier policy replay: what another policy file would have made of what was recorded."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from guardtier.action import ActionEvent
from guardtier.analyzers.ensemble import EnsembleSecurityAnalyzer
from guardtier.analyzers.flow.redact import redacted
from guardtier.analyzers.registry import ensemble
from guardtier.assessment import Assessment
from guardtier.policy.file import PolicyFile
from guardtier.policy.ruling import Effect
from guardtier.policy.terms import seconds
from guardtier.settings import Settings
from guardtier.store.records import Records
from guardtier.store.trail import Trail
from guardtier_workers.cli.exits import UsageError
from guardtier_workers.cli.options import Config, Json, RedisUrl
from guardtier_workers.cli.output import call_text, emit, say
from guardtier_workers.cli.policy_standing import text_of
from guardtier_workers.cli.tier import tier_at
from guardtier_workers.clock import now_ms
from guardtier_workers.policyfiles import FileInForce
from guardtier_workers.replay import Rate, Replay, Trial
from guardtier_workers.replay_report import Change, Replayed, Report

WIDE = 100  #: characters of a call that an example shows

_WORDS = {Effect.RELEASE: "released", Effect.PARK: "parked", Effect.REJECT: "rejected"}


def replay(
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help="How far back: 90s, 30m, 1h, 2d.")
    ] = "1h",
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="FILE", help="The policy file to try. Else the one that stands."),
    ] = None,
    fleet: Annotated[str | None, typer.Option("--fleet", metavar="NAME", help="This fleet alone.")] = None,
    as_recorded: Annotated[
        bool, typer.Option("--as-recorded", help="Keep the recorded ratings: ask no analyzer.")
    ] = False,
    redis_url: RedisUrl = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Run recorded actions through another policy file and today's analyzers; say what would change.

    Nothing is changed. Actions whose records are past their retention are counted, not replayed.
    """
    start = now_ms() - _milliseconds(since)
    candidate = None
    if file is not None:
        compiled = PolicyFile.parse(text_of(file), name=str(file)).compiled()
        candidate = FileInForce(compiled, str(file))

    async def run() -> Report:
        async with tier_at(redis_url, config) as tier:
            records = Records(tier.redis, tier.partitions)
            analyzers = None if as_recorded else _analyzers(tier.settings)
            try:
                trial = Trial(tier.settings, records, candidate)
                rate = _rate(analyzers) if analyzers else None
                replayed = Replay(records, Trail(tier.redis, tier.partitions), trial.rule, rate)
                return await replayed.run(start, fleet=fleet)
            finally:
                if analyzers is not None:
                    await analyzers.aclose()

    report = asyncio.run(run())
    if as_json:
        emit(_body(report, start))
    else:
        _tell(report, since)


def _milliseconds(since: str) -> int:
    try:
        return int(seconds(since) * 1000)
    except ValueError as error:
        raise UsageError(f"--since: {error}", field="since") from error


def _analyzers(settings: Settings) -> EnsembleSecurityAnalyzer:
    return ensemble(
        settings.analyzers,
        time_limit=settings.analyzer_seconds,
        propagate_unknown=settings.propagate_unknown,
        tables=settings.analyzer,
    )


def _rate(analyzers: EnsembleSecurityAnalyzer) -> Rate:
    async def rate(action: ActionEvent) -> Assessment:
        return analyzers.assess_cheaply(action) or await analyzers.assess(action)

    return rate


def _tell(report: Report, since: str) -> None:
    newly = ", ".join(f"{report.newly(effect)} newly {_WORDS[effect]}" for effect in reversed(Effect))
    say(f"{report.replayed} actions of the last {since} replayed: {newly}")
    if report.rated_otherwise:
        say(f"{report.rated_otherwise} of them are rated otherwise today than they were")
    if report.gone:
        say(f"{report.gone} could not be replayed: their records are past their retention, or damaged")
    if report.edited:
        say(f"{report.edited} could not be replayed: an approver has edited them since")
    if report.unread:
        say(f"{report.unread} could not be read then, and are parked under any policy")
    if report.beyond:
        say(f"{report.beyond} were decided by a halt, a block or a grant, whatever the policy")
    for change in report.sorted:
        say()
        say(_heading(change))
        for one in change.examples:
            say(f"  {_example_line(one)}")
    if report.more:
        say(f"{report.more} more changes are not listed")


def _heading(change: Change) -> str:
    was = f"{_WORDS[change.was]}{_by(change.was_rules)}"
    shadow = " in shadow mode" if change.shadow else ""
    by = _by(change.rules, "by the default")
    line = f"newly {_WORDS[change.now]}{by}{shadow}: {change.count} (were {was})"
    return line + (f", {change.rated_otherwise} rated otherwise" if change.rated_otherwise else "")


def _by(rules: tuple[str, ...], nobody: str = "") -> str:
    told = "by " + ", ".join(rules) if rules else nobody
    return f" {told}" if told else ""


def _example_line(one: Replayed) -> str:
    risk = one.risk.value if one.risk is one.rated else f"{one.rated.value} → {one.risk.value}"
    action = one.action
    return f"{action.id} {action.fleet}/{action.agent} {risk} {action.tool_name}: {_call(action)}"


def _call(action: ActionEvent) -> str:
    """What it would run, cut, without what looks like a secret."""
    return redacted(call_text(action), WIDE)


def _body(report: Report, since_ms: int) -> dict[str, Any]:
    return {
        "since": since_ms,
        "replayed": report.replayed,
        "gone": report.gone,
        "unread": report.unread,
        "beyond": report.beyond,
        "edited": report.edited,
        "rated_otherwise": report.rated_otherwise,
        "newly": {_WORDS[effect]: report.newly(effect) for effect in Effect},
        "changes": [_change_body(change) for change in report.sorted],
        "more": report.more,
    }


def _change_body(change: Change) -> dict[str, Any]:
    return {
        "was": _WORDS[change.was],
        "now": _WORDS[change.now],
        "was_rules": list(change.was_rules),
        "rules": list(change.rules),
        "shadow": change.shadow,
        "count": change.count,
        "rated_otherwise": change.rated_otherwise,
        "examples": [
            {
                "id": one.action.id,
                "fleet": one.action.fleet,
                "agent": one.action.agent,
                "tool_name": one.action.tool_name,
                "call": _call(one.action),
                "rated": one.rated.value,
                "risk": one.risk.value,
                "was_policy": one.was.policy,
                "policy": one.policy,
            }
            for one in change.examples
        ],
    }
