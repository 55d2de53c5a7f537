"""Settings of the tier: from the environment (``GUARDTIER_…``) and a TOML file.

docs/settings.md has all of them in a table. ``settings_help.py`` says what is near to an unknown name,
``settings_origin.py`` where each value came from.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from guardtier.action import NAME
from guardtier.analyzers.member import EnvText, MemberSettings
from guardtier.analyzers.options import did_you_mean
from guardtier.channels import ChannelSettings, plain_url
from guardtier.console_settings import ConsoleSettings
from guardtier.errors import ConfigError
from guardtier.policy.budget import Budget
from guardtier.policy.confirmation import ConfirmRisky, Policy
from guardtier.policy.terms import Channel
from guardtier.quota import Quota
from guardtier.security import SecuritySettings
from guardtier.settings_help import PREFIX, WrongSetting, check_environment, config_error
from guardtier.settings_origin import Setting, origin_of, settings_shown

FleetName = Annotated[str, StringConstraints(pattern=NAME)]


class FleetSettings(BaseModel):
    """What a fleet has of its own. What is left out is the tier's default."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    policy: Policy | None = None
    park_seconds: float | None = Field(default=None, gt=0)
    budget: Budget | None = None
    quota: Quota | None = None
    agent_quota: Quota | None = None
    max_queue: int | None = Field(default=None, ge=1)


class Settings(BaseSettings):
    """Everything that a worker can be told. Times are in seconds unless the name says otherwise."""

    model_config = SettingsConfigDict(
        env_prefix="GUARDTIER_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
    )

    redis_url: str = "redis://127.0.0.1:6379/0"
    arq_url: str | None = None  #: the steward's Redis, where the other one is a cluster
    partitions: int = Field(default=1, ge=1, le=1024)
    approvers_file: Path | None = None  #: who may answer; without one, nobody may
    policy_file: Path | None = None  #: the rules, until others are set at run time
    signing_key_file: Path | None = None  #: verdicts are signed with its keys; without it, they are not
    released_seconds: float = Field(default=300, ge=10)  #: a signed release is good for so long
    approved_seconds: float | None = Field(default=None, ge=10)  #: an approval; else retain_seconds

    fleets: dict[FleetName, FleetSettings] = Field(default_factory=lambda: {"default": FleetSettings()})
    analyzers: tuple[str, ...] = (
        "shell",
        "python",
        "sql",
        "files",
        "http",
        "mcp",
        "patterns",
        "rails",
        "secrets",
        "injection",
        "flow",
        "llm",
    )
    analyzer: dict[str, MemberSettings] = Field(default_factory=dict)  #: of members, by their names
    analyzer_seconds: float = Field(default=5.0, gt=0, le=300)  #: the time limit of each
    pool_jobs: int = Field(default=16, ge=1, le=1000)  #: votes in work, a worker of a pool
    propagate_unknown: bool = False
    policy: Policy = Field(default_factory=ConfirmRisky)
    budget: Budget | None = None  #: of each agent, until it is halted; without one, no limit
    quota: Quota | None = None  #: of each fleet, over all partitions; without one, no limit
    agent_quota: Quota | None = None  #: of each agent, likewise
    max_queue: int = Field(default=10_000, ge=1)  #: requests of a fleet that may wait, a partition
    security: SecuritySettings = Field(default_factory=SecuritySettings)  #: becomes the two above
    channel: dict[Channel, ChannelSettings] = Field(default_factory=dict)  #: for notices, by name
    console: ConsoleSettings = Field(default_factory=ConsoleSettings)
    console_url: Annotated[str, AfterValidator(plain_url)] | None = None  #: what notices link to

    park_seconds: float = Field(default=3600, gt=0)  #: a parked action's deadline
    #: A decided action's record: who was approved finds it while its agent is restarted, or asks again.
    retain_seconds: float = Field(default=24 * 3600, ge=60)
    history_seconds: float = Field(default=24 * 3600, gt=0)  #: a conversation's, behind its last action
    inherit_seconds: float = Field(default=600, ge=0)  #: an agent's labels, for its next conversation
    history_key: SecretStr | None = Field(default=None, min_length=16)  #: of secrets' fingerprints
    redact: bool = True  #: no secret that the rules know is kept: a fingerprint stands in its place
    audit_seconds: float = Field(default=7 * 24 * 3600, gt=0)  #: an audit record in Redis
    audit_dir: Path | None = None  #: where the steward exports the audit streams to; without it, nowhere
    audit_sql: str | None = None  #: a database that gets a copy of the export, for search
    audit_file_bytes: int = Field(default=64 * 1024 * 1024, ge=4096)  #: an export's file ends behind it
    audit_backlog: int = Field(
        default=100_000, ge=1
    )  #: lines not exported: the steward says so from then on
    reply_seconds: float = Field(default=120, ge=60)  #: a reply, read or not; clients ask again

    concurrency: int = Field(default=64, ge=1, le=10_000)  #: deliveries in work, a partition
    share: int = Field(default=16, ge=1, le=1000)  #: the most that one read takes of one fleet
    max_deliveries: int = Field(default=3, ge=1, le=100)
    claim_seconds: float = Field(default=15.0, gt=0)  #: in hands for so long: cancelled; another takes it
    drain_seconds: float = Field(default=10.0, gt=0)

    @model_validator(mode="after")
    def _security_becomes_policy_and_analyzers(self) -> Settings:
        policy = self.security.policy
        if policy is not None:
            if "policy" in self.model_fields_set and self.policy != policy:
                raise WrongSetting(
                    "policy",
                    f"policy ({self.policy.version}) and {', '.join(self.security.says_of_policy)} "
                    f"({policy.version}) contradict each other: leave one of them out",
                )
            self.__dict__["policy"] = policy  # still being made: frozen from here on
        self.__dict__["analyzers"] = self.security.joined(self.analyzers)
        return self

    @model_validator(mode="after")
    def _tables_have_a_member(self) -> Settings:
        for name in self.analyzer:
            if name not in self.analyzers:
                raise WrongSetting(
                    f"analyzer.{name}",
                    f"analyzer.{name}: analyzers has no member of this name"
                    f"{did_you_mean(name, self.analyzers)}",
                )
        return self

    @model_validator(mode="after")
    def _times_fit_together(self) -> Settings:
        limits = {f"analyzer.{name}.time_limit": one.time_limit for name, one in self.analyzer.items()}
        for name, limit in {"analyzer_seconds": self.analyzer_seconds, **limits}.items():
            if limit is not None and self.claim_seconds <= limit:
                raise WrongSetting(
                    "claim_seconds",
                    f"claim_seconds must be above {name}: a delivery would be taken from a "
                    "worker that is still at it",
                )
        if (self.approved_seconds or 0) > self.retain_seconds:
            raise WrongSetting(
                "approved_seconds",
                "approved_seconds must not be above retain_seconds: what was approved is forgotten by then",
            )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, _Environment(settings_cls)

    @classmethod
    def load(cls, file: Path | None = None, **overrides: Any) -> Settings:
        """Overrides, then the environment, then the file. Raises ConfigError that names the field."""
        try:
            check_environment(os.environ, cls.model_fields)
            if file is None:
                return cls(**overrides)
            if not file.is_file():
                raise ConfigError(f"no settings file at {file}", field="config")
            return _with_file(file)(**overrides)
        except ValidationError as error:
            origin = partial(origin_of, file=file, environ=os.environ, overrides=overrides)
            raise config_error(error, cls, origin) from error
        except SettingsError as error:  # a variable that should be JSON; pydantic names the field
            field = str(error).partition('"')[2].partition('"')[0]
            raise ConfigError(
                f"{field}: {PREFIX}{field.upper()} is no JSON: write a list as "
                """'["a", "b"]', a table as '{"a": 1}'""",
                field=field,
            ) from error
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"the settings can't be read: {file}: {error}", field="config") from error
        except (ValueError, OSError) as error:
            where = f"{file}: " if file else ""
            raise ConfigError(f"the settings can't be read: {where}{error}", field="config") from error

    @property
    def pools(self) -> dict[str, dict[str, MemberSettings]]:
        """The pools that analyzers are placed in, each with its members."""
        found: dict[str, dict[str, MemberSettings]] = {}
        for name, member in self.analyzer.items():
            if member.pool is not None:
                found.setdefault(member.pool, {})[name] = member
        return found

    def shown(self, file: Path | None, overrides: Mapping[str, Any]) -> list[Setting]:
        """Every setting with its origin, secrets masked. The arguments are those of :meth:`load`."""
        return settings_shown(
            self.model_dump(mode="json"),
            file=file,
            environ=os.environ,
            overrides=overrides,
            derived={"policy": "[security]"} if self.security.policy else {},
        )

    def policy_of(self, fleet: str) -> Policy:
        own = self.fleets.get(fleet, FleetSettings())
        return own.policy or self.policy

    def budget_of(self, fleet: str) -> Budget | None:
        return self.fleets.get(fleet, FleetSettings()).budget or self.budget

    def quotas_of(self, fleet: str) -> tuple[Quota | None, Quota | None]:
        """Its own, and that of each of its agents."""
        own = self.fleets.get(fleet, FleetSettings())
        return own.quota or self.quota, own.agent_quota or self.agent_quota

    def max_queue_of(self, fleet: str | None) -> int:
        """None: of what comes for fleets that don't exist."""
        own = self.fleets.get(fleet or "", FleetSettings())
        return own.max_queue or self.max_queue

    def park_ms_of(self, fleet: str) -> int:
        own = self.fleets.get(fleet, FleetSettings())
        return int((own.park_seconds or self.park_seconds) * 1000)


def _with_file(file: Path) -> type[Settings]:
    values = _values_in(file)

    class FileSettings(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, _Environment(settings_cls), InitSettingsSource(settings_cls, values)

    return FileSettings


class _Environment(EnvSettingsSource):
    """The environment, with an analyzer's own options kept as the text that they are."""

    def __call__(self) -> dict[str, Any]:
        found = super().__call__()
        tables = found.get("analyzer")
        if not isinstance(tables, dict):
            return found
        for variable, text in os.environ.items():
            path = variable[len(PREFIX) :].lower().split("__")
            if not variable.upper().startswith(f"{PREFIX}ANALYZER__") or len(path) != 3:
                continue
            table = tables.get(path[1])
            if isinstance(table, dict) and path[2] not in MemberSettings.model_fields:
                table[path[2]] = EnvText(text)
        return found


def _values_in(file: Path) -> dict[str, Any]:
    """The settings file. The path of a Python file in it counts from where it stands itself."""
    found = tomllib.loads(file.read_text(encoding="utf-8"))
    tables = found.get("analyzer")
    for table in tables.values() if isinstance(tables, dict) else ():
        where = table.get("use") if isinstance(table, dict) else None
        if isinstance(where, str) and ".py:" in where:
            table["use"] = str(file.absolute().parent / where)
    return found
