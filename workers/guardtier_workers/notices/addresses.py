"""Addresses: where a notice may be posted to. A name is looked up once, and what was checked is used.

Whoever can change a name's address, or what a URL answers, must not make a steward speak to what only it
can reach: the machine itself, its network, a cloud's metadata service.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

Address = IPv4Address | IPv6Address

MOST = 4  #: of a name's addresses that are tried

#: Metadata services whose addresses look like others: of AWS and Google by IPv6, Alibaba, Oracle, Azure.
_METADATA: Final = frozenset(
    map(
        ip_address,
        ("fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "192.0.0.192", "168.63.129.16"),
    )
)
#: IPv6 addresses that stand for an IPv4 address in their last 32 bits: RFC 6052, 4291 (::a.b.c.d), 2765.
_LAST_32: Final = tuple(map(ip_network, ("64:ff9b::/96", "64:ff9b:1::/96", "::/96", "::ffff:0:0:0/96")))
#: These stand for one in other bits, which its network knows (RFC 8215).
_TRANSLATED: Final = ip_network("64:ff9b:1::/48")


class Forbidden(Exception):
    """The name leads to where no notice may go. Its text is fit to be logged."""


async def addresses_of(host: str, port: int, *, allow_private: bool) -> list[str]:
    """The addresses of a host, in the order to be tried. Raises Forbidden, and OSError for an unknown name.

    One address that is forbidden forbids the name: which of them counts would be the name's owner's choice.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(where[0]) for *_, where in found))
    check(addresses, allow_private=allow_private)
    return addresses[:MOST]


def check(addresses: Sequence[str], *, allow_private: bool) -> None:
    """Raise Forbidden where one of these may not be spoken to."""
    for address in addresses:
        why = why_forbidden(ip_address(address), allow_private=allow_private)
        if why:
            raise Forbidden(f"{address} is {why}")


def why_forbidden(address: Address, *, allow_private: bool) -> str:
    """What kind of address this is that no notice goes to; "" where it may."""
    inner = _inner(address)
    if inner is not None:
        return why_forbidden(inner, allow_private=allow_private)
    if address.is_link_local or address in _METADATA or address in _TRANSLATED:
        return "link-local or a metadata service: no notice goes there"
    if address.is_unspecified or address.is_multicast:
        return "no address of a host"
    site_local = isinstance(address, IPv6Address) and address.is_site_local
    if not allow_private and (address.is_loopback or site_local or not address.is_global):
        return "not a public address: allow_private = true lets notices go there"
    return ""


def _inner(address: Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 one stands for."""
    if isinstance(address, IPv4Address):
        return None
    if address.is_unspecified or address.is_loopback:
        return None
    if any(address in network for network in _LAST_32):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
