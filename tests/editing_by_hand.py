"""Editing by hand: the steps of an edit, each sent to its script."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from desk import CONSUMER, FLEET, Desk, verdict_on
from guardtier import ActionEvent, Assessment, Outcome, SecurityRisk
from guardtier.policy.edit import Edit
from guardtier.store.delivery import Delivery
from guardtier.store.edits import Revision
from guardtier.store.keys import ANALYZERS, POLICIES
from guardtier.store.ledger import Circumstances, Transition

SAFE = {"command": "ls"}

NEW = Assessment(risk=SecurityRisk.LOW)


def changed(action: ActionEvent) -> ActionEvent:
    return action.model_copy(update={"arguments": SAFE})


def edit_of(action: ActionEvent, delivery: Delivery, *, proof: str = "p1") -> Edit:
    return Edit(
        proof=proof,
        approver="alice",
        principal="alice",
        client="console-1",
        entry=delivery.entry,
        at=1,
        was=action.digest,
        digest=changed(action).digest,
    )


async def edit(desk: Desk, action: ActionEvent, **options: Any) -> Transition:
    delivery = options.pop("delivery", None) or await asked(desk, action)
    proof = options.pop("proof", "p1")
    said = {
        "fleet": FLEET,
        "told": "console-1",
        "seen": action.digest,
        "edit": edit_of(action, delivery, proof=proof).to_json(),
        "proof": proof,
        "event": changed(action).to_json(),
        "body": b"",
    }
    return await desk.ledger.edit(delivery, **said | options)


async def asked(desk: Desk, action: ActionEvent) -> Delivery:
    return await desk.given(desk.keys.answers, POLICIES, id=action.id, op="edit")


async def read(desk: Desk, stream: str, group: str) -> Delivery | None:
    """The newest entry of a work stream, handed to our worker."""
    reply = await desk.redis.xreadgroup(group, CONSUMER, {stream: ">"})
    entries = [entry for _, found in reply for entry in found]
    if not entries:
        return None
    entry, fields = entries[-1]
    return Delivery(0, stream, group, entry.decode(), fields)


async def rated(desk: Desk, action: ActionEvent) -> Delivery:
    """A parked action whose edit has been rated: the entry for the policy worker."""
    await edit(desk, action)
    delivery = await read(desk, desk.keys.edits, ANALYZERS)
    assert delivery is not None
    assert (await desk.ledger.rated(delivery, changed(action), NEW)).what == "rated"
    found = await read(desk, desk.keys.assessed, POLICIES)
    assert found is not None
    return found


async def revision(desk: Desk, action: ActionEvent, *, parked: bool = False, **more: Any) -> Revision:
    verdict = verdict_on(changed(action), Outcome.APPROVED).model_copy(
        update={"edited_from": action.digest, "arguments": SAFE}
    )
    made = Revision(
        edit=await desk.redis.hget(desk.keys.action(action.id), "edit") or b"",
        proof="p1",
        told="console-1",
        approver="alice",
        reason="",
        action=changed(action),
        event=changed(action).to_json(),
        assessment=NEW,
        policy="test:2",
        terms=b"",
        votes=b"[1]",
        verdict=None if parked else verdict,
        body=b"{}",
        details=b"",
        under=Circumstances(),
    )
    return replace(made, **more)


async def record(desk: Desk, action: ActionEvent) -> dict[str, bytes]:
    found = await desk.redis.hgetall(desk.keys.action(action.id))
    return {name.decode(): value for name, value in found.items()}
