"""Orders: whether what an operator was told to count did: what is halted, what goes on, the policy file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import pairwise

from audit_model import Story
from chaos.history import Call, History
from chaos.reading import Line, Written
from chaos.violation import Violation

EVENTS = {"halt": "halted", "resume": "resumed", "configure": "configured"}


def check_orders(
    history: History, stories: Mapping[str, Story], written: Written, standing: Mapping[int, set[str]]
) -> Iterator[Violation]:
    """``standing``: what counts in each partition at the end, as its audit stream has it: scopes of halts,
    and the version of the policy file.
    """
    for partition, counts in standing.items():
        there = written.standing.get(partition, set())
        for what in sorted(counts - there):
            yield Violation("order-forgotten", what, f"partition {partition} has {sorted(there)}")
        for what in sorted(there - counts):
            yield Violation("order-invented", what, f"the audit stream of {partition} has {sorted(counts)}")
    for order in history.orders:
        if not order.over:
            yield Violation("no-end", order.id, f"{order.op} of {order.who} was told nothing")
        elif order.error is None and order.kind:
            for partition, lines in written.lines.items():
                if not any(_is_of(order, line) for line in lines):
                    yield Violation("order-lost", order.id, f"{order.op}, in partition {partition}")
    yield from _ran(history, stories)


def _is_of(order: Call, line: Line) -> bool:
    said = line.get("policy") if order.op == "configure" else line.get("reason")
    return line["event"] == EVENTS[order.op] and order.kind == said


def _ran(history: History, stories: Mapping[str, Story]) -> Iterator[Violation]:
    """What was asked for since an operator knew of a halt, until it was to be lifted, did not run."""
    first: dict[str, float] = {}
    for call in history:
        first.setdefault(call.id, call.asked_at)
    spans = list(_halted(history))
    for call in history:
        story = stories.get(call.id)
        if not call.ran or call.verdict is None or story is None:
            continue
        since = call.asked_at if call.verdict.outcome == "approved" else first[call.id]
        for fleet, start, end in spans:
            if story.fleet == fleet and start < since and (call.ended_at or 0) < end:
                yield Violation("ran-halted", call.id, f"its tool ran while {fleet} was halted")


def _halted(history: History) -> Iterator[tuple[str, float, float]]:
    """From when an operator was told of a halt of a fleet until the next order about it was given."""
    orders: dict[str, list[Call]] = defaultdict(list)
    for order in history.orders:
        if order.op != "configure":
            orders[order.id].append(order)
    for fleet, given in orders.items():
        for order, following in pairwise([*given, None]):
            if order is not None and order.op == "halt" and order.ended_at and order.error is None:
                yield fleet, order.ended_at, following.asked_at if following else float("inf")
