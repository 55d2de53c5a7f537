"""deploy/systemd: units that systemd itself takes, and that may do little else than their work."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from manifests import SYSTEMD, unit_of

EXPOSURE = 20  #: of 100, by `systemd-analyze security`: measured 11 and 12
SERVICES = sorted(file.name for file in SYSTEMD.glob("*.service"))


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The units where systemd would find them, with a program that is there."""
    folder = tmp_path_factory.mktemp("units")
    shutil.copytree(SYSTEMD, folder, dirs_exist_ok=True)
    for file in folder.glob("*.service"):
        text = file.read_text(encoding="utf-8").replace("/opt/guardtier/bin/guardtier", "/bin/true")
        file.write_text(text, encoding="utf-8")
    return folder


def asked(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What systemd-analyze says. Debian's package `systemd` has it; nothing has to run."""
    assert shutil.which("systemd-analyze"), "no systemd-analyze: apt-get install systemd"
    return subprocess.run(
        ["systemd-analyze", *arguments],
        env=os.environ | {"SYSTEMD_UNIT_PATH": f"{folder}:"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_systemd_takes_every_unit(installed: Path) -> None:
    units = [str(installed / name) for name in SERVICES]

    told = asked(installed, "verify", "--recursive-errors=no", *units, str(installed / "guardtier.target"))

    assert (told.returncode, told.stderr) == (0, "")


def test_a_unit_that_is_wrong_is_noticed(installed: Path, tmp_path: Path) -> None:
    file = tmp_path / "guardtier-wrong.service"
    file.write_text("[Service]\nExecStart=/bin/true\nProtectSytem=strict\n", encoding="utf-8")

    assert "Unknown key" in asked(installed, "verify", str(file)).stderr


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_exposed_to_little(installed: Path, service: str) -> None:
    told = asked(
        installed, "security", "--offline=yes", f"--threshold={EXPOSURE}", str(installed / service)
    )

    assert told.returncode == 0, told.stdout


def test_the_target_starts_what_is_there() -> None:
    wanted = unit_of(SYSTEMD / "guardtier.target")["Unit"]["Wants"].split()

    assert {re.sub(r"@\w+\.", "@.", name) for name in wanted} | {"guardtier-pool@.service"} == set(SERVICES)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_the_credential_of_its_role_alone(service: str) -> None:
    role = re.sub(r"guardtier-(\w+)@?\.service", r"\1", service)
    unit = unit_of(SYSTEMD / service)["Service"]

    assert unit["EnvironmentFile"] == f"/etc/guardtier/{role}.env"
    assert f" worker {role} " in unit["ExecStart"]


def test_no_unit_runs_as_root() -> None:
    shared = unit_of(SYSTEMD / "guardtier-.service.d" / "10-hardened.conf")["Service"]

    assert (shared["DynamicUser"], shared["NoNewPrivileges"], shared["CapabilityBoundingSet"]) == (
        "yes",
        "yes",
        "",
    )
    assert all(service.startswith("guardtier-") for service in SERVICES)  # else the drop-in is not theirs
