"""The policy file that counts: the one that an approver has set, else that of the settings."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from guardtier.errors import ConfigError, GuardtierError
from guardtier.policy.compiled import CompiledPolicy
from guardtier.policy.file import PolicyFile
from guardtier.policy.standing import StandingFile, digest_of_file, label_of_settings_file
from guardtier.settings import Settings
from guardtier.store.records import MAX_TEXT, Records
from guardtier_workers.filecheck import check_file

log = logging.getLogger(__name__)

MOST = 8  #: files that are remembered; a tier has one, and two while it changes


class Unreadable(Exception):
    """What was set can't be read: everything is parked until it is set anew."""


@dataclass(frozen=True, slots=True)
class FileInForce:
    """A policy file, and what decisions under it record: ``file@7``."""

    compiled: CompiledPolicy
    label: str


class PolicyFiles:
    """What this worker knows of policy files. Raises ConfigError where the settings' own is wrong."""

    def __init__(self, settings: Settings, records: Records) -> None:
        self.own = own_file(settings)
        self._records = records
        self._known: dict[str, CompiledPolicy | None] = {}  # None: it can't be read here
        self._reading = asyncio.Lock()

    async def under(self, partition: int, raw: bytes) -> FileInForce | None:
        """What counts where this pointer stands; None: no file does. Raises Unreadable."""
        try:
            standing = StandingFile.read(raw)
        except ValueError as error:
            raise Unreadable("the pointer to it can't be read") from error
        if standing is None or standing.digest is None:
            return self.own
        async with self._reading:  # many actions ask at once: one of them reads
            compiled = await self._compiled(partition, standing.digest)
        return FileInForce(compiled, standing.label)

    async def _compiled(self, partition: int, digest: str) -> CompiledPolicy:
        if digest not in self._known:
            raw = await self._records.policy_text(partition, digest)
            if raw is None or len(raw) > MAX_TEXT or digest_of_file(raw) != digest:
                raise Unreadable("its text is gone, or is another one")  # not for ever: it may come back
            while len(self._known) >= MOST:
                del self._known[next(iter(self._known))]
            self._known[digest] = _parsed(raw)
        found = self._known[digest]
        if found is None:
            raise Unreadable("its text can't be read here")
        return found


def own_file(settings: Settings) -> FileInForce | None:
    """The settings' policy file, checked. Raises ConfigError for one that is wrong, or can't be read."""
    path = settings.policy_file
    if path is None:
        return None
    try:
        raw = path.read_bytes()
        text = raw.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"policy_file: {path} can't be read: {error}", field="policy_file") from error
    try:
        compiled = check_file(text, settings, name=str(path))
    except ConfigError as error:
        raise ConfigError(
            f"policy_file: {error.message}", field="policy_file", limit=error.limit
        ) from error
    return FileInForce(compiled, label_of_settings_file(digest_of_file(raw)))


def _parsed(raw: bytes) -> CompiledPolicy | None:
    try:
        return PolicyFile.parse(raw.decode(), name="the policy file that stands").compiled()
    except (GuardtierError, ValueError):
        log.exception("the policy file that stands can't be read, so all is parked until one is set")
        return None
