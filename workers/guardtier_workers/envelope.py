"""Envelope: who asks, and what for, by the fields of an agent's request. Raises what is wrong with them."""

from __future__ import annotations

from guardtier.action import ActionEvent, partition_of
from guardtier.errors import InvalidAction, UnknownFleet
from guardtier.store.delivery import Delivery


def client_of(delivery: Delivery) -> str:
    client = delivery.sender.client
    if client is None:
        raise InvalidAction("client must be 1 to 64 letters, digits, _ or -", field="client", limit=64)
    return client


def check_place(delivery: Delivery) -> None:
    if delivery.fleet is None:
        raise UnknownFleet(
            f"no fleet {delivery.text(b'fleet')[:64]!r} is registered: guardtier fleet add",
            field="fleet",
        )
    if partition_of(delivery.id) != delivery.partition:
        raise InvalidAction(
            f"id must end with .{delivery.partition}, the partition of this stream",
            field="id",
            limit=delivery.partition,
        )


def action_of(delivery: Delivery) -> ActionEvent:
    check_place(delivery)
    payload = delivery.fields.get(b"payload")
    if payload is None:
        raise InvalidAction("the envelope has no payload", field="payload")
    action = ActionEvent.from_json(payload)
    if action.id != delivery.id:
        raise InvalidAction("the id in the payload is not the envelope's", field="id")
    if action.fleet != delivery.fleet:
        raise UnknownFleet(
            f"an action of fleet {action.fleet!r} came by the stream of {delivery.fleet!r}",
            field="fleet",
        )
    return action
