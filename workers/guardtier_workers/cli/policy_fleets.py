"""What policy each fleet is under where no rule matches, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from guardtier.approver import PartitionPolicy
from guardtier.policy.confirmation import AlwaysConfirm
from guardtier.policy.standing import EVERY_FLEET, UNREADABLE
from guardtier.settings import Settings
from guardtier.store.records import Records
from guardtier_workers.cli.output import say, span_text
from guardtier_workers.cli.tier import Tier
from guardtier_workers.clock import now_ms
from guardtier_workers.policies import in_force
from guardtier_workers.policyfiles import FileInForce, PolicyFiles, Unreadable

#: The policy file that counts in a partition, as these settings and Redis have it.
Standing = FileInForce | Unreadable | None


async def files_in(tier: Tier) -> list[Standing]:
    """Which policy file counts in each partition. Raises ConfigError for a wrong one of the settings."""
    records = Records(tier.redis, tier.partitions)
    files = PolicyFiles(tier.settings, records)
    found: list[Standing] = []
    for partition in range(tier.partitions):
        try:
            found.append(await files.under(partition, await records.policy(partition, EVERY_FLEET)))
        except Unreadable as error:
            found.append(error)
    return found


def policy_body(
    settings: Settings, fleet: str, found: list[PartitionPolicy], files: Sequence[Standing]
) -> dict[str, Any]:
    """What a fleet is under. ``partitions`` are told apart, since each is set for itself."""
    parts = [_partition(settings, fleet, part, files[part.partition]) for part in found]
    first = parts[0]
    told = ("policy", "source", "shadow")
    return {
        "fleet": fleet,
        "policy": first["policy"],
        "source": first["source"],
        "version": first["version"],
        "shadow": first["shadow"],
        "agreed": all([part[name] for name in told] == [first[name] for name in told] for part in parts),
        "partitions": parts,
    }


def _partition(settings: Settings, fleet: str, part: PartitionPolicy, file: Standing) -> dict[str, Any]:
    body: dict[str, Any] = {"partition": part.partition, "changed": part.changed, "shadow": False}
    standing = part.standing
    if standing is not None:
        body |= {"by": standing.by, "at": standing.at}
    if isinstance(file, Unreadable) or not part.readable:
        parks = AlwaysConfirm().model_dump(mode="json")
        source = "unreadable file" if isinstance(file, Unreadable) else "unreadable"
        return body | {"policy": parks, "source": source, "version": UNREADABLE}
    counts = in_force(settings, fleet, standing, file)
    source = "settings"
    if part.policy is not None:
        source = "run time"
    elif file is not None and file.compiled.default_of(fleet) is not None:
        source = "policy file"
    return body | {
        "policy": counts.policy.model_dump(mode="json"),
        "source": source,
        "version": counts.version,
        "shadow": counts.is_shadow(fleet),
    }


def tell_fleet(body: dict[str, Any]) -> None:
    """What a fleet is under, in a line; in several where the partitions disagree."""
    if body["agreed"]:
        say(f"{body['fleet']}: {_line(body['partitions'][0])}")
        return
    say(f"{body['fleet']}: its partitions are under different policies; set or reset it once more")
    for part in body["partitions"]:
        say(f"  partition {part['partition']}: {_line(part)}")


_SOURCES = {
    "run time": "set at run time",
    "policy file": "from the policy file",
    "settings": "from these settings",
}


def _line(part: dict[str, Any]) -> str:
    if part["source"] == "unreadable":
        return "everything is parked, since what was set can't be read: set or reset it"
    if part["source"] == "unreadable file":
        return "everything is parked, since the policy file can't be read: set or reset it (--file)"
    told = f"{part['version']}, {_SOURCES[part['source']]}"
    if "by" in part:
        reset = "" if part["source"] == "run time" else ", reset"
        told += f"{reset} by {part['by']} {span_text(now_ms() - part['at'])} ago"
    return told + (", in shadow mode: everything is released" if part["shadow"] else "")
