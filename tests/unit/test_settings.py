"""Settings: overrides before the environment before the file, and errors that name the field."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from guardtier import SecurityRisk
from guardtier.errors import ConfigError
from guardtier.policy import AlwaysConfirm, ConfirmRisky, NeverConfirm
from guardtier.settings import Settings


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("GUARDTIER_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "guardtier.toml"


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


# -- [security] --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("", ConfirmRisky()),
        ('security_analyzer = "llm"', ConfirmRisky()),
        ("confirmation_mode = true", ConfirmRisky()),
        ("confirmation_mode = false", NeverConfirm()),
        ('confirmation_mode = false\nthreshold = "LOW"', NeverConfirm()),
        ('threshold = "MEDIUM"', ConfirmRisky(threshold=SecurityRisk.MEDIUM)),
        ("confirm_unknown = false", ConfirmRisky(confirm_unknown=False)),
        (
            'confirmation_mode = true\nthreshold = "LOW"\nconfirm_unknown = false',
            ConfirmRisky(threshold=SecurityRisk.LOW, confirm_unknown=False),
        ),
    ],
)
def test_the_words_of_openhands_name_a_policy(file: Path, text: str, policy: object):
    file.write_text(f"[security]\n{text}")

    assert Settings.load(file).policy_of("default") == policy


@pytest.mark.parametrize(
    ("analyzers", "named", "expected"),
    [
        (["shell"], "llm", ("shell", "llm")),
        (["shell", "llm"], "llm", ("shell", "llm")),
        (["shell"], "none", ("shell",)),
        (["shell"], "noop", ("shell",)),
    ],
)
def test_the_security_analyzer_joins_and_takes_nothing_away(
    analyzers: list[str], named: str, expected: tuple[str, ...]
):
    assert Settings.load(analyzers=analyzers, security={"security_analyzer": named}).analyzers == expected


def test_the_threshold_of_the_environment_beats_the_file(file: Path, monkeypatch: pytest.MonkeyPatch):
    file.write_text('[security]\nconfirmation_mode = true\nthreshold = "HIGH"')
    monkeypatch.setenv("GUARDTIER_SECURITY__THRESHOLD", "LOW")

    assert Settings.load(file).policy_of("default") == ConfirmRisky(threshold=SecurityRisk.LOW)


def test_a_policy_that_contradicts_security_is_refused_and_both_are_named(file: Path):
    file.write_text('[policy]\nkind = "never_confirm"\n[security]\nthreshold = "LOW"')

    with pytest.raises(ConfigError, match=r"policy \(never_confirm\) and security.threshold .* contradict"):
        Settings.load(file)


def test_a_policy_that_says_the_same_as_security_is_fine(file: Path):
    file.write_text('[policy]\nkind = "confirm_risky"\n[security]\nconfirmation_mode = true')

    assert Settings.load(file).policy == ConfirmRisky()


def test_unknown_is_no_threshold(file: Path):
    file.write_text('[security]\nthreshold = "UNKNOWN"')

    with pytest.raises(ConfigError, match="use confirm_unknown") as refused:
        Settings.load(file)

    assert refused.value.field == "security.threshold"


# -- analyzers ---------------------------------------------------------------------------------


def test_pools_are_named_by_placements(file: Path):
    file.write_text(
        """
        analyzers = ["shell", "secrets", "patterns"]
        [analyzer.secrets]
        placement = "pool:gpu"
        [analyzer.patterns]
        placement = "pool:gpu"
        builtin = false
        """
    )

    pools = Settings.load(file).pools

    assert {name: list(members) for name, members in pools.items()} == {"gpu": ["secrets", "patterns"]}
    assert pools["gpu"]["patterns"].options == {"builtin": False}


def test_a_python_file_counts_from_the_settings_file(file: Path):
    file.write_text('analyzers = ["mine"]\n[analyzer.mine]\nuse = "rules/mine.py:Mine"')

    assert Settings.load(file).analyzer["mine"].use == f"{file.parent}/rules/mine.py:Mine"


def test_settings_can_not_be_changed():
    with pytest.raises(ValidationError):
        Settings.load().partitions = 2  # type: ignore[misc]


def test_a_weak_key_for_histories_is_refused() -> None:
    with pytest.raises(ConfigError, match="history_key"):
        Settings.load(history_key="short")


@pytest.mark.parametrize("text", ["park_seconds = inf", "[fleets.web]\npark_seconds = inf"])
def test_a_time_without_an_end_is_refused(tmp_path: Path, text: str):
    """A policy worker could make no deadline of it, and decide nothing."""
    file = tmp_path / "guardtier.toml"
    file.write_text(text)

    with pytest.raises(ConfigError, match="park_seconds: Input should be a finite number"):
        Settings.load(file)


def test_the_consoles_secret_may_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "tier.toml"
    file.write_text(
        """
        [console]
        voucher = "console"
        voucher_token_file = "token"
        [console.oidc]
        issuer = "https://id.example"
        client_id = "guardtier"
        """
    )
    monkeypatch.setenv("GUARDTIER_CONSOLE__OIDC__CLIENT_SECRET", "very secret")

    settings = Settings.load(file)

    assert settings.console.oidc is not None
    assert settings.console.oidc.client_secret.get_secret_value() == "very secret"
    assert "very secret" not in repr(settings.shown(file, {}))
