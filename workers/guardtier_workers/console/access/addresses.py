"""Addresses: where a request comes from, and which names this console answers to."""

from __future__ import annotations

import re
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from guardtier.settings import Settings
from guardtier_workers.console.access.problems import NotHere, WrongHost

_HOST = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[a-z0-9_.-]{1,253})(:[0-9]{1,5})?", re.IGNORECASE)
NETWORK_BITS = 64  #: of an IPv6 address: who has one has them all


def address_of(request: HTTPConnection) -> str:
    """Whose tries are counted together: an IPv4 address, or an IPv6 network of 64 bits."""
    found = _ip(request.client.host if request.client else "")
    if isinstance(found, IPv6Address):
        return str(IPv6Network((found, NETWORK_BITS), strict=False))
    return str(found) if found else "unknown"


def names_of(settings: Settings) -> frozenset[str]:
    """The names that browsers may call this console, besides localhost and any plain address."""
    named = {name.lower() for name in settings.console.hosts}
    if settings.console_url:
        named.add((urlsplit(settings.console_url).hostname or "").lower())
    return frozenset(named)


def check_host(request: HTTPConnection, names: Collection[str]) -> None:
    """Raise WrongHost for a name that is not ours: the page of an attacker whose name points here now.

    A plain address is no name, so DNS can't turn it against us.
    """
    given = request.headers.getlist("host")
    match = _HOST.fullmatch(given[0]) if len(given) == 1 else None
    name = match[1].strip("[]").lower().removesuffix(".") if match else ""
    if not (name in names or name == "localhost" or name.endswith(".localhost") or _ip(name)):
        raise WrongHost(
            f"this console is not called {name[:100] or 'so'}: name it in console.hosts or console_url",
            field="host",
        )


def check_transport(request: HTTPConnection) -> None:
    """Raise NotHere for plain HTTP from another machine: its token or session could be read on the way."""
    sender = _ip(request.client.host if request.client else "")
    if request.url.scheme == "https" or (sender is not None and sender.is_loopback):
        return
    raise NotHere(
        "the console is for HTTPS: set console.tls_certificate and console.tls_key, or list the proxy "
        "that has the certificate in console.proxies, and let it send X-Forwarded-Proto",
        field="scheme",
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it. A name other than localhost may be anything."""
    found = _ip(host)
    return found.is_loopback if found else host == "localhost"


def is_private(url: str) -> bool:
    """Whether nobody can listen in: https, or this machine itself."""
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and (parts.scheme == "https" or is_loopback(parts.hostname or ""))
    except ValueError:
        return False


def _ip(text: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(text)
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found
