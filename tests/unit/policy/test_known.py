"""What a policy file takes for known detector ids and labels is what the analyzers give."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

import guardtier.analyzers
from guardtier.analyzers.effects.schema import Effect
from guardtier.analyzers.flow.labels import OWN
from guardtier.policy.known import (
    FAMILIES,
    LABELS,
    MARKS,
    cut_short,
    unknown_id,
    unknown_label,
    unknown_mark,
)
from guardtier.redacted import EVERYTHING

ANALYZERS = Path(guardtier.analyzers.__file__).parent


def ids_in_data() -> Iterator[str]:
    """Every id that a rule of the analyzers' data gives."""
    for file in ANALYZERS.rglob("*.toml"):
        if file.name != "secrets.toml":  # its ids are shown in a message, and are none of findings
            yield from _ids(tomllib.loads(file.read_text()))


def _ids(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(found := value.get("id"), str):
            yield found
        for inner in value.values():
            yield from _ids(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _ids(inner)


def ids_in_code() -> Iterator[str]:
    """Every text in the analyzers' code that is an id for certain."""
    closed = "|".join(family for family, after in FAMILIES.items() if after is not None)
    for file in ANALYZERS.rglob("*.py"):
        text = file.read_text()
        yield from re.findall(rf'"((?:{closed})\.[a-z0-9_]+(?:\.[a-z0-9_]+)*)"', text)
        yield from re.findall(r'Finding\(\s*id="([a-z0-9_.]+)"', text)


#: Keys of settings, which are written like ids.
NO_IDS = ("sql.toml", "file.extractall", "file.io", "shell.bash", "shell.posix", "shell.zsh")


def test_every_id_of_an_analyzer_may_be_named():
    found = {*ids_in_data(), *ids_in_code()} - {*NO_IDS}

    assert len(found) > 400
    assert [one for one in sorted(found) if unknown_id(one, ())] == []


def test_no_id_of_an_analyzer_is_taken_for_the_beginning_of_others():
    beginnings = {"sql.delete", "sql.drop", "sql.update"}  # code asks for what begins so
    found = {*ids_in_data(), *ids_in_code()} - {*NO_IDS, *beginnings}

    assert [one for one in sorted(found) if cut_short(one, ())] == []
    assert all(cut_short(one, ()) for one in beginnings)


def test_effects_are_the_second_part_of_an_id():
    for family in ("shell", "python", "sql", "file"):
        assert all(unknown_id(f"{family}.{effect}.home", ()) is None for effect in get_args(Effect))


def test_a_programs_table_may_be_the_second_part_of_an_id():
    tables = (ANALYZERS / "effects" / "data").glob("*.toml")
    programs = [file.stem for file in tables if "program" in tomllib.loads(file.read_text())]

    assert len(programs) > 20
    assert [one for one in programs if unknown_id(f"shell.{one}.x", ())] == []


def test_labels_are_those_of_the_analyzers():
    data = tomllib.loads((files("guardtier.analyzers.flow") / "data" / "labels.toml").read_text())

    assert {label["name"] for label in data["label"]} | OWN == LABELS


def test_marks_are_those_of_the_rules_for_secrets():
    data = tomllib.loads((ANALYZERS / "text" / "data" / "secrets.toml").read_text())

    assert {rule["id"] for rule in data["rules"]} | {EVERYTHING, "by_name"} == MARKS
    assert unknown_mark("acme_till", ()) is not None
    assert unknown_mark("acme_till", ("acme_*",)) is None


def test_ones_own_are_named_by_globs_that_cover_or_are_covered():
    assert unknown_id("acme.till.open", ()) is not None
    assert unknown_id("acme.till.open", ("acme.*",)) is None
    assert unknown_id("acme.*", ("acme.till.open",)) is None
    assert unknown_label("vip.*", ("vip.gold",)) is None
