"""Settings: overrides before the environment before the file, and errors that name the field."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardtier import SecurityRisk
from guardtier.errors import ConfigError
from guardtier.policy import AlwaysConfirm, ConfirmRisky, NeverConfirm
from guardtier.settings import Settings


def test_the_defaults_park_high_and_unknown_for_an_hour():
    settings = Settings.load()

    assert settings.analyzers[0] == "shell"
    assert settings.analyzers[-1] == "llm"
    assert "signatures" not in settings.analyzers
    assert settings.policy_of("default") == ConfirmRisky(threshold=SecurityRisk.HIGH)
    assert settings.park_ms_of("default") == 3_600_000
    assert set(settings.fleets) == {"default"}


def test_the_environment_sets_a_value(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GUARDTIER_PARTITIONS", "4")
    monkeypatch.setenv("GUARDTIER_ANALYZERS", '["llm"]')
    monkeypatch.setenv("GUARDTIER_POLICY__KIND", "always_confirm")

    settings = Settings.load()

    assert (settings.partitions, settings.analyzers) == (4, ("llm",))
    assert settings.policy == AlwaysConfirm()


def test_a_file_gives_each_fleet_its_own(file: Path):
    file.write_text(
        """
        redis_url = "redis://tier:6379/1"
        park_seconds = 60

        [policy]
        kind = "confirm_risky"
        threshold = "MEDIUM"

        [fleets.web]
        park_seconds = 5
        [fleets.web.policy]
        kind = "never_confirm"

        [fleets.data]
        """
    )

    settings = Settings.load(file)

    assert settings.redis_url == "redis://tier:6379/1"
    assert settings.policy_of("web") == NeverConfirm()
    assert settings.policy_of("data") == ConfirmRisky(threshold=SecurityRisk.MEDIUM)
    assert (settings.park_ms_of("web"), settings.park_ms_of("data")) == (5_000, 60_000)


def test_an_override_beats_the_environment_and_that_the_file(file: Path, monkeypatch: pytest.MonkeyPatch):
    file.write_text("partitions = 2\nshare = 2\nconcurrency = 2")
    monkeypatch.setenv("GUARDTIER_PARTITIONS", "3")
    monkeypatch.setenv("GUARDTIER_SHARE", "3")

    settings = Settings.load(file, partitions=4)

    assert (settings.partitions, settings.share, settings.concurrency) == (4, 3, 2)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("partitions = 0", "partitions"),
        ("partitions = 1025", "partitions"),
        ('partitions = "many"', "partitions"),
        ("park_seconds = -1", "park_seconds"),
        ("analyzer_seconds = 0", "analyzer_seconds"),
        ("colour = 1", "colour"),
        ('[policy]\nkind = "maybe"', "policy"),
        ('[policy]\nkind = "confirm_risky"\nthreshold = "UNKNOWN"', "policy"),
        ('[fleets."a b"]', "fleets"),
        ("[fleets.web]\ncolour = 1", "fleets.web.colour"),
        ("[fleets.web]\npark_seconds = 0", "fleets.web.park_seconds"),
    ],
)
def test_a_wrong_value_in_the_file_is_named(file: Path, text: str, field: str):
    file.write_text(text)

    with pytest.raises(ConfigError) as refused:
        Settings.load(file)

    assert (refused.value.field or "").startswith(field)


@pytest.mark.parametrize(
    ("name", "value"), [("PARTITIONS", "none"), ("POLICY", "{"), ("ANALYZERS", "signatures")]
)
def test_a_wrong_value_in_the_environment_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
):
    monkeypatch.setenv(f"GUARDTIER_{name}", value)

    with pytest.raises(ConfigError, match=name.lower()):
        Settings.load()


def test_a_file_that_is_no_toml_is_refused(file: Path):
    file.write_text("partitions = = 2")

    with pytest.raises(ConfigError, match="can't be read"):
        Settings.load(file)


def test_a_file_that_is_not_there_is_refused(file: Path):
    with pytest.raises(ConfigError, match="no settings file"):
        Settings.load(file)


def test_a_delivery_is_not_claimed_from_a_worker_that_may_still_be_at_it():
    with pytest.raises(ConfigError, match="claim_seconds must be above analyzer_seconds"):
        Settings.load(claim_seconds=5, analyzer_seconds=5)


@pytest.mark.parametrize(
    ("text", "field", "says"),
    [
        ("park_second = 1", "park_second", "did you mean 'park_seconds'?"),
        ("[fleets.web]\npark_secs = 1", "fleets.web.park_secs", "did you mean 'park_seconds'?"),
        (
            '[policy]\nkind = "confirm_risky"\ntreshold = "LOW"',
            "policy.treshold",
            "did you mean 'threshold'?",
        ),
        (
            '[fleets.web.policy]\nkind = "confirm_risky"\nconfirm = true',
            "fleets.web.policy.confirm",
            "did you mean 'confirm_unknown'?",
        ),
        ("[security]\nconfirmation = true", "security.confirmation", "did you mean 'confirmation_mode'?"),
        (
            "[fleets.web]\nxyz = 1",
            "fleets.web.xyz",
            "here may stand: agent_quota, budget, max_queue, park_seconds, policy, quota",
        ),
        ('[analyzer.shel]\nwhen = "always"', "analyzer.shel", "did you mean 'shell'?"),
        ('[analyzer.shell]\nplacement = "pools:x"', "analyzer.shell.placement", "pattern"),
        ('[analyzer.shell]\nplacement = "pool:a b"', "analyzer.shell.placement", "pattern"),
        ('[analyzer.shell]\nwhen = "never"', "analyzer.shell.when", "'always' or 'not_high'"),
        ('[analyzer.shell]\nabsent = "LOW"', "analyzer.shell.absent", "UNKNOWN"),
        ("retain_seconds = 59", "retain_seconds", "greater than or equal to 60"),
        ("approved_seconds = 90\nretain_seconds = 80", "approved_seconds", "above retain_seconds"),
        ("approved_seconds = 86401", "approved_seconds", "above retain_seconds"),
        ("[analyzer.shell]\ntime_limit = 0", "analyzer.shell.time_limit", "greater than 0"),
        ("[analyzer.shell]\ntime_limit = 20", "claim_seconds", "above analyzer.shell.time_limit"),
    ],
)
def test_an_unknown_or_wrong_key_is_named_with_the_nearest(file: Path, text: str, field: str, says: str):
    file.write_text(text)

    with pytest.raises(ConfigError) as refused:
        Settings.load(file)

    assert refused.value.field == field
    assert says in refused.value.message


def test_a_variable_that_is_nearly_a_setting_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GUARDTIER_ANALYZER_SECOND", "4")

    with pytest.raises(ConfigError, match="did you mean GUARDTIER_ANALYZER_SECONDS"):
        Settings.load()


def test_a_nested_variable_that_is_unknown_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GUARDTIER_SECURITY__TRESHOLD", "LOW")

    with pytest.raises(ConfigError, match="did you mean 'threshold'"):
        Settings.load()


@pytest.mark.parametrize(
    "name",
    [
        "PORT",
        "SERVICE_HOST",
        "PORT_6379_TCP_ADDR",
        "ANALYZER_PORT",
        "REDIS_PORT",
        "POLICY_SERVICE_HOST",
        "STATE_DIR",
        "APPROVER_TOKEN",
    ],
)
def test_variables_that_others_set_are_left_alone(monkeypatch: pytest.MonkeyPatch, name: str):
    monkeypatch.setenv(f"GUARDTIER_{name}", "tcp://10.0.0.1:6379")

    assert Settings.load().partitions == 1
