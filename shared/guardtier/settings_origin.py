"""Where each setting came from: the command line, the environment, a line of the file, or the default."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from guardtier.settings_help import PREFIX

DEFAULT = "default"
_HIDDEN = "***"
_SECRET = re.compile(r"(^|_)(api_?)?(key|token|secret|password|passwd|credentials?)$")
_URL = re.compile(r"^[a-z][a-z0-9+.-]*://")
_HEADER = re.compile(r"^\s*\[(?P<name>[^\[\]]+)\]\s*(#.*)?$")
_KEY = re.compile(r"""^\s*(?P<key>[\w-]+|"[^"]*"|'[^']*')\s*(?P<rest>(\.[\s\w."'-]+)?)=""")

Path_ = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Setting:
    """One value as it holds, fit to be shown, and its origin."""

    name: str
    value: Any
    origin: str


def settings_shown(
    values: Mapping[str, Any],
    *,
    file: Path | None,
    environ: Mapping[str, str],
    overrides: Mapping[str, Any],
    derived: Mapping[str, str],
) -> list[Setting]:
    """Every setting of ``values`` (``Settings.model_dump(mode="json")``), by name.

    ``derived``: those that follow from others, and from which.
    """
    origins: dict[Path_, str] = {(name,): origin for name, origin in derived.items()}
    origins |= _origins(file, environ, overrides)
    return sorted(_settings(values, origins), key=lambda one: one.name)


def origin_of(
    field: str, *, file: Path | None, environ: Mapping[str, str], overrides: Mapping[str, Any]
) -> str:
    """Where a wrong setting (``fleets.web.policy``) stands: its own place, or that of what is nearest above
    it; "" where nobody has set anything of it.
    """
    path = tuple(field.split("."))
    found = _origins(file, environ, overrides)
    lower = {tuple(part.lower() for part in one): origin for one, origin in found.items()}
    for end in range(len(path), 0, -1):
        above = tuple(part.lower() for part in path[:end])
        if above in lower:
            return lower[above]
        if below := [origin for one, origin in lower.items() if one[:end] == above]:
            return below[0]
    return ""


def _origins(
    file: Path | None, environ: Mapping[str, str], overrides: Mapping[str, Any]
) -> dict[Path_, str]:
    origins: dict[Path_, str] = {}
    if file is not None:
        text = file.read_text(encoding="utf-8")
        lines = _lines(text)
        for path in _leaves(tomllib.loads(text)):
            line = _line_of(path, lines)
            origins[path] = f"{file}:{line}" if line else str(file)
    for variable in environ:
        if variable.upper().startswith(PREFIX):
            origins[tuple(variable[len(PREFIX) :].lower().split("__"))] = variable
    for path in _leaves(overrides):
        origins[path] = "command line"
    return origins


def masked(name: str, value: Any) -> Any:
    """The value without passwords: of a URL, or all of it where its name says that it is a secret."""
    if isinstance(value, Mapping):
        return {key: masked(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [masked(name, inner) for inner in value]
    if not isinstance(value, str):
        return value
    if _SECRET.search(name.lower()):
        return _HIDDEN
    return _masked_url(value) if _URL.match(value) else value


def _masked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        secrets = [parts.password, *(v for k, v in parse_qsl(parts.query) if _SECRET.search(k.lower()))]
    except ValueError:
        return _HIDDEN
    head, at, tail = url.rpartition("@")
    if parts.password and at:
        user_at = head.index("://") + 3
        url = f"{head[:user_at]}{parts.username or ''}:{_HIDDEN}@{tail}"
    for secret in secrets[1:]:
        url = url.replace(str(secret), _HIDDEN)
    return url


def _settings(values: Mapping[str, Any], origins: Mapping[Path_, str]) -> Iterator[Setting]:
    """One for each top-level name; where parts of it were set, one for each part, too."""
    for name, value in values.items():
        parts = {path: origin for path, origin in origins.items() if path[0] == name}
        whole = parts.pop((name,), None)
        if whole or not parts:
            origin = ", over ".join(dict.fromkeys([whole or DEFAULT, *parts.values()]))
            yield Setting(name, masked(name, value), origin)
            continue
        for path, origin in parts.items():
            found = _at(values, path)
            yield Setting(".".join(path), masked(path[-1], found), origin)


def _at(values: Any, path: Path_) -> Any:
    for part in path:
        if not isinstance(values, Mapping):
            return None
        values = values.get(part, {key.lower(): inner for key, inner in values.items()}.get(part))
    return values


def _leaves(values: Mapping[str, Any], above: Path_ = ()) -> Iterator[Path_]:
    for name, value in values.items():
        path = (*above, name)
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, path)
        else:
            yield path


def _lines(text: str) -> dict[Path_, int]:
    """The line of each key that stands on one of its own; a guess is left out, never made."""
    found: dict[Path_, int] = {}
    table: Path_ = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = _parts(header["name"])
            found.setdefault(table, number)
        elif key := _KEY.match(line):
            found.setdefault((*table, *_parts(key["key"] + key["rest"])), number)
    return found


def _parts(dotted: str) -> Path_:
    pieces: list[str] = re.findall(r"""[\w-]+|"[^"]*"|'[^']*'""", dotted)
    return tuple(piece.strip("\"'") for piece in pieces)


def _line_of(path: Path_, lines: Mapping[Path_, int]) -> int | None:
    """Its own line, or that of the inline table that holds it."""
    for end in range(len(path), 0, -1):
        if path[:end] in lines:
            return lines[path[:end]]
    return None
