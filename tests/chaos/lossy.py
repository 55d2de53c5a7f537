"""What a Redis that lost its last writes can't know any more: whoever asks for it is told so."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from chaos.credentials import as_role
from chaos.load import FLEET, Load
from chaos.scenario import Outcome, Place
from guardtier import GuardClient
from guardtier.errors import UnknownAction
from guardtier.state import State

#: What may end an action for its agent where its record may be gone.
UNKNOWN = frozenset({"unknown_action", "wrong_state"})
OPEN = frozenset({State.ASSESSED, State.PARKED, State.APPROVED})


async def told_of_what_is_gone(
    place: Place, load: Load, outcome: Outcome, *, kept: bool = False
) -> Outcome:
    """Ask about each action that ran and whose verdict the tier forgot, as its agent would later.

    Raises AssertionError where one without a record is answered as anything but unknown; with ``kept``,
    where anything that ran was forgotten. ``again`` are those that were decided once more: nobody waits
    for that. ``open``: an approval whose use was forgotten.
    """
    gone = {violation.id for violation in outcome.report.gone}
    without_record = {
        violation.id for violation in outcome.report.gone if violation.kind == "told-not-recorded"
    }
    ran = {call.id for call in load.history if call.ran and call.id in gone}
    assert not (kept and ran), f"forgotten, though replicas had it: {sorted(ran)[:5]}"
    found: Counter[str] = Counter()
    async with GuardClient(
        as_role(place.url, f"agent-{FLEET}"),
        fleet=FLEET,
        partitions=place.partitions,
        accept_edits=True,
        verdict_keys=place.keys.public,
    ) as guard:
        for action_id in sorted(ran):
            try:
                status = await guard.poll(action_id)
            except UnknownAction:
                found["unknown"] += 1
            else:
                found["open" if status.state in OPEN else "again"] += 1
                assert status.verdict is None or action_id not in without_record, f"{action_id} is {status}"
    said = ", ".join(f"{count} {what}" for what, count in sorted(found.items())) or "none"
    notes = [outcome.notes] if outcome.notes else []
    return replace(outcome, notes="; ".join([*notes, f"ran and forgotten: {said}"]))
