"""Refusals: what an agent is told where its request can't be served."""

from __future__ import annotations

from guardtier.action import is_label
from guardtier.errors import (
    AlreadyRedeemed,
    EditedAction,
    Halted,
    InvalidAction,
    UnknownAction,
    WrongState,
)
from guardtier.policy.halts import read_halt
from guardtier.store.delivery import Delivery


def check_found(what: str, action_id: str) -> None:
    if what == "unknown":
        raise UnknownAction(f"no action {action_id}: never published, or past its retention", field="id")


def not_run(action_id: str, state: str) -> WrongState:
    return WrongState(
        f"{action_id} is {state}: only what was released, or approved and redeemed, has an outcome",
        field=state,
    )


def halted(action_id: str, more: tuple[bytes, ...]) -> Halted:
    halt = read_halt(more[0]) if more else None
    why = f" ({halt.words})" if halt else ""
    return Halted(
        f"{action_id} is approved, but may not run now{why}: redeem it once that is resumed",
        field="approved",
    )


def not_redeemable(action_id: str, state: str) -> WrongState:
    if state == "redeemed":
        return AlreadyRedeemed(f"the approval of {action_id} has been used", field=state)
    return WrongState(f"{action_id} is {state}: only an approved action is redeemed", field=state)


def not_accepted(action_id: str) -> EditedAction:
    return EditedAction(
        f"what was approved of {action_id} is an approver's edit, and this client takes none: the approval "
        "stays for one with accept_edits=True",
        field="accepts",
    )


def label_in(delivery: Delivery, field: bytes) -> str:
    """A field that must be a label. Raises InvalidAction that names it."""
    text = delivery.text(field)
    if not is_label(text):
        raise InvalidAction(
            f"{field.decode()} must be 1 to 128 printable ASCII characters without spaces",
            field=field.decode(),
            limit=128,
        )
    return text
