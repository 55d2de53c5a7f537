"""Finds analyzers by name (entry point group ``guardtier.analyzers``) or by ``module:Class``."""

from __future__ import annotations

import inspect
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any
from zlib import crc32

from guardtier.analyzers.base import SecurityAnalyzer
from guardtier.analyzers.child import Terms
from guardtier.analyzers.ensemble import EnsembleSecurityAnalyzer
from guardtier.analyzers.member import MemberSettings
from guardtier.analyzers.options import checked, did_you_mean
from guardtier.errors import ConfigError

GROUP = "guardtier.analyzers"

#: Makes what asks a pool for the vote of the member of this name.
Remote = Callable[[str, MemberSettings], SecurityAnalyzer]


def load(
    name: str, options: Mapping[str, Any] | None = None, *, use: str | None = None
) -> SecurityAnalyzer:
    """Build one analyzer. Raises ConfigError where there is none, or where it can't be built.

    ``use`` is ``module:Class`` where the name is neither that nor an installed analyzer's.
    """
    build = find(name, use=use)
    known = checked(name, build, options or {})
    try:
        analyzer = build(**known)
    except ConfigError as error:
        raise ConfigError(
            f"analyzer {name!r}: {error.message}", field=error.field, limit=error.limit
        ) from error
    except Exception as error:
        raise ConfigError(f"analyzer {name!r} can't be built: {error}", field="analyzers") from error
    if not isinstance(analyzer, SecurityAnalyzer):
        raise _no_analyzer(name)
    return analyzer


def ensemble(
    names: Sequence[str],
    *,
    time_limit: float,
    propagate_unknown: bool = False,
    tables: Mapping[str, MemberSettings] | None = None,
    remote: Remote | None = None,
) -> EnsembleSecurityAnalyzer:
    """The configured analyzers as one. Without ``remote``, those placed in pools run here as well."""
    if not names:
        raise ConfigError("at least one analyzer is needed", field="analyzers")
    members = {name: (tables or {}).get(name, MemberSettings()) for name in names}
    away = {name for name, member in members.items() if member.pool and remote is not None}
    children = [
        remote(name, member) if remote and name in away else load(name, member.options, use=member.use)
        for name, member in members.items()
    ]
    labels = [child.label if ":" in name else name for name, child in zip(members, children, strict=True)]
    if twice := [label for label, times in Counter([*labels, *_repeated(names)]).items() if times > 1]:
        raise ConfigError(f"two analyzers are called {twice[0]!r}", field="analyzers")
    return EnsembleSecurityAnalyzer(
        children,
        time_limit=time_limit,
        propagate_unknown=propagate_unknown,
        terms=[
            Terms(
                label=label,
                not_high=member.when == "not_high",
                # Who asks a pool keeps the limit itself, and says what an absent pool votes.
                time_limit=POOL_SECONDS if name in away else member.time_limit,
            )
            for label, (name, member) in zip(labels, members.items(), strict=True)
        ],
    )


def check(name: str, member: MemberSettings) -> None:
    """Whether the analyzer is there and has these options, without building it. Raises ConfigError."""
    checked(name, find(name, use=member.use), member.options)


def wants_history(name: str, member: MemberSettings) -> bool:
    """Whether the member looks at the conversation, told without building it.

    False where it is not installed here, as may be where only its pool has it.
    """
    try:
        assess = getattr(find(name, use=member.use), "assess", None)
    except ConfigError:
        return False
    return assess is not None and "history" in inspect.signature(assess).parameters


POOL_SECONDS = 302.0  #: above every limit of a pool's vote: it never ends an ask that ends by itself


def available() -> dict[str, str]:
    """The analyzers that installed packages offer: name → ``module:Class``."""
    return {point.name: point.value for point in _offered()}


@cache
def _offered() -> tuple[EntryPoint, ...]:
    """Looked up once: it reads the metadata of every installed package, 20 ms and more."""
    return tuple(entry_points(group=GROUP))


def find(name: str, *, use: str | None = None) -> Callable[..., Any]:
    """The class (or function) that makes an analyzer. Raises ConfigError."""
    try:
        found: Callable[..., Any] = _find(name, use)
    except ConfigError:
        raise
    except ModuleNotFoundError as error:
        hint = "; pip install 'guardtier[detection]'" if not use and ":" not in name else ""
        raise ConfigError(f"analyzer {name!r} can't be built: {error}{hint}", field="analyzers") from error
    except Exception as error:
        raise ConfigError(f"analyzer {name!r} can't be built: {error}", field="analyzers") from error
    if isinstance(found, type) and not issubclass(found, SecurityAnalyzer):
        raise _no_analyzer(name)
    return found


def _find(name: str, use: str | None) -> Any:
    where = use or name
    if ":" in where:
        module, _, attribute = where.rpartition(":")
        made = _module_in(Path(module)) if module.endswith(".py") else import_module(module)
        return getattr(made, attribute)
    found = next((point for point in _offered() if point.name == name), None)
    if found is None:
        known = sorted(available())
        raise ConfigError(
            f"no analyzer is called {name!r}{did_you_mean(name, known)}; installed: "
            f"{', '.join(known) or 'none'}; or give module:Class",
            field="analyzers",
        )
    return found.load()


def _module_in(file: Path) -> ModuleType:
    """A module from its file, loaded once."""
    name = f"guardtier_file_{crc32(str(file.resolve()).encode()):08x}"
    if name not in sys.modules:
        spec = spec_from_file_location(name, file)
        if spec is None or spec.loader is None:
            raise ImportError(f"{file} is no Python file")
        module = sys.modules[name] = module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]


def _no_analyzer(name: str) -> ConfigError:
    return ConfigError(f"{name!r} is no SecurityAnalyzer", field="analyzers")


def _repeated(names: Sequence[str]) -> list[str]:
    """The names given more than once, twice each."""
    return [name for name, times in Counter(names).items() if times > 1 for _ in range(2)]
