"""guardtier halt, resume, halts: everything new of a fleet, an agent or a conversation is held."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any

import typer

from guardtier.approver_halts import PartitionHalt
from guardtier.errors import WrongState
from guardtier.policy.halts import HaltReport
from guardtier_workers.cli.options import ApproverName, Config, Json, RedisUrl, Seconds, TokenFile
from guardtier_workers.cli.output import emit, say, span_text
from guardtier_workers.cli.tier import tier_at
from guardtier_workers.clock import now_ms

Fleet = Annotated[str, typer.Option(metavar="FLEET", help="The fleet.")]
Agent = Annotated[
    str | None,
    typer.Option(
        metavar="AGENT", help="This agent alone, by the name it gives itself.", show_default=False
    ),
]
Conversation = Annotated[
    str | None,
    typer.Option(metavar="ID", help="This conversation of the agent alone.", show_default=False),
]


class Then(StrEnum):
    """What becomes of what is asked under a halt."""

    park = "park"
    reject = "reject"


def halt(
    fleet: Fleet,
    reason: Annotated[str, typer.Option(help="Told to people, and to the models of what is rejected.")],
    agent: Agent = None,
    conversation: Conversation = None,
    then: Annotated[Then, typer.Option(help="What becomes of everything new.")] = Then.park,
    reject_parked: Annotated[
        bool, typer.Option("--reject-parked", help="Reject what waits for a person, too.")
    ] = False,
    name: ApproverName = None,
    token_file: TokenFile = None,
    timeout: Seconds = 60.0,
    redis_url: RedisUrl = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Stop a fleet, an agent or a conversation, and say what it was too late for."""

    async def run() -> list[HaltReport]:
        async with tier_at(redis_url, config) as tier, tier.approver(name, token_file) as approver:
            return await approver.halt(
                fleet,
                agent=agent,
                conversation=conversation,
                reason=reason,
                then=then.value,
                reject_parked=reject_parked,
                timeout=timeout,
            )

    reports = asyncio.run(run())
    if as_json:
        emit(report_body(reports))
    else:
        _tell(reports)


def resume(
    fleet: Fleet,
    agent: Agent = None,
    conversation: Conversation = None,
    reason: Annotated[str, typer.Option(help="Kept on the audit stream.")] = "",
    name: ApproverName = None,
    token_file: TokenFile = None,
    timeout: Seconds = 30.0,
    redis_url: RedisUrl = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Let go on what was halted by just these names."""

    async def run() -> tuple[list[PartitionHalt], list[PartitionHalt]]:
        async with tier_at(redis_url, config) as tier, tier.approver(name, token_file) as approver:
            lifted = await approver.resume(
                fleet, agent=agent, conversation=conversation, reason=reason, timeout=timeout
            )
            return lifted, await approver.halts(fleet)

    lifted, left = asyncio.run(run())
    if not lifted:
        names = ", ".join(dict.fromkeys(found.scope.words for found in left)) or "nothing"
        raise WrongState(f"nothing is halted by just these names; of {fleet}, {names} is", field="fleet")
    if as_json:
        emit({"resumed": [_body(found) for found in lifted], "halted": [_body(found) for found in left]})
        return
    say(f"resumed: {lifted[0].scope.words}; it was {shown(lifted[0])}")
    for line in dict.fromkeys(found.scope.words for found in left):
        say(f"still halted: {line}")


def halts(
    fleet: Annotated[str | None, typer.Argument(metavar="FLEET", help="Else every fleet.")] = None,
    redis_url: RedisUrl = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """List what is halted, by whom and why."""

    async def run() -> list[PartitionHalt]:
        async with tier_at(redis_url, config) as tier, tier.reader() as reader:
            return await reader.halts(fleet)

    found = asyncio.run(run())
    if as_json:
        emit({"halts": [_body(one) for one in found]})
        return
    for line in in_words(found):
        say(line)
    if not found:
        say("nothing is halted")


def report_body(reports: list[HaltReport]) -> dict[str, Any]:
    """What a halt came to, over all partitions."""
    first = reports[0]
    return {
        "scope": first.scope.model_dump(mode="json", exclude_none=True),
        "halt": first.halt.model_dump(mode="json"),
        "standing": all(report.standing for report in reports),
        "rejected": sum(report.rejected for report in reports),
        "waiting": sum(report.waiting for report in reports),
        "not_stopped": sum(report.unstopped for report in reports),
        "newest": [one.model_dump(mode="json") for report in reports for one in report.newest],
        "since": min(report.since for report in reports),
        "complete": all(report.complete for report in reports),
        "partitions": [report.model_dump(mode="json") for report in reports],
    }


def _tell(reports: list[HaltReport]) -> None:
    body = report_body(reports)
    done = "rejected" if reports[0].halt.then == "reject" else "parked"
    say(f"halted: {reports[0].scope.words}; everything new is {done}")
    if not body["standing"]:
        say("somebody has resumed it meanwhile")
    if body["rejected"]:
        say(f"rejected: {body['rejected']} that were parked")
    if body["waiting"]:
        say(f"still parked: {body['waiting']}; --reject-parked rejects them")
    span = span_text(now_ms() - body["since"])
    least = "" if body["complete"] else "at least "
    if not body["not_stopped"] and body["complete"]:
        say(f"nothing of it was let go within the last {span}")
        return
    say(
        f"not stopped: {least}{body['not_stopped']} that were let go within the last {span}; "
        "they may have run, or be running:"
    )
    for one in body["newest"]:
        ago = span_text(now_ms() - one["at"])
        say(f"  {one['id']}  {one['agent']}  {one['tool']}  {one['event']} {ago} ago")
    if (more := body["not_stopped"] - len(body["newest"])) > 0:
        say(f"  and {more} before them")


def in_words(found: Iterable[PartitionHalt]) -> list[str]:
    """A line for each halt. In several partitions it is one, though each has a time of its own."""
    first: dict[tuple[str, ...], PartitionHalt] = {}
    for one in sorted(found, key=lambda one: one.halt.at):
        first.setdefault((one.scope.words, one.halt.by, one.halt.then, one.halt.reason), one)
    return [f"{one.scope.words}: {shown(one)}" for one in first.values()]


def shown(found: PartitionHalt) -> str:
    """By whom, since when and why."""
    halt = found.halt
    held = "rejected" if halt.then == "reject" else "parked"
    return f"halted by {halt.by} {span_text(now_ms() - halt.at)} ago, {held}: {halt.reason}"


def _body(found: PartitionHalt) -> dict[str, Any]:
    return {
        "partition": found.partition,
        "scope": found.scope.model_dump(mode="json", exclude_none=True),
        "halt": found.halt.model_dump(mode="json"),
    }
