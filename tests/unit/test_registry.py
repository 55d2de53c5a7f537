"""The registry: analyzers by name and by ``module:Class``."""

from __future__ import annotations

import pytest

from guardtier import SecurityRisk
from guardtier.analyzers import LLMSecurityAnalyzer, NoOpSecurityAnalyzer, ShellSecurityAnalyzer
from guardtier.analyzers.base import SecurityAnalyzer
from guardtier.analyzers.registry import available, ensemble, load
from guardtier.errors import ConfigError


class Picky(SecurityAnalyzer):
    """An analyzer of a user's own, with an option."""

    def __init__(self, *, level: str) -> None:
        self.level = SecurityRisk(level)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("noop", NoOpSecurityAnalyzer),
        ("llm", LLMSecurityAnalyzer),
        ("shell", ShellSecurityAnalyzer),
        ("guardtier.analyzers.noop:NoOpSecurityAnalyzer", NoOpSecurityAnalyzer),
    ],
)
def test_an_analyzer_is_found_by_name_or_by_path(name: str, kind: type[SecurityAnalyzer]):
    assert type(load(name)) is kind


def test_what_is_installed_can_be_listed():
    assert {"noop", "llm", "shell"} <= available().keys()


def test_an_analyzer_gets_its_options():
    analyzer = load(f"{__name__}:Picky", {"level": "LOW"})

    assert isinstance(analyzer, SecurityAnalyzer)
    assert analyzer.level == SecurityRisk.LOW  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nobody", "installed: .*shell"),
        ("", "no analyzer is called ''"),
        ("no.such.module:Class", "No module named"),
        ("guardtier.risk:NoSuchClass", "NoSuchClass"),
        ("pathlib:Path", "is no SecurityAnalyzer"),
        ("guardtier.risk:highest", "can't be built"),
        (f"{__name__}:Picky", "level"),
    ],
)
def test_what_is_no_analyzer_is_refused_with_a_reason(name: str, message: str):
    with pytest.raises(ConfigError, match=message) as refused:
        load(name)

    assert refused.value.field == "analyzers"


def test_the_configured_analyzers_become_one_in_their_order():
    whole = ensemble(["llm", "shell"], time_limit=1)

    assert [child.label for child in whole.analyzers] == ["llm", "shell"]


def test_no_analyzer_at_all_is_refused():
    with pytest.raises(ConfigError, match="at least one"):
        ensemble([], time_limit=1)
