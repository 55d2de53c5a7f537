""".ci/audit.py: what is weak is told, and what could not be found out is never taken for good.

pip-audit is stood in for by a program that answers as it does, since its services are not ours to ask.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from manifests import ROOT

#: It prints the answer of the service that it is told, for the first file that is named; or fails.
STAND_IN = """
import json, os, sys
answers = json.loads(os.environ["ANSWERS"])
service = sys.argv[sys.argv.index("--service") + 1]
file = os.path.basename(sys.argv[sys.argv.index("--requirement") + 1])
if service not in answers:
    sys.exit("ConnectionError: failed to resolve the service's name")
print(json.dumps({"dependencies": answers[service].get(file, [])}))
"""
CANARY = [{"name": "jinja2", "version": "2.4.1", "vulns": [{"id": "PYSEC-2019-217"}]}]
CLEAN = [{"name": "redis", "version": "5.3.1", "vulns": []}]
WEAK = [{"name": "redis", "version": "5.3.1", "vulns": [{"id": "CVE-1"}]}]
SKIPPED = [{"name": "redis", "skip_reason": "Dependency not found on PyPI"}]


@pytest.fixture
def audit(tmp_path: Path) -> Any:
    (tmp_path / "pip_audit").mkdir()
    (tmp_path / "pip_audit" / "__init__.py").touch()  # else the real one is found first
    (tmp_path / "pip_audit" / "__main__.py").write_text(STAND_IN, encoding="utf-8")

    def run(**answers: dict[str, Any]) -> tuple[int, str]:
        told = subprocess.run(
            [sys.executable, ROOT / ".ci" / "audit.py", "requirements/image.txt"],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(tmp_path), "ANSWERS": json.dumps(answers)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return told.returncode, told.stdout

    return run


def test_nothing_that_is_known_is_good(audit: Any) -> None:
    assert audit(pypi={"canary.txt": CANARY, "image.txt": CLEAN})[0] == 0


def test_what_is_weak_is_named(audit: Any) -> None:
    code, said = audit(pypi={"canary.txt": CANARY, "image.txt": WEAK})

    assert code == 1
    assert "redis 5.3.1: CVE-1" in said


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param({}, id="nobody answers"),
        pytest.param({"pypi": {"canary.txt": SKIPPED, "image.txt": SKIPPED}}, id="404 for everything"),
        pytest.param({"pypi": {"canary.txt": [], "image.txt": CLEAN}}, id="it knows no weakness at all"),
    ],
)
def test_what_could_not_be_found_out_is_said_aloud(audit: Any, answers: dict[str, Any]) -> None:
    code, said = audit(**answers)

    assert code == 3
    assert "NOT AUDITED" in said


def test_another_service_is_asked_where_the_first_is_away(audit: Any) -> None:
    code, said = audit(osv={"canary.txt": CANARY, "image.txt": WEAK})

    assert (code, "by osv" in said) == (1, True)


def test_a_package_that_nobody_could_look_up_is_no_pass(audit: Any) -> None:
    assert audit(pypi={"canary.txt": CANARY, "image.txt": SKIPPED})[0] == 3
