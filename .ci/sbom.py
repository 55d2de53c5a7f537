"""What the image installs, as CycloneDX: ``make sbom``.

The environment tells names, versions, licences and who needs whom; pip's report, the SHA-256 of the very
files that were installed. It names no address that they came from, and is the same for the same lock.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

VERSION = "1.6"


def components(python: str) -> dict[str, Any]:
    argv = [sys.executable, "-m", "cyclonedx_py", "environment", "--pyproject", "pyproject.toml"]
    argv += ["--spec-version", VERSION, "--output-reproducible", "--output-format", "JSON", python]
    made: dict[str, Any] = json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)
    return made


def installed(report: Path) -> dict[str, str]:
    """The SHA-256 of each installed file, by the package's name."""
    told = json.loads(report.read_text(encoding="utf-8"))["install"]
    return {
        normal(one["metadata"]["name"]): one["download_info"]["archive_info"]["hashes"]["sha256"]
        for one in told
    }


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def main(python: str, report: str, to: str) -> int:
    bom, hashes = components(python), installed(Path(report))
    for component in bom["components"]:
        component["hashes"] = [{"alg": "SHA-256", "content": hashes.pop(normal(component["name"]))}]
    if hashes:
        print(f"installed, and not found in {python}: {', '.join(hashes)}", file=sys.stderr)
        return 1
    text = json.dumps(bom, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    wrong = JsonStrictValidator(SchemaVersion.from_version(VERSION)).validate_str(text)
    if wrong is not None:
        print(f"no valid CycloneDX: {wrong}", file=sys.stderr)
        return 1
    Path(to).write_text(text, encoding="utf-8")
    print(f"{to}: {len(bom['components'])} packages")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
