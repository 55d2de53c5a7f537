"""Exposure: settings with which strangers could look, or a token be read on its way, are refused."""

from __future__ import annotations

from guardtier.errors import ConfigError
from guardtier.settings import Settings
from guardtier_workers.console.access.addresses import is_loopback, is_private, names_of
from guardtier_workers.console.access.signon import make_sign_on


def check_exposure(settings: Settings) -> None:
    """Raise ConfigError where everybody on a network could look without signing in, or listen in."""
    own = settings.console
    away = not is_loopback(own.host)
    public = any(not is_loopback(name) for name in names_of(settings))
    if own.open_to_viewers and (own.proxies or away or public):
        raise ConfigError(
            "console.open_to_viewers lets anybody look, so it is for a console on loopback that no proxy "
            "stands before: unset it, or set console.host to 127.0.0.1 and leave console.proxies, "
            "console.hosts and a public console_url out",
            field="console.open_to_viewers",
        )
    if away and own.tls_key is None and not own.proxies:
        raise ConfigError(
            f"on {own.host} others could read tokens on their way: set console.tls_certificate and "
            "console.tls_key, or list the proxy that has the certificate in console.proxies, or set "
            "console.host to 127.0.0.1",
            field="console.host",
        )
    if any(network.prefixlen == 0 for network in own.proxies):
        raise ConfigError(
            "console.proxies lists every address: anybody could say where they come from, and how",
            field="console.proxies",
        )
    if own.oidc is not None and not is_private(own.oidc.issuer):
        raise ConfigError(
            "console.oidc.issuer is no https:// address: others could answer in its place",
            field="console.oidc.issuer",
        )
    if own.oidc is not None and (away or own.proxies) and settings.console_url is None:
        raise ConfigError(
            "console.oidc needs console_url: the identity provider sends people back there",
            field="console_url",
        )
    make_sign_on(settings)  # told here, not when somebody comes
