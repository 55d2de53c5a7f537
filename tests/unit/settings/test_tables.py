"""Settings of what rates and decides: the table [security], analyzers, secrets."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from guardtier import SecurityRisk
from guardtier.errors import ConfigError
from guardtier.policy import ConfirmRisky, NeverConfirm
from guardtier.settings import Settings

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
