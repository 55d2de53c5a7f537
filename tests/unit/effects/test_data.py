"""The tables themselves: every file validates, no program stands in two, and every pattern compiles."""

from __future__ import annotations

import tomllib
from collections import Counter
from importlib.resources import files

import pytest

from guardtier.analyzers.effects import schema
from guardtier.analyzers.effects.table import _NOT_PROGRAMS, lookup, table

_FILES = [
    file
    for file in files("guardtier.analyzers.effects").joinpath("data").iterdir()
    if file.name.endswith(".toml") and file.name not in _NOT_PROGRAMS
]


def _families() -> list[schema.Family]:
    return [
        schema.Family.model_validate(tomllib.loads(file.read_text(encoding="utf-8"))) for file in _FILES
    ]


def test_no_program_stands_in_the_table_twice():
    counted = Counter(
        name for family in _families() for program in family.program for name in program.names
    )

    assert [name for name, times in counted.items() if times > 1] == []


def test_every_entry_is_found_by_each_of_its_names():
    for family in _families():
        for program in family.program:
            assert all(lookup(name) is table()[name] for name in program.names)


@pytest.mark.parametrize(
    ("name", "entry"), [("python3.11", "python"), ("gcc-12", "gcc"), ("git.exe", "git")]
)
def test_a_version_after_the_name_is_the_same_program(name, entry):
    assert lookup(name) is lookup(entry)


def test_an_unknown_program_has_no_entry():
    assert lookup("no-such-program") is None
