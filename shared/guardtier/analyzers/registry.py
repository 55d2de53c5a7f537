"""Finds analyzers by name (entry point group ``guardtier.analyzers``) or by ``module:Class``."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from guardtier.analyzers.base import SecurityAnalyzer
from guardtier.analyzers.ensemble import EnsembleSecurityAnalyzer
from guardtier.errors import ConfigError

GROUP = "guardtier.analyzers"


def load(name: str, options: dict[str, Any] | None = None) -> SecurityAnalyzer:
    """Build one analyzer. Raises ConfigError where there is none, or where it can't be built."""
    try:
        analyzer = _find(name)(**(options or {}))
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(f"analyzer {name!r} can't be built: {error}", field="analyzers") from error
    if not isinstance(analyzer, SecurityAnalyzer):
        raise ConfigError(f"{name!r} is no SecurityAnalyzer", field="analyzers")
    return analyzer


def ensemble(
    names: Sequence[str], *, time_limit: float, propagate_unknown: bool = False
) -> EnsembleSecurityAnalyzer:
    """The configured analyzers as one."""
    if not names:
        raise ConfigError("at least one analyzer is needed", field="analyzers")
    return EnsembleSecurityAnalyzer(
        [load(name) for name in names],
        time_limit=time_limit,
        propagate_unknown=propagate_unknown,
    )


def available() -> dict[str, str]:
    """The analyzers that installed packages offer: name → ``module:Class``."""
    return {point.name: point.value for point in entry_points(group=GROUP)}


def _find(name: str) -> Any:
    if ":" in name:
        module, _, attribute = name.partition(":")
        return getattr(import_module(module), attribute)
    found = entry_points(group=GROUP, name=name)
    if not found:
        known = ", ".join(sorted(available())) or "none"
        raise ConfigError(
            f"no analyzer is called {name!r}; installed: {known}; or give module:Class",
            field="analyzers",
        )
    return next(iter(found)).load()
