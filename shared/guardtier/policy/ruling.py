"""Facts and Ruling: what a policy is asked, and what it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from guardtier.action import ActionEvent
from guardtier.policy.terms import USUAL, Terms
from guardtier.risk import SecurityRisk


class Effect(StrEnum):
    """What may be done with a rated action, the strictest last."""

    RELEASE = "release"
    PARK = "park"
    REJECT = "reject"

    @property
    def strictness(self) -> int:
        return _STRICTNESS[self]


_STRICTNESS = {Effect.RELEASE: 0, Effect.PARK: 1, Effect.REJECT: 2}


def _no_targets() -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a rated action when it is decided on.

    ``findings`` are the detectors' ids, ``labels`` those of the conversation so far and of this action,
    ``redacted`` the rules of the secrets that it holds and the tier does not keep.
    ``action`` is None unless the policy asked for it (``needs_action``); ``targets`` tells the paths and
    addresses that it touches, and may raise: then everything that asks for targets matches and parks.
    ``failed``: the tier could not analyze it. ``now_ms``: milliseconds since 1970.
    """

    fleet: str
    agent: str
    tool: str
    risk: SecurityRisk
    conversation: str | None = None
    findings: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    redacted: tuple[str, ...] = ()
    failed: bool = False
    now_ms: int = 0
    action: ActionEvent | None = None
    targets: Callable[[], tuple[str, ...]] = field(default=_no_targets)


@dataclass(frozen=True, slots=True)
class Ruling:
    """What is to be done, and under which version of the policy.

    ``rules`` name those that decided (none: the default). ``terms`` count where it parks, ``reason`` where
    it rejects. ``would`` is what would have been done, were it not for shadow mode, and ``would_by`` the
    rules that say so.
    """

    effect: Effect
    version: str
    rules: tuple[str, ...] = ()
    terms: Terms = USUAL
    reason: str = ""
    would: Effect | None = None
    would_by: tuple[str, ...] = ()
