"""docs/threat-model.md: each threat names a test that there is, and that is run; the lists are complete."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
TEXT = (TESTS.parent / "docs" / "threat-model.md").read_text(encoding="utf-8")
ROWS = [line for line in TEXT.splitlines() if line.startswith("| ") and line.count(" | ") == 3]
THREATS = [row for row in ROWS if not row.startswith(("| threat ", "| --- "))]
PROOF = re.compile(r"`([a-z0-9_/]+\.py)::(test_[a-z0-9_]+)`")
#: Of environments of their own: `make test` does not run them (pyproject.toml, norecursedirs).
NOT_RUN = ("openhands", "invariant")


@cache
def functions(file: str) -> dict[str, list[str]]:
    """The tests of a file, with their decorators."""
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return {node.name: [ast.unparse(one) for one in node.decorator_list] for node in found}


def test_there_are_threats() -> None:
    assert len(THREATS) > 35


@pytest.mark.parametrize("row", THREATS, ids=lambda row: row.split(" | ")[0].removeprefix("| "))
def test_each_names_a_test_that_is_run(row: str) -> None:
    proofs = PROOF.findall(row.rsplit(" | ", 1)[1])

    assert proofs
    for file, name in proofs:
        assert Path(file).name.startswith("test_")
        assert Path(file).parts[0] not in NOT_RUN
        assert name in functions(file), f"{file} has no {name}"
        assert not [how for how in functions(file)[name] if "skip" in how or "xfail" in how]


def test_each_says_what_is_done_and_what_is_left() -> None:
    assert all(all(cell.strip(" |") for cell in row.split(" | ")) for row in THREATS)


def test_every_proof_stands_in_a_row() -> None:
    assert len(PROOF.findall(TEXT)) == len(PROOF.findall("\n".join(THREATS)))


@pytest.mark.parametrize("kind", ["ASI", "LLM"])
def test_the_lists_are_complete(kind: str) -> None:
    named = re.findall(rf"\b{kind}(\d\d)\b", TEXT.split("## OWASP's lists")[1])

    assert sorted(named) == [f"{number:02}" for number in range(1, 11)]
