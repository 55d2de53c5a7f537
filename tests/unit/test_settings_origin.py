"""Where settings came from, and that no secret is shown with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from guardtier.errors import ConfigError
from guardtier.settings import Settings
from guardtier.settings_origin import masked


@pytest.fixture
def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[Any, str]]:
    file = tmp_path / "tier.toml"
    file.write_text(
        """
share = 3
analyzers = ["secrets"]
security = { threshold = "LOW" }
[analyzer.secrets]   # a comment
placement = "pool:gpu"
builtin = true
[fleets."web"]
park_seconds = 5
[fleets.ops.policy]
kind = "never_confirm"
"""
    )
    monkeypatch.setenv("GUARDTIER_CONCURRENCY", "8")
    monkeypatch.setenv("GUARDTIER_ANALYZER__SECRETS__WHEN", "not_high")
    overrides = {"redis_url": "redis://tier:sesame@db:6379/1"}
    settings = Settings.load(file, **overrides)
    return {
        one.name: (one.value, one.origin.replace(f"{tmp_path}/", ""))
        for one in settings.shown(file, overrides)
    }


def test_each_value_has_its_origin(shown: dict[str, tuple[Any, str]]):
    assert shown["share"] == (3, "tier.toml:2")
    assert shown["analyzers"] == (["secrets"], "tier.toml:3")
    assert shown["security.threshold"] == ("LOW", "tier.toml:4")
    assert shown["analyzer.secrets.placement"] == ("pool:gpu", "tier.toml:6")
    assert shown["analyzer.secrets.builtin"] == (True, "tier.toml:7")
    assert shown["fleets.web.park_seconds"] == (5.0, "tier.toml:9")
    assert shown["fleets.ops.policy.kind"] == ("never_confirm", "tier.toml:11")
    assert shown["concurrency"] == (8, "GUARDTIER_CONCURRENCY")
    assert shown["analyzer.secrets.when"] == ("not_high", "GUARDTIER_ANALYZER__SECRETS__WHEN")
    assert shown["redis_url"] == ("redis://tier:***@db:6379/1", "command line")
    assert shown["partitions"] == (1, "default")
    assert shown["policy"][1] == "[security]"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("redis_url", "redis://:p@ss@h:1/0", "redis://:***@h:1/0"),
        ("redis_url", "redis://u:s%2Fx@h/0", "redis://u:***@h/0"),
        ("redis_url", "redis://h/0?password=sesame", "redis://h/0?password=***"),
        ("redis_url", "redis+cluster://u:s@h:1", "redis+cluster://u:***@h:1"),
        ("redis_url", "redis://h:1/0", "redis://h:1/0"),
        ("redis_url", "redis://[bad:s@h", "***"),
        ("api_key", "sk-1", "***"),
        ("token", "t", "***"),
        ("proxies", ["http://u:s@h"], ["http://u:***@h"]),
        ("analyzer", {"judge": {"key": "sk-1", "model": "m"}}, {"judge": {"key": "***", "model": "m"}}),
        ("keyboard", "qwerty", "qwerty"),
    ],
)
def test_secrets_are_masked(name: str, value: Any, expected: Any):
    assert masked(name, value) == expected


@pytest.mark.parametrize(
    ("text", "variable", "says"),
    [
        ("share = 3\npartitions = 0\n", "", "tier.toml:2)"),
        ("[fleets.web]\npark_secondss = 5\n", "", "tier.toml:2)"),
        ('analyzers = ["shell"]\n[analyzer.foo]\nwhen = "always"\n', "", "tier.toml:3)"),
        ('[Fleets.Web]\npark_seconds = "x"\n', "", "tier.toml:2)"),
        ("partitions = 2\n", "GUARDTIER_PARTITIONS", "(GUARDTIER_PARTITIONS)"),
        ("\udcff = 1", "", "tier.toml: "),
    ],
)
def test_an_error_says_where_the_wrong_value_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, variable: str, says: str
) -> None:
    file = tmp_path / "tier.toml"
    file.write_text(text, encoding="utf-8", errors="surrogateescape")
    if variable:
        monkeypatch.setenv(variable, "x")

    with pytest.raises(ConfigError) as wrong:
        Settings.load(file)

    assert says in wrong.value.message
