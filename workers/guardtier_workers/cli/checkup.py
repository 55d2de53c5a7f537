"""What doctor looks at. Each check is a function that yields findings, with the way to mend them."""

from __future__ import annotations

import os
import platform
import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from guardtier.analyzers.member import MemberSettings
from guardtier.analyzers.registry import check
from guardtier.errors import ConfigError, NoRedisServer
from guardtier.keyfile import read_private
from guardtier.settings import Settings
from guardtier.settings_help import unknown_variables
from guardtier.store.connection import RedisError
from guardtier.store.exports import LATE_SECONDS, Exports
from guardtier.store.heartbeats import Heartbeat, heartbeats
from guardtier.store.records import Records
from guardtier.verifying import Verifier
from guardtier_workers import cosigning
from guardtier_workers.approvers import Right, check_writers, read
from guardtier_workers.cli import checkjobs, checkserver
from guardtier_workers.cli.found import Found
from guardtier_workers.cli.halt import in_words
from guardtier_workers.cli.tier import Tier, shown_url
from guardtier_workers.clock import now_ms
from guardtier_workers.embedded import find_redis_server
from guardtier_workers.filecheck import check_quorums
from guardtier_workers.keyring import complaints, newest
from guardtier_workers.policyfiles import own_file

OVERDUE_SECONDS = 30  #: a steward that lives finds what its jobs have missed within 5
MOST_HALTS = 10


def machine() -> list[Found]:
    """What can be told without a tier."""
    found = [Found("ok", "python", platform.python_version())]
    try:
        found.append(Found("ok", "embedded redis", str(find_redis_server())))
    except NoRedisServer as error:
        found.append(Found("warning", "embedded redis", error.message))
    return found


def configuration(settings: Settings, file: Path | None) -> Iterator[Found]:
    """Whether others could change the settings, and what in them or in the environment sets nothing."""
    for name in settings.analyzers:
        try:
            check(name, settings.analyzer.get(name, MemberSettings()))
        except ConfigError as error:
            yield Found("failure", "analyzers", error.message)
    if file is not None:
        yield _who_may_write("settings file", file)
    if settings.approvers_file is not None:
        yield from _approvers(settings.approvers_file)
    elif file is not None:
        says = (
            "none in these settings: unless policy workers have GUARDTIER_APPROVERS_FILE, nobody may answer"
        )
        yield Found("warning", "approvers file", says)
    if settings.policy_file is not None:
        yield _policy(settings, settings.policy_file)
    if settings.signing_key_file is not None:
        yield from _signing(settings.signing_key_file)
    for member in settings.analyzer.values():
        code = Path((member.use or "").rpartition(":")[0])
        if code.suffix == ".py" and code.is_file():
            yield _who_may_write("analyzer's file", code)
    for variable in unknown_variables(os.environ, Settings.model_fields):
        yield Found("warning", "environment", f"{variable} sets nothing: no setting has this name")


def _approvers(file: Path) -> Iterator[Found]:
    try:
        mode = file.stat().st_mode
        check_writers(file, mode)
        known = read(file)
    except ConfigError as error:
        yield Found("failure", "approvers file", f"nobody can answer: {error}")
        return
    except OSError as error:
        yield Found("failure", "approvers file", f"can't be read, so nobody can answer: {error}")
        return
    if mode & stat.S_IROTH:
        says = f"{file} can be read by everybody, who could answer by the keys in it: chmod o-r {file}"
        yield Found("warning", "approvers file", says)
    rights = {right for one in known for right in one.may}
    if Right.ANSWER not in rights:
        says = f"nobody in {file} may answer: guardtier approver add NAME --file {file}"
        yield Found("warning", "approvers file", says)
    if not rights & {Right.HALT, Right.CONFIGURE}:
        says = f"nobody in {file} may halt anything: guardtier approver add NAME --may-halt --file {file}"
        yield Found("warning", "approvers file", says)
    if not mode & stat.S_IROTH:
        yield _who_may_write("approvers file", file)


def _signing(file: Path) -> Iterator[Found]:
    try:
        keys = read_private(file, tending=True)
        found = list(complaints(keys, Verifier.of(None)))
    except ConfigError as error:
        yield Found("failure", "signing keys", error.message)
        return
    for fails, says in found:
        yield Found("failure" if fails else "warning", "signing keys", says)
    signs = newest(keys, now_ms())
    if signs is not None:
        yield Found("ok", "signing keys", f"key {signs.id} of {file} signs verdicts")


def _policy(settings: Settings, file: Path) -> Found:
    try:
        found = own_file(settings)
        if found is not None and settings.approvers_file is not None:
            check_quorums(found.compiled, read(settings.approvers_file), str(file))
    except (ConfigError, OSError) as error:
        return Found("failure", "policy file", str(error))
    return _who_may_write("policy file", file)


def _who_may_write(what: str, file: Path) -> Found:
    """Whoever can change it decides what the tier's workers run and release."""
    about = file.stat()
    if about.st_uid not in (os.geteuid(), 0):
        return Found("warning", what, f"{file} belongs to another user (uid {about.st_uid})")
    if about.st_mode & stat.S_IWOTH:
        return Found("warning", what, f"{file} can be written by everybody: chmod o-w {file}")
    return Found("ok", what, str(file))


async def tier(at: Tier) -> AsyncIterator[Found]:
    """What a tier that answers says of itself."""
    yield Found("ok", "redis", f"{shown_url(at.url)} answers")
    yield _partitions(at)
    refuses = False
    async for found in checkserver.server(at.redis):
        refuses |= found.what in checkserver.REFUSE and found.grade == "failure"
        yield found
    async for found in _workers(at, refuses=refuses):
        yield found
    async for found in checkjobs.jobs(at, refuses=refuses):
        yield found
    async for found in _streams(at):
        yield found
    async for found in _held_up(at):
        yield found
    async for found in _exports(at):
        yield found


def _partitions(at: Tier) -> Found:
    mine = at.settings.partitions
    if mine == at.partitions:
        return Found("ok", "partitions", str(mine))
    told = "partitions" in at.settings.model_fields_set
    return Found(
        "failure" if told else "warning",
        "partitions",
        f"the tier has {at.partitions}, {'these settings' if told else 'without a setting it is'} {mine}: "
        f"a worker that is started so ends at once; set partitions = {at.partitions}",
    )


async def _workers(at: Tier, *, refuses: bool) -> AsyncIterator[Found]:
    """``refuses``: Redis takes no writes, so those that live can't say so."""
    try:
        alive = await heartbeats(at.redis, at.partitions)
    except RedisError:
        alive = []
    for kind in ("analyzer", "policy"):
        mine = [one for one in alive if one.kind == kind]
        if mine:
            handled = sum(one.handled for one in mine)
            yield Found("ok", f"{kind} workers", f"{len(mine)} alive, {handled} handled")
        elif refuses:
            says = "nobody can say that it lives while Redis refuses writes: mend that first"
            yield Found("failure", f"{kind} workers", says)
        else:
            yield Found("failure", f"{kind} workers", f"none alive: start one with guardtier worker {kind}")
    for found in _signers([one for one in alive if one.kind == "policy"], at):
        yield found


def _signers(deciding: list[Heartbeat], at: Tier) -> Iterator[Found]:
    """Whether the workers that live sign with the same keys, and agents here have them."""
    try:
        wrong = list(cosigning.complaints(deciding, at.verdict_keys))
        if says := _would_be_refused(deciding, at.settings):
            wrong.append((True, says))
    except ConfigError as error:
        wrong = [(True, error.message)]
    for fails, says in wrong:
        yield Found("failure" if fails else "warning", "signatures", says)
    signs = sorted({one.signs for one in deciding if one.signs})
    if signs and not wrong:
        yield Found("ok", "signatures", f"all policy workers sign with {', '.join(signs)}")


def _would_be_refused(deciding: list[Heartbeat], settings: Settings) -> str:
    """What a policy worker with these settings would end with; the file itself is looked at elsewhere."""
    if settings.signing_key_file is None:
        return ""
    try:
        mine = [key.id for key in read_private(settings.signing_key_file, tending=True)]
    except ConfigError:
        return ""
    return cosigning.stranger(mine, deciding)


async def _streams(at: Tier) -> AsyncIterator[Found]:
    fleets = await at.upkeep.fleets()
    told = at.settings.fleets if "fleets" in at.settings.model_fields_set else ()
    if absent := [name for name in told if name not in fleets]:
        says = f"{', '.join(absent)}: in these settings, and not registered: agents are told UnknownFleet"
        yield Found("warning", "fleets", f"{says}. guardtier fleet add NAME, or restart a worker")
    if fleets:
        yield Found("ok", "fleets", ", ".join(fleets))
    else:
        yield Found("failure", "fleets", "none is registered: guardtier fleet add NAME")
        return
    if waiting := [stream for stream, _ in await at.upkeep.stuck(now_ms())]:
        yield Found(
            "failure",
            "work",
            f"entries have waited for more than a minute in {', '.join(waiting)}: no worker takes them, or "
            "one is frozen; docs/operations.md, GuardtierQueueStuck",
        )
    async with at.reader() as reader:
        yield Found("ok", "parked", f"{await reader.count()} wait for a person")


async def _held_up(at: Tier) -> AsyncIterator[Found]:
    """What stands still though its workers live: on purpose, or since nobody ends what is over."""
    async with at.reader() as reader:
        halts = in_words(await reader.halts())
    for says in halts[:MOST_HALTS]:
        yield Found("warning", "halted", f"{says} (guardtier resume ends it)")
    if len(halts) > MOST_HALTS:
        yield Found("warning", "halted", f"and {len(halts) - MOST_HALTS} more: guardtier halts")
    records, (seconds, _) = Records(at.redis, at.partitions), await at.redis.time()
    before = (int(seconds) - OVERDUE_SECONDS) * 1000
    overdue = [await records.due(number, now_ms=before, limit=1) for number in range(at.partitions)]
    if first := next((found[0] for found in overdue if found), None):
        says = f"{first} should have expired, and has not: does a steward run (guardtier worker steward)?"
        yield Found("failure", "deadlines", f"{says} Its log says what is wrong")


async def _exports(at: Tier) -> AsyncIterator[Found]:
    exports = Exports(at.redis, at.partitions)
    for partition, key in await exports.damaged():
        says = f"{key} is of another type than it should be (partition {partition}): docs/audit.md, Damage"
        yield Found("failure", "audit trail", says)
    found = await exports.behind()
    if not found:
        says = "none: Redis alone has the trail; set audit_dir for the steward"
        if at.settings.audit_dir is not None:
            says = f"nothing yet to {at.settings.audit_dir}: it begins with the first action, and a steward"
        yield Found("warning", "audit export", says)
    for one in found:
        what = f"audit export {one.export}"
        if one.reached is None:
            says = (
                f"partition {one.partition}: gt:{{{one.partition}}}:exported does not say how far it is, so"
            )
            yield Found("failure", what, f"{says} nothing is trimmed: docs/audit.md, Damage")
            continue
        faults, waits = one.reached.faults, one.waits(now_ms())
        if faults:
            says = (
                f"partition {one.partition}: {faults} times something was wrong; the steward's log says "
                "what, and guardtier audit verify where (with --sql the database, too)"
            )
            yield Found("failure", what, says)
        if one.lines > at.settings.audit_backlog or waits > LATE_SECONDS:
            says = (
                f"lacks {one.lines} lines of partition {one.partition}, the first for {waits:.0f} s: does "
                "a steward write to its folder? Its log and its /healthz say what is wrong."
            )
            yield Found("failure", what, f"{says} guardtier audit forget {one.export}, where it is gone")
        elif not faults:
            lacks = f"all but {one.lines} lines" if one.lines else "every line"
            yield Found("ok", what, f"partition {one.partition}: has {lacks}")
