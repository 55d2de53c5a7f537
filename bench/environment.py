"""The rivals' environments: each library in one of its own, since they want different redis clients."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HOME = ROOT / "bench" / ".venv"
REQUIREMENTS = ROOT / "bench" / "rivals"
MODULES = {
    "arq": "bench.rivals.arq_queue",
    "saq": "bench.rivals.saq_queue",
    "streaq": "bench.rivals.streaq_queue",
}


def python_of(library: str, folder: Path = REQUIREMENTS) -> str:
    """The interpreter that has what ``folder`` pins for this library.

    Its environment is made at first, and after a change of the file.
    Raises ``subprocess.CalledProcessError`` where it can't be installed.
    """
    requirements = folder / f"requirements-{library}.txt"
    wanted = requirements.read_text()
    stamp = hashlib.sha256((sys.version + wanted).encode()).hexdigest()
    home = HOME / library
    mark, python = home / "ready", home / "bin" / "python"
    if not mark.is_file() or mark.read_text() != stamp:
        print(f"installing {library} in {home.relative_to(ROOT)}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, "-r", str(requirements)], check=True)
        mark.write_text(stamp)
    return str(python)
