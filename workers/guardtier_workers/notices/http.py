"""HTTP: one POST to a URL, to an address that was checked, with bounds on time and size."""

from __future__ import annotations

import asyncio
from ssl import SSLContext
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import SplitResult, urlsplit

from guardtier.errors import NoticeNotSent
from guardtier_workers.notices.addresses import Forbidden, addresses_of

if TYPE_CHECKING:
    import httpx

_NOT_NOW = frozenset({408, 409, 425, 429})  #: with every 5xx: another try may help
_LONGEST_WAIT = 600.0


class Target(NamedTuple):
    """Where to post, and what is allowed there. ``timeout`` is in seconds, for all of it."""

    url: str
    timeout: float
    allow_private: bool


class Poster:
    """Posts. No redirect is followed, no proxy of the environment used, no answer's body read."""

    def __init__(self) -> None:
        self._tls: SSLContext | None = None

    async def post(self, target: Target, body: bytes, headers: dict[str, str]) -> None:
        """Raises NoticeNotSent."""
        parts = urlsplit(target.url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        try:
            async with asyncio.timeout(target.timeout):
                addresses = await addresses_of(host, port, allow_private=target.allow_private)
                status, retry_after = await self._first(target, parts, addresses, body, headers)
        except TimeoutError as error:
            raise NoticeNotSent(f"{host} did not answer within {target.timeout:g} s", again=True) from error
        except Forbidden as error:
            raise NoticeNotSent(f"{host}: {error}") from error
        except OSError as error:
            raise NoticeNotSent(f"{host} can't be reached ({error})", again=True) from error
        _check(host, status, retry_after)

    async def _first(
        self, target: Target, parts: SplitResult, addresses: list[str], body: bytes, headers: dict[str, str]
    ) -> tuple[int, str]:
        """The answer of the first address that can be connected to. Raises OSError where none can."""
        import httpx

        limits = httpx.Timeout(None, connect=target.timeout / len(addresses))
        tls = self._trusted()
        async with httpx.AsyncClient(
            verify=tls, timeout=limits, follow_redirects=False, trust_env=False
        ) as client:
            for address in addresses:
                try:
                    return await _once(client, parts, address, body, headers)
                except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                    failure: Exception = error
                except httpx.HTTPError as error:
                    raise ConnectionError(type(error).__name__) from error
        raise ConnectionError(str(failure)[:120] or type(failure).__name__) from failure

    def _trusted(self) -> SSLContext:
        if self._tls is None:
            import httpx

            self._tls = httpx.create_ssl_context()  # once: it takes 60 ms
        return self._tls


async def _once(
    client: httpx.AsyncClient, parts: SplitResult, address: str, body: bytes, headers: dict[str, str]
) -> tuple[int, str]:
    pinned = parts._replace(netloc=_netloc(address, parts.port)).geturl()
    own = {"host": parts.netloc, "content-type": "application/json", "user-agent": "guardtier"}
    async with client.stream(
        "POST",
        pinned,
        content=body,
        headers=own | headers,
        extensions={"sni_hostname": parts.hostname},  # the certificate must be that of the name
    ) as response:
        return response.status_code, response.headers.get("retry-after", "")


def _netloc(address: str, port: int | None) -> str:
    host = f"[{address}]" if ":" in address else address
    return host if port is None else f"{host}:{port}"


def _check(host: str, status: int, retry_after: str) -> None:
    if 200 <= status < 300:
        return
    if 300 <= status < 400:
        raise NoticeNotSent(f"{host} answered {status}, a redirect, and none is followed")
    wait = min(float(retry_after), _LONGEST_WAIT) if retry_after.strip().isdecimal() else None
    raise NoticeNotSent(f"{host} answered {status}", again=status in _NOT_NOW or status >= 500, wait=wait)
