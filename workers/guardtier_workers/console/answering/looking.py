"""Looking: one action's record, for somebody who sees its fleet; for all others there is none."""

from __future__ import annotations

from guardtier.action import no_full_id, partition_of
from guardtier.errors import UnknownAction, UnreadableRecord
from guardtier.look import Me
from guardtier.store.records import Record
from guardtier_workers.console.console import Console
from guardtier_workers.console.opened import opened


def partition_in(action_id: str, console: Console) -> int:
    """The partition of an id. Raises InvalidAction where this tier has none of that number."""
    partition = partition_of(action_id)
    if partition is None or partition >= console.settings.partitions:
        raise no_full_id(action_id)
    return partition


async def seen_by(me: Me, console: Console, action_id: str) -> Record:
    """The record. Raises UnknownAction, in the same words, where there is none and where it is another
    fleet's, and InvalidAction.
    """
    partition_in(action_id, console)
    try:
        record = await console.records.get(action_id)
    except UnknownAction as error:
        raise unknown(action_id) from error
    except UnreadableRecord as error:
        if me.sees("*"):
            raise
        raise unknown(action_id) from error  # whose it is can't be told
    if not me.sees(record.fleet):
        raise unknown(action_id)
    return await opened(record)


def unknown(action_id: str) -> UnknownAction:
    """As the tier says it."""
    return UnknownAction(
        f"no action {action_id} in your fleets: never published, or past its retention", field="id"
    )
