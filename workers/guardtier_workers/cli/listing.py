"""guardtier analyzers, guardtier version: what is installed. guardtier url: what runs."""

from __future__ import annotations

import platform
from importlib.metadata import version as version_of

from guardtier.analyzers.registry import available, load
from guardtier.errors import ConfigError
from guardtier_workers.cli.options import Config, Json, RedisUrl
from guardtier_workers.cli.output import cell, console, emit, say, table
from guardtier_workers.cli.tier import Target, load_settings


def analyzers(config: Config = None, as_json: Json = False) -> None:
    """List the analyzers that are installed, and those that the ensemble runs."""
    used = load_settings(None, config).analyzers
    found = {**{name: name for name in used if ":" in name}, **available()}
    rows = [
        {"name": name, "class": where, "used": name in used, "says": _first_line(name)}
        for name, where in sorted(found.items())
    ]
    if as_json:
        emit({"analyzers": rows})
        return
    listed = table(("name", "in the ensemble", "class", "what it does"), wraps=("what it does",))
    for row in rows:
        listed.add_row(
            cell(row["name"]),
            cell("yes" if row["used"] else "-"),
            cell(row["class"]),
            cell(row["says"]),
        )
    console().print(listed)


def version(as_json: Json = False) -> None:
    """Print the version."""
    body = {
        "guardtier": version_of("guardtier"),
        "python": platform.python_version(),
        "redis": version_of("redis"),
    }
    if as_json:
        emit(body)
    else:
        say(" ".join(f"{name} {number}" for name, number in body.items()))


def url(redis_url: RedisUrl = None, config: Config = None, as_json: Json = False) -> None:
    """Print the tier's Redis URL, with its password, for an agent's GUARDTIER_REDIS_URL."""
    target = Target.find(redis_url, config)
    if target.by_default:
        raise ConfigError("no tier was named and none runs here: guardtier up", field="redis_url")
    if as_json:
        emit({"redis_url": target.url})
    else:
        say(target.url)


def _first_line(name: str) -> str:
    return (type(load(name)).__doc__ or "").strip().partition("\n")[0]
