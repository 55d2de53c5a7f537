"""Status: where an action stands, as its agent is told; and which of an agent's actions are open."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from guardtier.action import ActionEvent, is_action_id
from guardtier.errors import BadSignature, DigestMismatch, EditedAction, GuardtierError
from guardtier.policy.halts import read_halt
from guardtier.replies import Reply
from guardtier.state import State
from guardtier.verdict import Outcome, Verdict

_SAID_BY_A_VERDICT = frozenset({*(outcome.value for outcome in Outcome), State.REDEEMED.value})


@dataclass(frozen=True, slots=True)
class Status:
    """Where an action stands: ``deadline`` (ms since 1970) while it is parked.

    What :meth:`GuardClient.pending` lists has its ``digest``, and the ``action`` itself unless it is
    longer than 16 KiB: match those by their digest. ``halted`` says by whom and why it is halted, if so:
    what is approved can't be redeemed before somebody resumes it.
    """

    id: str
    state: State
    verdict: Verdict | None = None
    deadline: int | None = None
    digest: str | None = None
    action: ActionEvent | None = None
    halted: str | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether a person has to answer (the OpenHands SDK's WAITING_FOR_CONFIRMATION)."""
        return self.state is State.WAITING_FOR_CONFIRMATION


@dataclass(frozen=True, slots=True)
class Observed:
    """A report that the tier took. ``whole`` is False where a long output's middle was left out."""

    id: str
    whole: bool


@dataclass(frozen=True, slots=True)
class Pending:
    """An agent's open actions. ``more``: there are others, beyond the limit."""

    actions: tuple[Status, ...]
    more: bool = False

    def __iter__(self) -> Iterator[Status]:
        return iter(self.actions)

    def __len__(self) -> int:
        return len(self.actions)


def verdict_of(reply: Reply, action: ActionEvent, *, accept_edits: bool = False) -> Verdict:
    """The verdict, only where it is about the very action that was asked for.

    One that allows an approver's edit of it is given where the caller accepts those; the digest is taken
    again from the arguments that it names. Raises DigestMismatch, EditedAction.
    """
    verdict = reply.verdict
    if verdict is None:
        raise GuardtierError(f"the tier's reply about {reply.id} holds no verdict")
    if verdict.id != reply.id or not verdict.is_about(action):
        raise _about_another(reply.id)
    _check_accepted(verdict, accept_edits)
    return verdict


def status_of(
    reply: Reply, action: ActionEvent | None, *, accept_edits: bool = False, sealed: bool = False
) -> Status:
    """Where the action stands. Without the action there is no digest to compare.

    ``sealed``: verdicts were verified, so a state that allows a run needs one that says so. Raises
    BadSignature where it is missing, DigestMismatch, EditedAction.
    """
    if sealed:
        _check_state(reply)
    if reply.verdict is not None:
        if reply.verdict.id != reply.id:
            raise _about_another(reply.id)
        if action is not None:
            verdict_of(reply, action, accept_edits=accept_edits)
        _check_accepted(reply.verdict, accept_edits)
    if action is not None and reply.digest not in (None, action.digest):
        raise DigestMismatch(f"{reply.id} is another action than this one", field="digest")
    halt = read_halt(reply.halted) if reply.halted else None
    return Status(
        reply.id, _state(reply), reply.verdict, reply.deadline, halted=halt.words if halt else None
    )


def _state(reply: Reply) -> State:
    try:
        return State(reply.state)
    except ValueError as error:
        raise GuardtierError(
            f"the tier says that {reply.id} is {reply.state[:40]!r}: this client is too old to know that",
            field="state",
        ) from error


def _about_another(action_id: str) -> DigestMismatch:
    return DigestMismatch(
        f"the verdict for {action_id} is about another action: the tool must not run", field="digest"
    )


def _check_state(reply: Reply) -> None:
    """The state stands beside the verdict and is not signed: it must be what the verdict says."""
    verdict = reply.verdict
    if verdict is None:
        if reply.state in _SAID_BY_A_VERDICT:
            raise BadSignature(
                f"{reply.id} is told to be {reply.state}, without its verdict", field="state"
            )
        return
    used = verdict.outcome is Outcome.APPROVED and reply.state == State.REDEEMED
    if not used and reply.state != verdict.outcome.state:
        raise BadSignature(
            f"{reply.id} is told to be {reply.state}, and its verdict says {verdict.outcome.value}",
            field="state",
        )


def _check_accepted(verdict: Verdict, accept_edits: bool) -> None:
    if verdict.allowed and verdict.is_edited and not accept_edits:
        raise EditedAction(
            f"an approver changed the arguments of {verdict.id}: the tool must not run with its own; "
            "GuardClient(accept_edits=True) and Verdict.apply() run it with the approver's",
            field="arguments",
        )


def read_page(body: bytes) -> tuple[list[Status], str]:
    """A page of open actions, and where the next one begins ("" for none). Raises GuardtierError."""
    try:
        page = orjson.loads(body)
        return [open_status(row) for row in page["open"]], str(page["after"] or "")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise GuardtierError("the tier sent a listing that can't be read", field="body") from error


def open_status(row: dict[str, Any]) -> Status:
    """One line of a listing. What says it is another action than its digest names is not given.

    Raises ValueError and its kin for what can't be read, DigestMismatch.
    """
    deadline = row["deadline"]
    if not is_action_id(row["id"]) or not isinstance(deadline, int | None):
        raise TypeError("no id, or no time")
    action = ActionEvent.from_value(row["action"]) if row["action"] else None
    if action is not None and (action.id, action.digest) != (row["id"], row["digest"]):
        raise DigestMismatch(f"the tier lists another action as {row['id']}", field="digest")
    return Status(row["id"], State(row["state"]), deadline=deadline, digest=row["digest"], action=action)
