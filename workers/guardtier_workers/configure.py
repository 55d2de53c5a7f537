"""An approver sets a fleet's policy, or the policy file of all: who may, and what takes effect."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from guardtier.errors import NotAuthorized, UnknownFleet, WrongState
from guardtier.policy.request import SignedRequest
from guardtier.policy.standing import (
    EVERY_FLEET,
    UNREADABLE,
    FileRequest,
    PolicyRequest,
    StandingFile,
    StandingPolicy,
    digest_of_policy,
)
from guardtier.store.delivery import Delivery
from guardtier.store.records import Records
from guardtier_workers.approvers import Approvers
from guardtier_workers.clock import now_ms
from guardtier_workers.lane import Lane
from guardtier_workers.proving import asked_by


async def configure(lane: Lane, delivery: Delivery, approvers: Approvers, records: Records) -> None:
    """Let a request take effect. Raises what the approver is to be told."""
    request, proof = PolicyRequest.from_fields(delivery.fields)
    check_may(request, proof, approvers, delivery.partition, request.fleet)
    while True:
        raw = await records.policy(delivery.partition, request.fleet)
        standing = _policy_in(raw)
        if standing is not None and standing.request == request.id:
            replaces, made = raw, standing  # it has taken effect: the approver is told again
        else:
            _check_replaces(raw, request.replaces, request.fleet)
            replaces, made = raw, _made(request, standing)
        done = await lane.ledger.configure(
            delivery,
            fleet=request.fleet,
            replaces=replaces,
            policy=made.to_json(),
            version=made.label,
            was=_label(raw, standing),
            approver=request.approver,
            told=request.client,
        )
        if done.what == "unknown":
            raise UnknownFleet(
                f"no fleet {request.fleet!r} is registered: guardtier fleet add {request.fleet}",
                field="fleet",
            )
        if done.what != "moved":
            return


async def configure_file(
    lane: Lane,
    delivery: Delivery,
    approvers: Approvers,
    records: Records,
    check: Callable[[str], Awaitable[None]],
) -> None:
    """The same for a policy file. ``check`` raises what is wrong with its text."""
    request, proof = FileRequest.from_fields(delivery.fields)
    check_may(request, proof, approvers, delivery.partition, EVERY_FLEET)
    text = request.text_in(delivery.fields)
    checked = request.digest is None
    while True:
        raw = await records.policy(delivery.partition, EVERY_FLEET)
        standing = _file_in(raw)
        if standing is not None and standing.request == request.id:
            replaces, made = raw, standing  # what was checked then is not checked again
        else:
            _check_replaces(raw, request.replaces, EVERY_FLEET)
            if not checked:
                await check(text)
                checked = True
            replaces, made = raw, _made_file(request, standing)
        done = await lane.ledger.configure_file(
            delivery,
            replaces=replaces,
            pointer=made.to_json(),
            text=text.encode(),
            digest=made.digest,
            was_digest=standing.digest if standing else None,
            version=made.label,
            was=_label(raw, standing),
            approver=request.approver,
            told=request.client,
            keep_text_ms=int(lane.settings.audit_seconds * 1000),
        )
        if done.what != "moved":
            return


def check_may(request: SignedRequest, proof: str, approvers: Approvers, partition: int, fleet: str) -> None:
    """Raise NotAuthorized or InvalidAnswer where the request is not one that may configure this fleet."""
    approver = asked_by(request, proof, approvers, partition)
    if not approver.may_configure(fleet):
        what, named = "the policy of " + fleet, "name the fleet"
        if fleet == EVERY_FLEET:
            what, named = "the policy file, which counts for every fleet", 'fleets = ["*"]'
        raise NotAuthorized(
            f"{approver.name} may not set {what}: the approvers file must say "
            f'may = ["answer", "configure"] and {named}',
            field="may",
        )


def _check_replaces(raw: bytes, replaces: str, fleet: str) -> None:
    if digest_of_policy(raw) == replaces:
        return
    what, look = f"policy of {fleet}", f"guardtier policy show {fleet}"
    if fleet == EVERY_FLEET:
        what, look = "policy file", "guardtier policy show --file"
    raise WrongState(
        f"the {what} is not the one that this would replace: look at it again ({look})", field="replaces"
    )


def _policy_in(raw: bytes) -> StandingPolicy | None:
    """What stands; None also where it can't be read, so that it can be set anew."""
    try:
        return StandingPolicy.read(raw)
    except ValueError:
        return None


def _file_in(raw: bytes) -> StandingFile | None:
    """As :func:`_policy_in`."""
    try:
        return StandingFile.read(raw)
    except ValueError:
        return None


def _made(request: PolicyRequest, standing: StandingPolicy | None) -> StandingPolicy:
    return StandingPolicy(
        version=standing.version + 1 if standing else 1,
        policy=request.policy,
        by=request.approver,
        at=now_ms(),
        request=request.id,
    )


def _made_file(request: FileRequest, standing: StandingFile | None) -> StandingFile:
    return StandingFile(
        version=standing.version + 1 if standing else 1,
        digest=request.digest,
        by=request.approver,
        at=now_ms(),
        request=request.id,
    )


def _label(raw: bytes, standing: StandingPolicy | StandingFile | None) -> str:
    if standing is not None:
        return standing.label
    return UNREADABLE if raw else "settings"
