"""check_file: what a policy worker refuses a policy file for, before it counts for anybody."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from time import monotonic

from guardtier.errors import ConfigError
from guardtier.policy.compiled import CompiledPolicy
from guardtier.policy.file import PolicyFile
from guardtier.policy.globs import matcher
from guardtier.policy.inline import TestResult, run
from guardtier.settings import Settings
from guardtier_workers.approvers import EVERY_FLEET, Approver, Right

SHOWN = 5  #: failed tests that an error names
TEST_SECONDS = 10.0  #: below claim_seconds, or another worker would begin as well


def check_file(text: str, settings: Settings, *, name: str) -> CompiledPolicy:
    """The file compiled. Raises ConfigError, that begins with ``name``, for what is wrong in it.

    Its tests are run but for those that the analyzers must rate: whoever sets a file has run these
    (``guardtier policy set`` does), and a policy worker loads nothing that rates.
    """
    compiled = _known_to(settings, PolicyFile.parse(text, name=name), name)
    check_tests(compiled.run_tests(default=settings.policy_of), name)
    return compiled


async def check_file_beside(text: str, settings: Settings, *, name: str) -> CompiledPolicy:
    """The same beside other work: it lets others in after each test, and gives up after TEST_SECONDS.

    Measured: 500 tests of 1,900 conditions take 5 s, in which a worker would miss its heartbeats.
    """
    file = PolicyFile.parse(text, name=name)
    compiled = _known_to(settings, file, name)
    until = monotonic() + TEST_SECONDS
    results: list[TestResult] = []
    for test in file.test:
        results += run(compiled, [test], default=settings.policy_of)
        if monotonic() > until:
            raise ConfigError(
                f"{name}: its tests take more than {TEST_SECONDS:g} s: give it fewer, or fewer conditions",
                field="test",
                limit=int(TEST_SECONDS),
            )
        await asyncio.sleep(0)
    check_tests(results, name)
    return compiled


def _known_to(settings: Settings, file: PolicyFile, name: str) -> CompiledPolicy:
    """The file compiled, if these settings know all the channels that it names."""
    compiled = file.compiled()
    check_channels(compiled, settings.channel, name)
    return compiled


def check_channels(compiled: CompiledPolicy, known: Collection[str], name: str) -> None:
    """Raise ConfigError where the file tells a channel that is not among these."""
    unknown = sorted(compiled.channels - set(known))
    if unknown:
        raise ConfigError(
            f"{name} tells {', '.join(unknown)}, which the tier's settings don't know: add "
            f"[channel.{unknown[0]}] to them, or name one that they have "
            f"({', '.join(sorted(known)) or 'there is none'})",
            field="notify",
        )


def check_tests(results: list[TestResult], name: str) -> None:
    """Raise ConfigError where a test of the file failed. One that was skipped did not."""
    failed = [one for one in results if not one.passed and not one.skipped]
    if not failed:
        return
    told = "; ".join(f"{one.name!r}: {one.wrong}" for one in failed[:SHOWN])
    more = f"; and {len(failed) - SHOWN} more" if len(failed) > SHOWN else ""
    raise ConfigError(
        f"{name}: {len(failed)} of its tests fail: {told}{more}", field="test", limit=len(failed)
    )


def check_quorums(compiled: CompiledPolicy, approvers: list[Approver], name: str) -> None:
    """Raise ConfigError where more people must approve than there are with the right and the role.

    Those count who may answer in the fleet; for a glob, who may in any fleet that it could name.
    """
    of_rule = {f"rule.{rule.name}": rule.fleet or (EVERY_FLEET,) for rule in compiled.rules}
    for where, (roles, approve) in compiled.quorums.items():
        for fleet in of_rule.get(where) or (where.partition(".")[2],):
            people = {one.principal for one in approvers if one.has_role(roles) and _answers(one, fleet)}
            if len(people) < approve:
                who = f"with the role {' or '.join(roles)}" if roles else "who may answer"
                there = "" if fleet == EVERY_FLEET else f" in fleet {fleet}"
                raise ConfigError(
                    f"{name}: {where} wants {approve} to approve, and the approvers file has "
                    f"{len(people)} {who}{there}: nothing would ever be approved",
                    field=f"{where}.terms.approve",
                    limit=len(people),
                )


def _answers(approver: Approver, fleet: str) -> bool:
    """Whether they may answer in a fleet that this name, or glob, stands for."""
    names = matcher(fleet)
    known = EVERY_FLEET in approver.fleets or any(names(one) for one in approver.fleets)
    return Right.ANSWER in approver.may and known
