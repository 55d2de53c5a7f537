"""guardtier policy set|reset|show --file, diff: the policy file that stands for all fleets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from difflib import unified_diff
from pathlib import Path
from typing import Annotated, Any

import typer

from guardtier.approver import ApproverClient, PartitionFile
from guardtier.errors import ConfigError, GuardtierError
from guardtier.policy.file import PolicyFile
from guardtier.policy.globs import matcher
from guardtier.policy.standing import MAX_FILE, UNREADABLE, digest_of_file, label_of_settings_file
from guardtier.settings import Settings
from guardtier.store.connection import RedisError
from guardtier_workers.cli.exits import UsageError
from guardtier_workers.cli.options import Config, Json, RedisUrl
from guardtier_workers.cli.output import emit, note, say, span_text
from guardtier_workers.cli.policy_file import rated
from guardtier_workers.cli.tier import Tier, tier_at
from guardtier_workers.clock import now_ms
from guardtier_workers.filecheck import check_tests

#: Called with the approver's client, to change which file stands.
Ask = Callable[[ApproverClient], Awaitable[list[PartitionFile]]]


def diff(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The policy file to compare.")],
    redis_url: RedisUrl = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Compare the policy file that stands with FILE: rules, then line by line."""
    new = text_of(file)
    rules_after = _rules_in(new, str(file))

    async def run() -> tuple[dict[str, Any], str]:
        async with tier_at(redis_url, config) as tier, tier.reader() as reader:
            found = await reader.policy_file()
            return file_body(tier.settings, found), await standing_text(tier, reader, found)

    body, old = asyncio.run(run())
    changes = _changes(_rules_in(old, "what stands", broken={}), rules_after)
    lines = list(
        unified_diff(old.splitlines(), new.splitlines(), body["version"] or "none", str(file), lineterm="")
    )
    if as_json:
        emit({"same": old == new, "stands": body, **changes, "lines": lines})
        return
    if old == new:
        say(f"no difference: {file} is what stands ({body['version']})")
        return
    for what, names in changes.items():
        if names:
            say(f"rules {what}: {', '.join(names)}")
    for line in lines:
        say(line)


def change_file(
    ask: Ask,
    redis_url: str | None,
    config: Path | None,
    name: str | None,
    token_file: Path | None,
    *,
    text: str = "",
    as_json: bool,
) -> None:
    """Ask for another file to stand, and tell which one stands then. ``text``: what is set."""

    async def run() -> tuple[dict[str, Any], list[str]]:
        async with tier_at(redis_url, config) as tier, tier.approver(name, token_file) as approver:
            body = file_body(tier.settings, await ask(approver))
            return body, await _unregistered(tier, text) if text else []

    body, strangers = asyncio.run(run())
    if as_json:
        emit(body)
    else:
        tell_file(body)
    if strangers:
        note(f"no fleet is registered as {', '.join(strangers)}: what the file says of it waits for one")


async def _unregistered(tier: Tier, text: str) -> list[str]:
    """Fleets that a file names and nobody has registered: not yet, or they are misspelt."""
    file = PolicyFile.parse(text, name="the policy file")
    try:
        known = await tier.upkeep.fleets()
    except RedisError:  # this credential may not look, and what was asked is done
        return []
    named = dict.fromkeys([*file.fleet, *(glob for rule in file.rule for glob in rule.fleet or ())])
    return [glob for glob in named if not any(map(matcher(glob), known))]


def show_file(redis_url: str | None, config: Path | None, *, as_json: bool) -> None:
    """Print the policy file that stands, as it was set."""

    async def run() -> tuple[dict[str, Any], str]:
        async with tier_at(redis_url, config) as tier, tier.reader() as reader:
            found = await reader.policy_file()
            return file_body(tier.settings, found), await standing_text(tier, reader, found)

    body, text = asyncio.run(run())
    if as_json:
        emit({"file": body, "text": text})
        return
    note(_told(body))
    for line in text.splitlines():
        say(line)


def tested_text(file: Path, settings: Settings) -> str:
    """The text of a policy file whose tests all pass, rated by the configured analyzers.

    Raises ConfigError that names what is wrong.
    """
    text = text_of(file)
    compiled = PolicyFile.parse(text, name=str(file)).compiled()
    check_tests(rated(compiled, settings), str(file))
    return text


def file_body(settings: Settings, found: list[PartitionFile]) -> dict[str, Any]:
    """Which file stands. ``partitions`` are told apart, since each is set for itself."""
    parts = [_partition(settings, part) for part in found]
    first = parts[0]
    told = ("version", "source", "digest")
    return {
        **{name: first[name] for name in told},
        "agreed": all(
            (part["digest"], part["source"]) == (first["digest"], first["source"]) for part in parts
        ),
        "partitions": parts,
    }


def _partition(settings: Settings, part: PartitionFile) -> dict[str, Any]:
    body: dict[str, Any] = {"partition": part.partition, "changed": part.changed}
    if not part.readable:
        return body | {"version": UNREADABLE, "source": "unreadable", "digest": None}
    if part.standing is not None:
        body |= {"by": part.standing.by, "at": part.standing.at}
    if part.standing is not None and part.digest is not None:
        return body | {"version": part.standing.label, "source": "run time", "digest": part.digest}
    if settings.policy_file is None:
        return body | {"version": None, "source": "none", "digest": None}
    digest = digest_of_file(text_of(settings.policy_file).encode())
    return body | {"version": label_of_settings_file(digest), "source": "settings", "digest": digest}


def tell_file(body: dict[str, Any]) -> None:
    """Which file stands, in a line; in several where the partitions disagree."""
    say(_told(body))
    if not body["agreed"]:
        for part in body["partitions"]:
            say(f"  partition {part['partition']}: {_line(part)}")


def _told(body: dict[str, Any]) -> str:
    if body["agreed"]:
        return f"policy file: {_line(body['partitions'][0])}"
    return "policy file: its partitions have different ones; set or reset it once more"


def _line(part: dict[str, Any]) -> str:
    if part["source"] == "unreadable":
        return "everything is parked, since what was set can't be read: set or reset it"
    if part["source"] == "none":
        told = "none"
    elif part["source"] == "settings":
        told = f"{part['version']}, from these settings"
    else:
        told = f"{part['version']}, set at run time"
    if "by" not in part:
        return told
    reset = "" if part["source"] == "run time" else ", reset"
    return f"{told}{reset} by {part['by']} {span_text(now_ms() - part['at'])} ago"


async def standing_text(tier: Tier, reader: ApproverClient, found: list[PartitionFile]) -> str:
    """The text that counts; "" where there is none. Raises UsageError where it can't be read."""
    first = found[0]
    if not first.readable:
        raise UsageError("what was set can't be read: set or reset it", field="file")
    if first.digest is not None:
        text = await reader.policy_text(first)
        if text is None:
            raise UsageError("the text of the policy file that stands is gone: set it anew", field="file")
        return text
    return text_of(tier.settings.policy_file) if tier.settings.policy_file else ""


def text_of(file: Path) -> str:
    """The text of a policy file, byte for byte. Raises ConfigError."""
    try:
        with file.open("rb") as source:
            raw = source.read(MAX_FILE + 1)
        digest_of_file(raw)  # raises where it is too long
        return raw.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} can't be read: {error}", field="file") from error


def _rules_in(text: str, name: str, broken: dict[str, Any] | None = None) -> dict[str, Any]:
    """The rules by their names. ``broken`` stands for a file that is wrong, else it is raised."""
    if not text:
        return {}
    try:
        return {rule.name: rule for rule in PolicyFile.parse(text, name=name).rule}
    except GuardtierError:
        if broken is None:
            raise
        return broken


def _changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, list[str]]:
    return {
        "added": [name for name in after if name not in before],
        "removed": [name for name in before if name not in after],
        "changed": [name for name in after if name in before and before[name] != after[name]],
    }
