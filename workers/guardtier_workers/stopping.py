"""Stopping: what a halt or a block makes of a policy's ruling."""

from __future__ import annotations

from dataclasses import dataclass, replace

from guardtier.assessment import MAX_FINDINGS, MAX_MESSAGE, Assessment, Finding
from guardtier.policy.block import Block
from guardtier.policy.halts import HALTED, Halt
from guardtier.policy.ruling import Effect, Ruling
from guardtier.policy.terms import USUAL
from guardtier.store.ledger import Circumstances

BLOCKED = "action.blocked"  #: the finding of what is rejected since the same was rejected before


@dataclass(frozen=True, slots=True)
class Stop:
    """What stands above any policy: ``rule`` is ``halt`` or ``block``, ``finding`` says it to people."""

    effect: Effect
    rule: str
    reason: str
    finding: str = HALTED

    def over(self, ruling: Ruling) -> Ruling:
        """The stricter of the two. What the policy would park keeps its terms."""
        if ruling.effect.strictness > self.effect.strictness:
            return ruling
        stricter = self.effect.strictness > ruling.effect.strictness
        return replace(
            ruling,
            effect=self.effect,
            rules=(self.rule,) if stricter else (self.rule, *ruling.rules),
            terms=USUAL if ruling.effect is Effect.RELEASE else ruling.terms,
            reason=self.reason,
        )

    def told_in(self, assessment: Assessment) -> Assessment:
        """The assessment with this among its findings. The rating stays: it says nothing of the action."""
        said = Finding(id=self.finding, risk=assessment.risk, message=self.reason[:MAX_MESSAGE])
        return assessment.model_copy(update={"findings": (said, *assessment.findings[: MAX_FINDINGS - 1])})


def stop_under(circumstances: Circumstances) -> Stop | None:
    """What stops an action under these; a block before a halt, since nothing is stricter."""
    block = _blocked(circumstances.block) if circumstances.block else None
    halt = _halted(circumstances.halt) if circumstances.halt else None
    if block is not None and halt is not None:
        return max((block, halt), key=lambda stop: stop.effect.strictness)
    return block or halt


def _halted(raw: bytes) -> Stop:
    try:
        halt = Halt.model_validate_json(raw)
    except ValueError:
        return Stop(Effect.PARK, "halt", "What is halted can't be read, so everything waits.")
    return stop_of(halt)


def stop_of(halt: Halt) -> Stop:
    effect = Effect.REJECT if halt.then == "reject" else Effect.PARK
    return Stop(effect, "halt", halt.words, halt.finding)


def _blocked(raw: bytes) -> Stop:
    try:
        block = Block.model_validate_json(raw)
    except ValueError:
        reason = "An earlier rejection of this very action can't be read, so it waits."
        return Stop(Effect.PARK, "block", reason, BLOCKED)
    return Stop(Effect.REJECT, "block", block.reason, BLOCKED)
