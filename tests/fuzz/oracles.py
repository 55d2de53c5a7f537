"""What must hold of anything that is read: for the property tests of tests/unit and for the fuzzers.

Each takes what an attacker sends, and fails (AssertionError, or any error that is not ours) where a promise
is broken: nothing but typed errors, one reading of one digest, no reply that lets another action run.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import orjson

from guardtier.action import ActionEvent
from guardtier.answer import Answer
from guardtier.canonical import canonical, parse_strict
from guardtier.errors import ConfigError, GuardtierError, InvalidAction
from guardtier.look import LookRequest
from guardtier.policy.compiled import BROKEN
from guardtier.policy.edit import EditRequest
from guardtier.policy.file import PolicyFile
from guardtier.policy.grant_requests import GrantsRequest, RevokeRequest
from guardtier.policy.halts import HaltRequest, ResumeRequest
from guardtier.policy.retry import RetryRequest
from guardtier.policy.ruling import Facts
from guardtier.policy.standing import FileRequest, PolicyRequest
from guardtier.replies import Reply
from guardtier.risk import SecurityRisk
from guardtier.status import read_page, status_of, verdict_of
from guardtier.store.delivery import Delivery
from guardtier_workers.ask import Untrusted, _believed
from guardtier_workers.console.api.endpoint import read_body
from guardtier_workers.console.api.routes import ENDPOINTS
from guardtier_workers.envelope import action_of, client_of
from rulings import parked

Fields = dict[bytes, bytes]
REQUESTS = (
    LookRequest, EditRequest, GrantsRequest, RevokeRequest, HaltRequest, ResumeRequest, RetryRequest,
    FileRequest, PolicyRequest,
)  # fmt: skip
#: What the agent of the oracles has asked for.
ASKED = ActionEvent(
    id="a1.0", fleet="web", agent="agent-1", tool_name="terminal", arguments={"command": "ls"}
)
BODIES = sorted({one.body for one in ENDPOINTS if one.body is not None}, key=lambda one: one.__name__)


def payload(raw: bytes) -> bool:
    """An action's bytes: one reading, one digest. Whether it was accepted."""
    try:
        value = parse_strict(raw)
    except InvalidAction as error:
        _crosses_the_wire(error)
        return False
    assert json.loads(raw) == value, "two parsers read it differently"
    assert parse_strict(canonical(value)) == value
    try:
        action = ActionEvent.from_value(value)
    except InvalidAction as error:
        _crosses_the_wire(error)
        return False
    again = ActionEvent.from_json(action.to_json())
    assert (again, again.digest) == (action, action.digest)
    assert again.to_json() == action.to_json()
    return True


def envelope(fields: Fields) -> bool:
    """An entry of an agent's stream. Whether it was accepted."""
    delivery = Delivery(0, "gt:{0}:actions:web", "analyzers", "1-1", fields, fleet="web")
    assert delivery.sender.client is None or ":" not in delivery.sender.client
    try:
        client_of(delivery)
        action = action_of(delivery)
    except GuardtierError as error:
        _crosses_the_wire(error)
        return False
    assert (action.id, action.fleet, action.partition) == (delivery.id, "web", 0)
    return True


def request(fields: Fields) -> bool:
    """An entry of the answers stream. Whether anything reads it."""
    read = False
    readers: list[Callable[[Fields], Any]] = [Answer.from_fields, *(one.from_fields for one in REQUESTS)]
    for reader in readers:
        try:
            found, proof = reader(fields)
        except GuardtierError as error:
            _crosses_the_wire(error)
            continue
        assert not found.is_proved_by(proof, b"k" * 32), "a proof without the key"
        read = True
    return read


def reply(fields: Fields) -> bool:
    """What a client is told. Whether it lets the action run that was asked for."""
    try:
        found = Reply.from_fields(fields)
    except Exception:  # the tail logs it, and whoever waits goes on waiting
        return False
    allowed = False
    for accept in (False, True):
        for read in (_polled, _checked):
            try:
                allowed |= read(found, accept)
            except GuardtierError as error:
                _crosses_the_wire(error)
    if found.body is not None:
        try:
            read_page(found.body)
        except GuardtierError as error:
            _crosses_the_wire(error)
    return allowed


def _checked(found: Reply, accept: bool) -> bool:
    verdict = verdict_of(found, ASKED, accept_edits=accept)
    if not verdict.allowed:
        return False
    runs = verdict.apply(ASKED)
    assert verdict.digest == runs.digest, "another action than was decided on"
    assert accept or runs == ASKED
    return True


def _polled(found: Reply, accept: bool) -> bool:
    status = status_of(found, ASKED, accept_edits=accept)
    if status.verdict is None or not status.verdict.allowed:
        return False
    assert status.verdict.apply(ASKED).digest == status.verdict.digest
    return True


def vote(fields: Fields) -> bool:
    """What comes on a worker's stream of votes. Whether it is believed."""
    try:
        found = _believed(fields, ASKED.digest)
    except Untrusted:
        return False
    assert not found.failed
    return True


def policy(text: str) -> bool:
    """A policy file's text. Whether it compiles; it then rules on anything."""
    try:
        compiled = PolicyFile.parse(text).compiled()
    except ConfigError as error:
        _crosses_the_wire(error)
        return False
    facts = Facts(
        fleet="web", agent="agent-1", tool="terminal", risk=SecurityRisk.HIGH, conversation=None,
        findings=("shell.disk.raw_write",), labels=(), failed=True, now_ms=0, action=ASKED,
    )  # fmt: skip
    ruling = compiled.rule(facts, parked, "v")
    assert BROKEN not in ruling.rules, "it broke down over an action"
    assert ruling.effect.value != "release", "an action that nobody could rate was released"
    return True


def body(raw: bytes) -> int:
    """A request's body, as each endpoint of the API reads it. How many accept it."""
    accepted = 0
    for model in BODIES:
        try:
            made = read_body(model, raw)
        except GuardtierError as error:
            _crosses_the_wire(error)
            continue
        made.model_dump_json()
        accepted += 1
    return accepted


def _crosses_the_wire(error: GuardtierError) -> None:
    """Its message is text, and short; the other side raises the same."""
    sent = error.to_json()
    assert len(sent) < 16_000
    assert type(GuardtierError.from_json(sent)) is type(error)
    orjson.loads(sent)
