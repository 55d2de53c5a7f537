"""What guardtier doctor says of the files that settings name: the audit trail's and those of TLS."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from guardtier.settings import Settings
from guardtier_workers.cli.certificates import validity_of
from guardtier_workers.cli.checktls import tls
from guardtier_workers.cli.checktrail import trail
from ports import free_port

DAY = timedelta(days=1)


def told(path: Path | None, sql: str | None = None, **more: object) -> dict[str, tuple[str, str]]:
    settings = Settings(audit_dir=path, audit_sql=sql, **more)  # type: ignore[arg-type]
    return {one.what: (one.grade, one.says) for one in trail(settings)}


def test_a_folder_that_is_well_is_said_to_be(tmp_path: Path) -> None:
    assert told(tmp_path, audit_file_bytes=4096) == {"audit folder": ("ok", str(tmp_path))}
    assert told(None) == {}


def test_a_folder_that_is_not_there_may_be_a_volume_that_is_not(tmp_path: Path) -> None:
    grade, says = told(tmp_path / "a" / "b")["audit folder"]

    assert (grade, "is its volume there?" in says) == ("warning", True)
    assert not (tmp_path / "a").exists(), "doctor makes nothing"


def test_what_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert told(tmp_path / "file")["audit folder"][0] == "failure"


def test_a_folder_that_can_t_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)

    grade, says = told(tmp_path)["audit folder"]

    assert (grade, "mounted read-only" in says) == ("failure", True)


def test_a_folder_that_everybody_may_write_to(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)

    assert told(tmp_path, audit_file_bytes=4096)["audit folder"][0] == "warning"


@pytest.mark.parametrize(
    ("free", "files", "grade"), [(0, 1, "failure"), (1 << 20, 0, "failure"), (30_000, 1, "warning")]
)
def test_a_disk_without_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, files: int, grade: str
) -> None:
    disk = SimpleNamespace(f_bavail=free, f_frsize=4096, f_files=9, f_favail=files)
    monkeypatch.setattr(os, "statvfs", lambda _: disk)

    assert told(tmp_path)["audit folder"][0] == grade


def test_what_is_named_like_a_file_of_the_export_and_is_none(tmp_path: Path) -> None:
    (tmp_path / "audit-000000000001 (copy).jsonl").touch()

    grade, says = told(tmp_path, audit_file_bytes=4096)["audit folder"]

    assert (grade, "(copy)" in says) == ("warning", True)


def test_a_database_without_a_folder_of_files() -> None:
    (first, *_) = trail(Settings(audit_sql="sqlite:///x.db"))

    assert (first.what, first.grade, "audit_dir as well" in first.says) == (
        "audit database",
        "failure",
        True,
    )


@pytest.mark.parametrize(
    ("url", "grade", "says"),
    [
        ("mysql://x/y", "failure", "sqlite or postgresql"),
        ("sqlite:////nowhere/at/all/audit.db", "failure", "there is no folder"),
        ("sqlite:///{folder}/new.db", "warning", "has no line yet"),
        ("sqlite:///{folder}/garbage.db", "failure", "not a database"),
        ("sqlite:///{folder}/locked.db?timeout=0", "failure", "locked"),
        ("postgresql+psycopg://audit:sesame@127.0.0.1:{port}/x", "failure", "can't be used"),
    ],
)
def test_a_database_that_can_t_be_used(tmp_path: Path, url: str, grade: str, says: str) -> None:
    (tmp_path / "garbage.db").write_bytes(b"no database" * 1000)
    held = sqlite3.connect(tmp_path / "locked.db")
    held.execute("CREATE TABLE a (b)")
    held.execute("BEGIN EXCLUSIVE")

    found = told(tmp_path, url.format(folder=tmp_path, port=free_port()))["audit database"]
    held.close()

    assert (found[0], says in found[1], "sesame" in found[1]) == (grade, True, False)
    assert not (tmp_path / "new.db").exists(), "doctor makes nothing"


Made = Callable[..., tuple[Path, Path]]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """A certificate that certifies itself, and its key."""

    def make(
        *, begins: timedelta = -DAY, ends: timedelta = 90 * DAY, locked: bool = False
    ) -> tuple[Path, Path]:
        private, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "console.example")])
        cert = x509.CertificateBuilder(name, name, private.public_key(), x509.random_serial_number())
        cert = cert.not_valid_before(now + begins).not_valid_after(now + ends)
        number = len([*tmp_path.iterdir()])
        crt, key = tmp_path / f"{number}.crt", tmp_path / f"{number}.key"
        crt.write_bytes(cert.sign(private, hashes.SHA256()).public_bytes(Encoding.PEM))
        lock = BestAvailableEncryption(b"sesame") if locked else NoEncryption()
        key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock))
        key.chmod(0o600)
        return crt, key

    return make


def said(crt: Path, key: Path) -> list[tuple[str, str]]:
    settings = Settings(console={"tls_certificate": crt, "tls_key": key})
    return [(one.grade, one.says) for one in tls(settings)]


def test_a_certificate_and_its_key_that_are_well(made: Made) -> None:
    crt, key = made()

    assert said(crt, key) == [("ok", str(crt))]


@pytest.mark.parametrize(
    ("begins", "ends", "grade", "says"),
    [
        (-2 * DAY, -DAY, "failure", "has expired"),
        (DAY, 9 * DAY, "failure", "is not valid before"),
        (-DAY, 9 * DAY, "warning", "expires in 8 days"),
    ],
)
def test_a_certificate_that_does_not_hold(
    made: Made, begins: timedelta, ends: timedelta, grade: str, says: str
) -> None:
    ((told_grade, told_says),) = said(*made(begins=begins, ends=ends))

    assert (told_grade, says in told_says) == (grade, True)


def test_one_of_a_chain_that_has_expired(made: Made) -> None:
    (crt, key), (old, _) = made(), made(begins=-9 * DAY, ends=-DAY)
    crt.write_bytes(crt.read_bytes() + old.read_bytes())

    ((grade, says),) = said(crt, key)

    assert (grade, "certificate 2 of 2" in says) == ("failure", True)


def test_a_key_of_another_certificate(made: Made) -> None:
    (crt, _), (_, key) = made(), made()

    ((grade, says),) = said(crt, key)

    assert (grade, "can't be used" in says) == ("failure", True)


def test_a_key_with_a_password_asks_nobody_for_it(made: Made) -> None:
    ((grade, says),) = said(*made(locked=True))

    assert (grade, "without a password" in says) == ("failure", True)


def test_files_that_are_not_there_or_are_none(made: Made, tmp_path: Path) -> None:
    crt, key = made()
    (tmp_path / "none").touch()

    assert [grade for grade, _ in said(tmp_path / "x.crt", tmp_path / "x.key")] == ["failure", "failure"]
    assert {grade for grade, _ in said(tmp_path / "none", key)} == {"failure"}
    with pytest.raises(ValueError, match="cut off"):
        validity_of("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----")
    assert len(validity_of(crt.read_text())) == 1


def test_a_key_that_everybody_may_read(made: Made) -> None:
    crt, key = made()
    key.chmod(0o644)

    ((grade, says),) = said(crt, key)

    assert (grade, f"chmod o-r {key}" in says) == ("warning", True)


def test_the_files_that_a_url_of_redis_names(made: Made) -> None:
    crt, key = made(ends=-timedelta(hours=1))
    url = f"rediss://db:6379/0?ssl_certfile={crt}&ssl_keyfile={key}&ssl_ca_certs=/nowhere.pem"

    found = [(one.grade, one.what) for one in tls(Settings(redis_url=url))]

    assert found == [("failure", "TLS of redis_url")] * 2
