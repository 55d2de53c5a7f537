"""Finds the tier that a command talks to, and turns what Redis says into errors of ours."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from guardtier.approver import ApproverClient
from guardtier.client import GuardClient
from guardtier.errors import ConfigError, GuardtierError, TierUnavailable
from guardtier.settings import Settings
from guardtier.store.connection import AnyRedis, RedisError, connect, is_away, refuses_credential
from guardtier.store.keys import TIER
from guardtier.store.upkeep import Upkeep
from guardtier.verifying import Verifier
from guardtier_workers.cli.state import Running, StateDir

TOKEN = "GUARDTIER_APPROVER_TOKEN"  # noqa: S105 - the name of a variable


@dataclass(frozen=True, slots=True)
class Tier:
    """A tier that answers. ``running`` is what ``up`` said of it, where that is how it was found."""

    url: str
    settings: Settings
    redis: AnyRedis
    partitions: int
    running: Running | None

    def guard(self, fleet: str, client_id: str | None = None, *, accept_edits: bool = False) -> GuardClient:
        return GuardClient(
            self.url,
            fleet=fleet,
            client_id=client_id,
            partitions=self.partitions,
            accept_edits=accept_edits,
            verdict_keys=self.verdict_keys,
        )

    @property
    def verdict_keys(self) -> Verifier | None:
        """What GUARDTIER_VERDICT_KEYS says, else the keys of the tier that ``up`` runs; None: no keys."""
        told = self.running.verdict_keys if self.running else None
        return Verifier.of(None) or (Verifier(file=Path(told)) if told else None)

    @property
    def upkeep(self) -> Upkeep:
        return Upkeep(self.redis, self.partitions)

    def reader(self) -> ApproverClient:
        """A client that can look, and answer nothing."""
        return ApproverClient(self.url, partitions=self.partitions)

    def viewer(self, name: str | None, token_file: Path | None) -> ApproverClient:
        """A client that looks as this approver; where none is named, as Redis lets it."""
        return self.reader() if name is None and token_file is None else self.approver(name, token_file)

    def approver(self, name: str | None, token_file: Path | None) -> ApproverClient:
        """A client that answers. Raises ConfigError where name or token is missing."""
        known, token = self._credentials(name, token_file)
        return ApproverClient(self.url, approver=known, token=token, partitions=self.partitions)

    def _credentials(self, name: str | None, token_file: Path | None) -> tuple[str, str]:
        token = _token_in(token_file) if token_file else os.environ.get(TOKEN)
        if self.running is not None and not token and name in (None, self.running.approver):
            name, token = self.running.approver, self.running.token
        if not name or not token:
            missing = "name (--as NAME)" if token else f"token ({TOKEN}, or --token-file FILE)"
            raise ConfigError(
                f"this needs an approver's {missing}; guardtier approver add makes one",
                field="token" if name else "approver",
            )
        return name, token


@dataclass(frozen=True, slots=True)
class Target:
    """Where a tier should be, before anybody has asked it."""

    url: str
    settings: Settings
    running: Running | None = None
    by_default: bool = False  #: nobody named it: there may be none

    @classmethod
    def find(cls, redis_url: str | None, config: Path | None) -> Target:
        """The option, else the environment, else the settings file, else what ``up`` runs."""
        settings = load_settings(redis_url, config)
        if "redis_url" in settings.model_fields_set:
            running = StateDir().running()
            ours = running is not None and running.redis_url == settings.redis_url
            return cls(settings.redis_url, settings, running if ours else None)
        running = StateDir().running()
        if running is not None:
            return cls(running.redis_url, settings, running)
        return cls(settings.redis_url, settings, by_default=True)


def load_settings(redis_url: str | None, config: Path | None) -> Settings:
    return Settings.load(config, **({"redis_url": redis_url} if redis_url else {}))


@asynccontextmanager
async def tier_at(redis_url: str | None, config: Path | None) -> AsyncIterator[Tier]:
    """The tier, once it has answered. Raises TierUnavailable, here or at any time in the block."""
    target = Target.find(redis_url, config)
    redis = connect(target.url)
    try:
        with redis_errors(target):
            agreed = await redis.hget(TIER, "partitions")  # type: ignore[misc]
            partitions = int(agreed or target.settings.partitions)
            yield Tier(target.url, target.settings, redis, partitions, target.running)
    finally:
        await redis.aclose()


@contextmanager
def redis_errors(target: Target) -> Iterator[None]:
    """What redis-py raises, as errors that say what to do."""
    try:
        yield
    except GuardtierError:
        raise
    except (RedisError, OSError) as error:
        where = shown_url(target.url)
        if is_refusal(error):
            raise ConfigError(
                f"Redis at {where} refuses these credentials ({error}): check user and password in the URL",
                field="redis_url",
            ) from error
        if is_away(error):
            hint = "start it, or name the right one with --redis-url"
            if target.by_default:
                hint = "no tier was named: start one with guardtier up, or give --redis-url"
            elif target.url.startswith("rediss"):
                hint += "; rediss:// needs TLS at that port"
            raise TierUnavailable(f"Redis at {where} can't be reached ({error}): {hint}") from error
        hint = ""
        if refuses_credential(error):
            hint = ": this needs another role's credential, docs/roles.md says which (doctor: admin)"
        raise GuardtierError(f"Redis at {where} says: {error}{hint}") from error


def is_refusal(error: BaseException) -> bool:
    """Whether Redis wants other credentials, which redis-py counts among broken connections."""
    text = str(error)
    return type(error).__name__.startswith("Authentication") or text.startswith(
        ("NOAUTH", "WRONGPASS", "NOPERM")
    )


def shown_url(url: str) -> str:
    """The URL without its password."""
    password = urlsplit(url).password
    return url.replace(f":{password}@", ":***@", 1) if password else url


def _token_in(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the token can't be read: {error}", field="token_file") from error
