"""What stands: the policy file of all fleets, and each fleet's own policy, from Redis and the settings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from guardtier.approver import PartitionFile
from guardtier.approver_policies import seen_of
from guardtier.errors import ConfigError, TierUnavailable
from guardtier.look import Me
from guardtier.policy.compiled import CompiledPolicy
from guardtier.policy.rules import Rule
from guardtier.policy.standing import EVERY_FLEET, UNREADABLE, digest_of_file, label_of_settings_file
from guardtier.store.connection import RedisError
from guardtier.store.upkeep import Upkeep
from guardtier_workers.cli.policy_fleets import Standing, policy_body
from guardtier_workers.cli.policy_standing import file_body, text_of
from guardtier_workers.console.console import Console
from guardtier_workers.console.rules.examined import Examined
from guardtier_workers.console.rules.rights import check_sees
from guardtier_workers.console.rules.views import FileStands, FleetStands, RuleInWords
from guardtier_workers.console.rules.words import matches, outcome, policy
from guardtier_workers.console.show.times import moment
from guardtier_workers.policyfiles import FileInForce, Unreadable

_FILE_WORDS = {
    "none": "No policy file stands: each fleet’s own policy decides.",
    "unreadable": "What was set can’t be read, so everything is parked: set a file, or reset it.",
}
_SOURCES = {
    "run time": "set at run time",
    "policy file": "from the policy file",
    "settings": "from the settings",
    "unreadable": "everything is parked, since what was set can’t be read: set or reset it",
    "unreadable file": "everything is parked, since the policy file can’t be read: set or reset that",
}


@dataclass(frozen=True, slots=True)
class File:
    """The policy file that counts. ``text``: "" for none. ``places``: what counts in each partition."""

    body: dict[str, Any]
    parts: list[PartitionFile]
    text: str
    examined: Examined
    places: list[Standing]


@asynccontextmanager
async def reading() -> AsyncIterator[None]:
    """Raises TierUnavailable where Redis does not answer."""
    try:
        yield
    except RedisError as error:
        raise TierUnavailable(f"Redis does not answer: {error}") from error


async def file_that_stands(console: Console) -> File:
    """Raises TierUnavailable where Redis is away, or the settings' file can't be read here."""
    async with reading():
        parts = await console.tier.policy_file()
    return await file_among(console, parts)


async def file_among(console: Console, parts: list[PartitionFile]) -> File:
    """The same, of pointers that were read already."""
    try:
        body = file_body(console.settings, parts)
        own = text_of(console.settings.policy_file) if console.settings.policy_file else None
    except ConfigError as error:
        raise TierUnavailable(f"the console can't read the settings' policy file: {error}") from error
    texts = _Texts(console)
    async with reading():
        places = [await _place(texts, part, own) for part in parts]
        text = await texts.of(parts[0]) if parts[0].digest is not None else own
    examined = await texts.examined(text) if text else Examined()
    return File(_truly(body, places), parts, text or "", examined, places)


class _Texts:
    """The texts that are needed for one answer, each read once, however many partitions there are."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._texts: dict[str, str | None] = {}
        self._examined: dict[str, Examined] = {}

    async def of(self, part: PartitionFile) -> str | None:
        """The text that stands in a partition; None where it is gone, or is another one."""
        digest = part.digest or ""
        if digest not in self._texts:
            found = await self._console.tier.policy_text(part)
            is_it = found is not None and digest_of_file(found.encode()) == digest
            self._texts[digest] = found if is_it else None
        return self._texts[digest]

    async def examined(self, text: str) -> Examined:
        if text not in self._examined:
            self._examined[text] = await self._console.examiner.standing(text)
        return self._examined[text]


def _truly(body: dict[str, Any], places: list[Standing]) -> dict[str, Any]:
    """With what only shows once the texts are read: one that is gone, or that can't be read."""
    gone = {"version": UNREADABLE, "source": "unreadable"}
    broken = [isinstance(place, Unreadable) for place in places]
    body["partitions"] = [
        part | gone if is_broken else part
        for part, is_broken in zip(body["partitions"], broken, strict=True)
    ]
    body["agreed"] = body["agreed"] and len(set(broken)) == 1
    return body | gone if broken[0] else body


async def _place(texts: _Texts, part: PartitionFile, own: str | None) -> Standing:
    """What counts in one partition. ``own``: the settings' text."""
    if not part.readable:
        return Unreadable("the pointer to it can't be read")
    if part.standing is not None and part.digest is not None:
        text, label = await texts.of(part), part.standing.label
    elif own is None:
        return None
    else:
        text, label = own, label_of_settings_file(digest_of_file(own.encode()))
    if text is None:
        return Unreadable("its text is gone, or is another one")
    examined = await texts.examined(text)
    if examined.wrong is not None:
        return Unreadable(examined.wrong.message)
    # its fleets, all that is asked of it here: compiled without its rules, which may be many
    return FileInForce(CompiledPolicy((), examined.fleets), label)


def file_view(file: File, me: Me) -> FileStands:
    """For one visitor."""
    body, sees_all = file.body, me.sees(EVERY_FLEET)
    return FileStands(
        **{name: body[name] for name in ("version", "source", "digest", "agreed", "partitions")},
        set_digest=seen_of(file.parts),
        words=_told(body),
        rules=len(rules_of(file, me)),
        tests=file.examined.test_count if sees_all else 0,
        text=file.text if sees_all else None,
    )


def rules_of(file: File, me: Me, fleet: str | None = None) -> list[Rule]:
    """The rules that may decide in this fleet, else in any of the visitor's. Raises UnknownFleet."""
    if fleet is not None:
        check_sees(me, fleet)
        return file.examined.rules_in([fleet])
    if me.sees(EVERY_FLEET):
        return list(file.examined.rules)
    return file.examined.rules_in(me.fleets)


def rule_view(rule: Rule, me: Me) -> RuleInWords:
    fleets = None if me.sees(EVERY_FLEET) else me.fleets
    return RuleInWords(
        name=rule.name,
        effect=rule.outcome.value,
        matches=matches(rule, fleets),
        outcome=outcome(rule),
        shadow=rule.mode == "shadow",
        owner=rule.owner,
    )


async def fleets_of(console: Console, me: Me) -> list[str]:
    """The registered fleets that the visitor sees, in order."""
    async with reading():
        known = await Upkeep(console.redis, console.settings.partitions).fleets()
    return [fleet for fleet in known if me.sees(fleet)]


async def fleet_view(console: Console, fleet: str, file: File) -> FleetStands:
    """What a fleet is under. Ask ``sees`` before."""
    async with reading():
        found = await console.tier.policy(fleet)
    body = policy_body(console.settings, fleet, found, file.places)
    view = FleetStands(**body, set_digest=seen_of(found), words="", where_from=_from(body))
    return view.model_copy(update={"words": policy(view.policy)})


def _told(body: dict[str, Any]) -> str:
    if not body["agreed"]:
        return "Its partitions have different ones: set or reset it once more."
    if said := _FILE_WORDS.get(body["source"]):
        return said
    where = "from the settings" if body["source"] == "settings" else "set at run time"
    return f"{body['version']}, {where}{_by(body['partitions'][0], body['source'])}"


def _from(body: dict[str, Any]) -> str:
    if not body["agreed"]:
        return "its partitions are under different policies: set or reset it once more"
    told = _SOURCES[body["source"]]
    return told + _by(body["partitions"][0], body["source"])


def _by(part: dict[str, Any], source: str) -> str:
    if part.get("by") is None or source.startswith("unreadable"):
        return ""
    return f"{'' if source == 'run time' else ', reset'} by {part['by']} on {moment(part['at'])}"
