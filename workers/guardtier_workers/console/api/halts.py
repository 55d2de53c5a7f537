"""``/halts``: what is halted; halting and resuming, which the policy workers judge."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from guardtier.action import LABEL, NAME
from guardtier.policy.halts import MAX_REASON, Halt, HaltReport, Reason, Scope, Then, Unstopped
from guardtier_workers.console.api.endpoint import Call, Endpoint
from guardtier_workers.console.ops.halts import StandingHalt
from guardtier_workers.console.query import Query

Fleet = Annotated[str, StringConstraints(pattern=NAME)]
Label = Annotated[str, StringConstraints(pattern=LABEL)]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class HaltView(BaseModel):
    """``stands_in`` so many ``of`` the tier's partitions: less than all, repeat it; also where it
    ``differs``: what is new is parked in some and rejected in others. ``lifts``: of the halts that stand,
    for whoever resumes just these.
    """

    scope: Scope
    words: str
    halt: Halt
    stands_in: int
    of: int
    differs: bool
    lifts: list[str]


class Halts(BaseModel):
    """By fleet, agent, conversation. ``after``: where the next page begins; null: it is the last."""

    halts: list[HaltView]
    after: str | None
    total: int


class HaltsAfter(Query):
    fleet: Fleet | None = None
    after: Annotated[str, StringConstraints(max_length=400)] = ""
    limit: int = Field(default=50, ge=1, le=200)


class _Whom(BaseModel):
    model_config = ConfigDict(extra="forbid")

    fleet: Fleet
    agent: Label | None = None
    conversation: Label | None = None


class HaltWanted(_Whom):
    """A fleet, one of its agents, or one conversation of an agent. ``then``: what becomes of what is new;
    ``reject_parked``: what waits for a person is rejected.
    """

    reason: Reason
    then: Then = "park"
    reject_parked: bool = False


class ResumeWanted(_Whom):
    """``lifts``, as ``/halts`` gave it: what somebody has halted since then stays halted."""

    reason: Annotated[str, StringConstraints(max_length=MAX_REASON)] = ""
    lifts: Annotated[list[Digest], Field(max_length=65_536)] | None = None


class Halted(BaseModel):
    """What it came to. ``not_stopped`` had been let go since ``since`` (ms): they may have run, ``newest``
    are the last of them; not ``complete``: there may be more. Not ``standing``: somebody has resumed it.
    """

    scope: Scope
    words: str
    halt: Halt
    standing: bool
    rejected: int
    waiting: int
    not_stopped: int
    newest: list[Unstopped]
    since: int
    complete: bool


class Resumed(BaseModel):
    """``lifted``: in so many partitions; 0: nothing was halted by just these names."""

    scope: Scope
    words: str
    lifted: int


async def list_halts(call: Call) -> Halts:
    query, me = call.query, call.visitor.me
    found = [
        one
        for one in await call.console.ops.readings.halts()
        if me.sees(one.scope.fleet) and query.fleet in (None, one.scope.fleet)
    ]
    ahead = [one for one in found if one.scope.key > query.after]
    shown = ahead[: query.limit]
    return Halts(
        halts=[halt_view(one) for one in shown],
        after=shown[-1].scope.key if len(ahead) > len(shown) else None,
        total=len(found),
    )


async def halt(call: Call) -> Halted:
    wanted: HaltWanted = call.body
    reports = await call.tier.halt(
        wanted.fleet,
        agent=wanted.agent,
        conversation=wanted.conversation,
        reason=wanted.reason,
        then=wanted.then,
        reject_parked=wanted.reject_parked,
    )
    call.console.ops.readings.forget_halts()
    return came_to(reports)


async def resume(call: Call) -> Resumed:
    wanted: ResumeWanted = call.body
    names = wanted.model_dump(include={"fleet", "agent", "conversation"})
    lifted = await call.tier.resume(**names, reason=wanted.reason, lifts=wanted.lifts)
    call.console.ops.readings.forget_halts()
    scope = Scope(**names)
    return Resumed(scope=scope, words=scope.words, lifted=len(lifted))


def halt_view(one: StandingHalt) -> HaltView:
    return HaltView(
        scope=one.scope,
        words=one.scope.words,
        halt=one.halt,
        stands_in=one.stands_in,
        of=len(one.lifts),
        differs=one.differs,
        lifts=list(one.lifts),
    )


def came_to(reports: list[HaltReport]) -> Halted:
    """Over all partitions."""
    first = reports[0]
    newest = sorted((one for report in reports for one in report.newest), key=lambda one: -one.at)
    return Halted(
        scope=first.scope,
        words=first.scope.words,
        halt=first.halt,
        standing=all(report.standing for report in reports),
        rejected=sum(report.rejected for report in reports),
        waiting=sum(report.waiting for report in reports),
        not_stopped=sum(report.unstopped for report in reports),
        newest=newest[:20],
        since=min(report.since for report in reports),
        complete=all(report.complete for report in reports),
    )


ENDPOINTS = (
    Endpoint("GET", "/halts", list_halts, Halts, "What is halted", query=HaltsAfter, tag="fleets"),
    Endpoint("POST", "/halts", halt, Halted, "Halt what is new", body=HaltWanted, tag="fleets"),
    Endpoint("POST", "/halts/resume", resume, Resumed, "Let it go on", body=ResumeWanted, tag="fleets"),
)
