"""Breaker: the halt that stops an agent which is over its budget; ``decide.lua`` counts, and sets it."""

from __future__ import annotations

from guardtier.policy.budget import Budget
from guardtier.policy.halts import BREAKER, OVER_PACE, OVER_REJECTIONS, Halt, Scope
from guardtier.store.decisions import Limits
from guardtier.store.delivery import Delivery
from guardtier_workers.clock import now_ms


def limits_of(budget: Budget | None, delivery: Delivery, *, spread: bool) -> Limits:
    """What decide.lua needs to know. ``spread``: the halt must count in other partitions too."""
    if budget is None:
        return Limits()
    scope = Scope(fleet=delivery.text(b"fleet"), agent=delivery.text(b"agent"))
    a_minute, in_a_row = budget.actions_a_minute or 0, budget.rejected_in_a_row or 0
    return Limits(
        a_minute,
        in_a_row,
        _halt(scope, budget, OVER_PACE, f"more than {a_minute} actions a minute"),
        _halt(scope, budget, OVER_REJECTIONS, f"{in_a_row} rejections in a row"),
        spread,
    )


def _halt(scope: Scope, budget: Budget, finding: str, what: str) -> bytes:
    reason = f"the budget of {scope.words} is spent: {what}"
    halt = Halt(reason=reason, by=BREAKER, at=now_ms(), then=budget.then, finding=finding, scope=scope.key)
    return halt.to_json()
