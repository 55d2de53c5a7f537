"""Ask for known weaknesses in what the lock files pin: ``make audit``.

Exits 0 where nothing is known, 1 where something is, 3 where it could not be found out. That is told
apart by a question whose answer is known: a proxy that answers 404 to everything looks like a clean
bill of health to pip-audit.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

SERVICES = ("pypi", "osv")
KNOWN_TO_BE_WEAK = "jinja2==2.4.1\n"  # CVE-2014-1402, CVE-2016-10745, CVE-2019-10906
SECONDS = "15"  # for each answer

NOT_AUDITED = """\
************************************************************************
NOT AUDITED: no advisory service knows the weaknesses of {canary},
which has several. What requirements/ pins was checked by hash alone:
it is what was locked, but nobody has looked whether that is weak.
Run `make audit` where one of these can be reached: {services}.
************************************************************************"""


def pip_audit(service: str, *files: str) -> tuple[dict[str, set[str]], list[str]] | None:
    """The weaknesses by package, and what could not be looked up; None where there was no answer."""
    argv = [sys.executable, "-m", "pip_audit", "--service", service, "--timeout", SECONDS]
    argv += ["--no-deps", "--disable-pip", "--format", "json", "--progress-spinner", "off"]
    argv += [part for file in files for part in ("--requirement", file)]
    told = subprocess.run(argv, capture_output=True, text=True, timeout=600, check=False)
    try:
        found = json.loads(told.stdout)["dependencies"]
    except (ValueError, KeyError):
        return None
    weak = {
        f"{one['name']} {one['version']}": {flaw["id"] for flaw in one["vulns"]}
        for one in found
        if one.get("vulns")
    }
    return weak, [one["name"] for one in found if "skip_reason" in one]


def main(files: list[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        canary = Path(folder) / "canary.txt"
        canary.write_text(KNOWN_TO_BE_WEAK, encoding="utf-8")
        told = (service for service in SERVICES if (pip_audit(service, str(canary)) or ({}, []))[0])
        service = next(told, None)
    found = pip_audit(service, *files) if service else None
    if found is None:
        print(NOT_AUDITED.format(canary=KNOWN_TO_BE_WEAK.strip(), services=", ".join(SERVICES)))
        return 3
    weak, skipped = found
    for package, flaws in sorted(weak.items()):
        print(f"{package}: {', '.join(sorted(flaws))}")
    if skipped:
        print(f"could not be looked up: {', '.join(sorted(skipped))}")
    print(f"{len(weak)} weak packages in {', '.join(files)}, by {service}")
    return 1 if weak else 3 if skipped else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
