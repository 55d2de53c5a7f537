"""``/actions`` and ``/groups``: what is parked, from the board, as the inbox shows it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Self

from pydantic import BaseModel

from guardtier.risk import SecurityRisk
from guardtier_workers.console.api.endpoint import Call, Endpoint
from guardtier_workers.console.board.filters import MOST, Wanted
from guardtier_workers.console.board.groups import Group, grouped
from guardtier_workers.console.board.item import Item
from guardtier_workers.console.show.row import order_text


class WaitingAction(BaseModel):
    """One parked action, in short: ``/actions/{id}`` has the whole of it. Times: ms since 1970.

    ``headline``: the command and its other arguments, or all as JSON, cut. ``needed`` and ``given``
    approvals, ``approved_by`` the principals who gave them. ``group``: the same for actions that are
    alike. ``order``: where it stands in the inbox; a cursor.
    """

    id: str
    digest: str
    fleet: str
    agent: str
    conversation: str | None
    tool: str
    risk: SecurityRisk
    claimed: SecurityRisk | None
    received_at: int
    deadline: int
    headline: str
    summary: str
    why: str
    detectors: tuple[str, ...]
    needed: int
    given: int
    approved_by: tuple[str, ...]
    roles: tuple[str, ...]
    is_edited: bool
    group: str
    order: str

    @classmethod
    def of(cls, item: Item) -> Self:
        return cls(**asdict(item) | {"given": item.given, "order": order_text(item.order)})


class WaitingActions(BaseModel):
    """``after``: of the next page; null: this is the last. ``total`` and ``counts`` (by risk) are of the
    visitor's fleets, whatever the filter. ``live``: as Redis has it. ``cut``: more is parked than the
    console holds, and those with the nearest deadlines are listed.
    """

    actions: list[WaitingAction]
    after: str | None
    total: int
    counts: dict[SecurityRisk, int]
    live: bool
    cut: bool


class LikeActions(BaseModel):
    """``ids``: the first 200. ``oldest``: when the one that has waited longest came (ms since 1970)."""

    group: str
    count: int
    ids: list[str]
    oldest: int
    first: WaitingAction

    @classmethod
    def of(cls, group: Group) -> Self:
        first = WaitingAction.of(group.first)
        return cls(
            group=first.group,
            count=len(group.ids),
            ids=group.ids[:MOST],
            oldest=group.oldest,
            first=first,
        )


class Groups(BaseModel):
    """``after``: of the next page; null: this is the last."""

    groups: list[LikeActions]
    after: str | None


async def waiting_actions(call: Call) -> WaitingActions:
    board, me, wanted = call.console.board, call.visitor.me, call.query
    found, more = board.page(wanted, me, limit=wanted.limit, after=wanted.behind)
    return WaitingActions(
        actions=[WaitingAction.of(item) for item in found],
        after=order_text(found[-1].order) if more else None,
        total=board.total(me),
        counts={SecurityRisk(risk): number for risk, number in board.counts(me).items()},
        live=board.is_live,
        cut=board.is_cut,
    )


async def groups_of_actions(call: Call) -> Groups:
    wanted = call.query
    behind = wanted.behind
    found = [
        group
        for group in grouped(call.console.board.items(wanted, call.visitor.me))
        if behind is None or group.first.order > behind
    ]
    page = found[: wanted.limit]
    return Groups(
        groups=[LikeActions.of(group) for group in page],
        after=order_text(page[-1].first.order) if len(found) > len(page) else None,
    )


ENDPOINTS = (
    Endpoint(
        "GET",
        "/actions",
        waiting_actions,
        WaitingActions,
        "What is parked, the riskiest first, and of those the newest",
        query=Wanted,
    ),
    Endpoint(
        "GET",
        "/groups",
        groups_of_actions,
        Groups,
        "Parked actions that are alike: two or more",
        query=Wanted,
    ),
)
