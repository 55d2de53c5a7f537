"""A trap of Python below 3.11.5 (gh-106052; Debian 12 has 3.11.2): possessive groups match wrongly."""

from __future__ import annotations

import re
from pathlib import Path

PACKAGES = [Path(__file__).parents[2] / name for name in ("shared", "workers")]


def test_no_pattern_has_a_possessive_group() -> None:
    found = [
        f"{file.name}:{number}"
        for package in PACKAGES
        for file in package.rglob("*.py")
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(r"\)[*+?]\+", line)
    ]

    assert found == []  # write (?>(?:…)*) instead
