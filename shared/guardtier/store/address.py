"""Address: where Redis is, as a URL says it: one server, a cluster, or sentinels that know the master."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode

from redis.asyncio.connection import SSLConnection, parse_url

from guardtier.errors import ConfigError

FORMS = (
    "redis://[:PASSWORD@]HOST[:PORT][/DB], redis+cluster://…HOST:PORT,HOST:PORT or "
    "redis+sentinel://…HOST:PORT,HOST:PORT/SERVICE[/DB]"
)

_URL = re.compile(
    r"(?P<scheme>rediss?)\+(?P<kind>cluster|sentinel)://(?:(?P<user>[^@/?]*)@)?(?P<hosts>[^/?#]*)"
    r"(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?"
)
_HOST = re.compile(r"(?:\[(?P<six>[0-9a-fA-F:.]+)\]|(?P<name>[^\s\[\]:]+))(?::(?P<port>\d{1,5}))?")
_SENTINEL = "sentinel_"
REDIS_PORT, SENTINEL_PORT = 6379, 26379

Host = tuple[str, int]


class Kind(Enum):
    """Who is asked where the data is."""

    SINGLE = "single"
    CLUSTER = "cluster"
    SENTINEL = "sentinel"


@dataclass(frozen=True, slots=True)
class Address:
    """Where Redis is. ``options`` are those of redis-py's clients (user, password, TLS, database),
    ``sentinel_options`` the same for the sentinels themselves; ``hosts`` is empty for one server.
    """

    kind: Kind
    hosts: tuple[Host, ...] = ()
    options: dict[str, Any] = field(default_factory=dict, repr=False)
    service: str = ""
    sentinel_options: dict[str, Any] = field(default_factory=dict, repr=False)


def address_of(url: str) -> Address:
    """What a URL says. Raises ConfigError where it can't be read."""
    if "+" not in url.partition("://")[0]:
        return Address(Kind.SINGLE)
    found = _URL.fullmatch(url)
    if found is None:
        raise _wrong(f"write it as {FORMS}")
    if "@" in found["hosts"]:
        raise _wrong("write an @ in the user or the password as %40")
    kind = Kind(found["kind"])
    hosts = tuple(_host(text, kind) for text in found["hosts"].split(","))
    path = (found["path"] or "").strip("/").split("/")
    query = dict(parse_qsl(found["query"] or "", keep_blank_values=True))
    own = {name: query.pop(name) for name in list(query) if name.startswith(_SENTINEL)}
    if kind is Kind.CLUSTER:
        if path != [""]:
            raise _wrong("a cluster has one database, and no name: leave out what is behind the hosts")
        options = _options(found["scheme"], found["user"], "", query)
        return Address(kind, hosts, options)
    if not path[0] or len(path) > 2:
        raise _wrong("name the service that the sentinels watch: redis+sentinel://HOST:PORT,…/SERVICE[/DB]")
    options = _options(found["scheme"], found["user"], path[1] if len(path) == 2 else "", query)
    return Address(kind, hosts, options, unquote(path[0]), _of_sentinels(options, own))


def _of_sentinels(options: dict[str, Any], own: dict[str, str]) -> dict[str, Any]:
    """TLS as the servers have it; user and password of their own, or none."""
    unknown = own.keys() - {"sentinel_username", "sentinel_password"}
    if unknown:
        raise _wrong(f"{min(unknown)} is unknown: sentinel_username and sentinel_password are")
    shared = {name: value for name, value in options.items() if name.startswith("ssl")}
    return shared | {name.removeprefix(_SENTINEL): value for name, value in own.items()}


def _options(scheme: str, user: str | None, database: str, query: dict[str, str]) -> dict[str, Any]:
    at = f"{user}@" if user else ""
    tail = f"?{urlencode(query)}" if query else ""
    try:
        options: dict[str, Any] = dict(parse_url(f"{scheme}://{at}host/{database}{tail}"))
    except ValueError as error:
        raise _wrong(str(error)) from error
    options.pop("host", None)
    if options.pop("connection_class", None) is SSLConnection:
        options["ssl"] = True
    if database and options.get("db") != int(database if database.isdecimal() else -1):
        raise _wrong(f"the database must be a number, not {database[:20]!r}")
    return options


def _host(text: str, kind: Kind) -> Host:
    found = _HOST.fullmatch(text)
    port = int(found["port"] or 0) if found else 0
    if found is None or port > 65535:
        raise _wrong(f"{text[:100]!r} is no HOST:PORT")
    return found["six"] or found["name"], port or (SENTINEL_PORT if kind is Kind.SENTINEL else REDIS_PORT)


def _wrong(why: str) -> ConfigError:
    return ConfigError(f"redis_url: {why}", field="redis_url")
