"""docs/architecture.md names every module, every script, and none that is not there."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
FOLDERS = (
    "shared/guardtier",
    "shared/guardtier/policy",
    "shared/guardtier/store",
    "workers/guardtier_workers",
)
NAMED = frozenset(re.findall(r"[a-z_*]+\.(?:py|lua)\b", TEXT))


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_module_is_named(folder: str) -> None:
    modules = {file.name for file in (ROOT / folder).glob("*.py")} - {"__init__.py"}

    assert {module for module in modules if not any(fnmatch(module, name) for name in NAMED)} == set()


def test_every_folder_is_named() -> None:
    folders = {
        found.name
        for folder in FOLDERS
        for found in (ROOT / folder).iterdir()
        if found.is_dir() and any(found.glob("*.py"))
    }

    assert {name for name in folders if f"{name}/" not in TEXT} == set()


def test_every_script_is_named() -> None:
    scripts = {file.name for file in (ROOT / "shared/guardtier/store/scripts").glob("*.lua")}

    assert scripts - NAMED == set()


def test_what_is_named_is_there() -> None:
    there = {
        file.name
        for top in ("shared", "workers", "examples")
        for file in (ROOT / top).rglob("*")
        if file.suffix in (".py", ".lua")
    }

    assert {name for name in NAMED if "*" not in name} - there == set()


def test_its_links_lead_somewhere() -> None:
    linked = set(re.findall(r"\]\(([a-z-]+\.md)\)", TEXT)) | set(re.findall(r"docs/([a-z-]+\.md)", TEXT))

    assert {name for name in linked if not (ROOT / "docs" / name).is_file()} == set()
