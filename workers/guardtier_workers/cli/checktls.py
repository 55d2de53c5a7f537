"""What doctor looks at in the files of TLS: whether they can be read, fit together, and still hold."""

from __future__ import annotations

import os
import ssl
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from guardtier.settings import Settings
from guardtier_workers.cli.certificates import validity_of
from guardtier_workers.cli.found import Found

SOON = timedelta(days=30)  #: so long before its end a certificate is warned of


def tls(settings: Settings) -> Iterator[Found]:
    """The console's, and those that a URL of Redis names."""
    own = settings.console
    if own.tls_certificate is not None and own.tls_key is not None:
        yield from _all("console's TLS", own.tls_certificate, own.tls_key)
    for name, url in (("redis_url", settings.redis_url), ("arq_url", settings.arq_url)):
        named = dict(parse_qsl(urlsplit(url or "").query))
        if certificate := named.get("ssl_certfile"):
            yield from _all(
                f"TLS of {name}", Path(certificate), Path(named.get("ssl_keyfile", certificate))
            )
        if authorities := named.get("ssl_ca_certs"):
            yield from _all(f"TLS of {name}", Path(authorities))


def _all(what: str, certificate: Path, key: Path | None = None) -> Iterator[Found]:
    found = [*_readable(what, certificate), *(_readable(what, key) if key else ())]
    if not found:
        found = [*(_fit(what, certificate, key) if key else ()), *_dates(what, certificate)]
    yield from found or [Found("ok", what, str(certificate))]


def _readable(what: str, file: Path) -> Iterator[Found]:
    if not file.is_file():
        yield Found("failure", what, f"there is no file {file}")
    elif not os.access(file, os.R_OK):
        says = f"{file} can't be read by this user: run doctor as the user of its worker"
        yield Found("failure" if file.stat().st_uid == os.geteuid() else "warning", what, says)


def _fit(what: str, certificate: Path, key: Path) -> Iterator[Found]:
    """As its worker is told when it starts, and who else may read the key."""
    try:
        # With a password, or OpenSSL asks the terminal for that of a locked key.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="-")  # noqa: S106
    except (ssl.SSLError, OSError, ValueError) as error:
        says = (
            f"{certificate} and {key} can't be used ({error}): the first is PEM with the whole chain, the "
        )
        yield Found("failure", what, f"{says}second its key without a password")
    else:
        if key.stat().st_mode & stat.S_IROTH:
            says = f"{key} can be read by everybody, who can pass for its owner: chmod o-r {key}"
            yield Found("warning", what, says)


def _dates(what: str, file: Path) -> Iterator[Found]:
    try:
        found = validity_of(file.read_text(encoding="utf-8", errors="replace"))
    except (OSError, ValueError) as error:
        yield Found("failure", what, f"{file} can't be read as certificates: {error}")
        return
    now = datetime.now(UTC)
    for number, (begins, ends) in enumerate(found, 1):
        one = f"certificate {number} of {len(found)} in {file}"
        if ends <= now:
            yield Found("failure", what, f"{one} has expired ({ends:%Y-%m-%d %H:%M} UTC): renew it")
        elif begins > now:
            says = f"{one} is not valid before {begins:%Y-%m-%d %H:%M} UTC: is this machine's clock right?"
            yield Found("failure", what, says)
        elif ends - now < SOON:
            days = (ends - now).days
            yield Found("warning", what, f"{one} expires in {days} days ({ends:%Y-%m-%d}): renew it")
