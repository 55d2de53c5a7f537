"""Exposure: settings that would show the console, or a token on its way, to strangers are refused."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from tempfile import mkstemp
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from consoles import StartConsole
from guardtier.errors import ConfigError
from guardtier.look import Me
from guardtier.settings import Settings
from guardtier.signer import Signer
from guardtier_workers.console.access.exposure import check_exposure
from guardtier_workers.console.access.sessions import MOST_OF_ONE, Sessions
from guardtier_workers.console.serve import address_at
from tier import Tier

TLS = {"tls_certificate": "cert.pem", "tls_key": "key.pem"}
OIDC = {
    "voucher": "console",
    "voucher_token_file": mkstemp()[1],  # of mode 0600
    "oidc": {"issuer": "https://id.example", "client_id": "c", "client_secret": "s"},
}
OPEN = {"open_to_viewers": True}
PROXY = {"proxies": ["10.0.0.0/8"]}


def settings(console_url: str | None = None, **own: Any) -> Settings:
    return Settings(console=own, console_url=console_url)


@pytest.mark.parametrize(
    ("made", "field"),
    [
        (settings(host="0.0.0.0"), "console.host"),
        (settings(host="::"), "console.host"),
        (settings(host="guard.example"), "console.host"),
        (settings(host="0.0.0.0", **TLS, **OPEN), "console.open_to_viewers"),
        (settings(**PROXY, **OPEN), "console.open_to_viewers"),
        (settings(hosts=["guard.example"], **OPEN), "console.open_to_viewers"),
        (settings("https://guard.example", **OPEN), "console.open_to_viewers"),
        (settings(**PROXY, **OIDC), "console_url"),
        (settings(host="0.0.0.0", proxies=["10.0.0.5/32", "0.0.0.0/0"]), "console.proxies"),
        (settings(host="::", proxies=["::/0"]), "console.proxies"),
    ],
)
def test_what_strangers_would_see_is_refused(made: Settings, field: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_exposure(made)

    assert caught.value.field == field


@pytest.mark.parametrize(
    "made",
    [
        settings(),
        settings(host="::1"),
        settings(host="localhost", **OPEN),
        settings("http://127.0.0.1:8470", **OPEN),
        settings(host="0.0.0.0", **TLS),
        settings(host="0.0.0.0", **PROXY),
        settings("https://guard.example", host="0.0.0.0", **PROXY, **OIDC),
        settings(**OIDC),
    ],
)
def test_what_strangers_do_not_see_is_served(made: Settings) -> None:
    check_exposure(made)


@pytest.mark.parametrize(
    "wrong",
    [
        {"hosts": ["guard.example:443"]},
        {"hosts": ["*"]},
        {"proxies": ["10.0.0.1/8"]},
        {"proxies": ["everybody"]},
        {"tls_key": "key.pem"},
        {"voucher": "console"},
        {"oidc": OIDC["oidc"]},
        {"session_seconds": 0},
    ],
    ids=str,
)
def test_settings_that_can_not_be_meant_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        Settings.load(console=wrong)

    assert (caught.value.field or "").startswith("console")


def certified(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that certifies itself, and its key."""
    private = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")]), datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, private.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(1))
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    cert = made.add_extension(address, critical=False).sign(private, hashes.SHA256())
    (folder / "cert.pem").write_bytes(cert.public_bytes(Encoding.PEM))
    key = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "key.pem").write_bytes(key)
    return folder / "cert.pem", folder / "key.pem"


async def test_it_serves_tls_and_its_cookie_is_for_tls_alone(
    tier: Tier, start_console: StartConsole, tmp_path: Path
) -> None:
    cert, key = certified(tmp_path)
    console = await start_console(tier, tls_certificate=cert, tls_key=key)
    tier.approver("alice")

    trusted = ssl.create_default_context(cafile=str(cert))
    async with httpx.AsyncClient(
        base_url=console.url, verify=trusted, trust_env=False, timeout=90
    ) as somebody:
        given = {"name": "alice", "token": tier.token_of("alice")}
        answer = await somebody.post("/login", data=given, headers={"origin": console.url.rstrip("/")})

        assert console.url.startswith("https://")
        assert answer.headers["set-cookie"].startswith("__Host-guardtier_session=")
        assert "; Secure" in answer.headers["set-cookie"]
        assert (await somebody.get("/api/v1/me")).status_code == 200


async def test_a_certificate_that_can_not_be_used_is_told(
    tier: Tier, start_console: StartConsole, tmp_path: Path
) -> None:
    (tmp_path / "cert.pem").write_text("nothing")

    with pytest.raises(ConfigError) as caught:
        await start_console(tier, tls_certificate=tmp_path / "cert.pem", tls_key=tmp_path / "cert.pem")

    assert caught.value.field == "console.tls_certificate"


async def test_a_port_that_is_taken_is_told(tier: Tier, start_console: StartConsole) -> None:
    console = await start_console(tier)

    with pytest.raises(ConfigError) as caught:
        await start_console(tier, port=int(console.url.rstrip("/").rpartition(":")[2]))

    assert caught.value.field == "console.port"


def test_the_address_is_one_that_can_be_opened() -> None:
    for host, url in (("::1", "http://[::1]:8/"), ("0.0.0.0", "http://127.0.0.1:8/")):
        assert address_at(settings(host=host).console, 8) == url


def test_sessions_end_by_age_by_rest_and_by_number() -> None:
    now = 0.0
    kept = Sessions(lasting=100, idle=10, clock=lambda: now)
    me, signer = Me(name="a", principal="a", fleets=("*",), may=()), Signer("a", b"k")

    resting, _ = kept.begin(signer, me)
    now = 9
    assert kept.peek(resting)  # which is no use of it
    now = 11
    assert kept.find(resting) is None

    busy, _ = kept.begin(signer, me)
    while now <= 111:
        assert kept.find(busy)
        now += 9
    assert kept.find(busy) is None

    names = [kept.begin(signer, me)[0] for _ in range(MOST_OF_ONE + 5)]
    assert len(kept) == MOST_OF_ONE
    assert [kept.find(name) is not None for name in names] == [False] * 5 + [True] * MOST_OF_ONE
