"""README.md and docs/: what they say to type is there, and what they link to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from guardtier_workers.cli.app import build

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
INLINE = re.compile(r"`guardtier ([a-z][^`|&;]*)`")  # a line may end within it
FENCED = re.compile(r"^```\w*\n.*?^```", re.DOTALL | re.MULTILINE)
BLOCK = re.compile(r"^(?:[^\s`]*[$/] ?)?guardtier ([a-z][^|&;#\n]*)", re.MULTILINE)
QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")  # what is given to a command is not its own
TARGETS = frozenset(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.fixture(scope="module")
def program() -> Any:
    return build().__self__  # type: ignore[attr-defined]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_line_names_commands_and_options_that_there_are(page: Path, program: Any) -> None:
    assert [*_wrong(page.read_text(encoding="utf-8"), program)] == []


def test_a_command_line_that_is_wrong_is_found(program: Any) -> None:
    wrong = [*_wrong("`guardtier audit verfy`, `guardtier approve ID --remembre exact`", program)]

    assert wrong == ["guardtier audit verfy", "guardtier approve ID --remembre"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)|(?:src|srcset)=\"([^\"]+)\"", page.read_text(encoding="utf-8"))
    own = [link for pair in links for link in pair if link and "://" not in link]

    assert [link for link in own if not _leads(page, link)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_target_is_one(page: Path) -> None:
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)[` ]", page.read_text(encoding="utf-8"), re.MULTILINE))

    assert named - {"test", "x", "publish"} <= TARGETS  # grants.md has commands of an agent


def _wrong(text: str, program: Any) -> Iterator[str]:
    blocks = "\n".join(FENCED.findall(text))
    for typed in INLINE.findall(FENCED.sub("", text)) + BLOCK.findall(blocks):
        command, said = program, ["guardtier"]
        words = QUOTED.sub("", typed).split()
        while words and hasattr(command, "commands"):
            said.append(words.pop(0).strip(".,:"))
            command = command.commands.get(said[-1])
        if command is None:
            yield " ".join(said)
            continue
        options = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
        for word in words:
            said.append(word)
            if word.startswith("--") and word.partition("=")[0].strip(".,:") not in options | {"--help"}:
                yield " ".join(said)


def _leads(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists():
        return False
    headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE) if anchor else []
    return not anchor or anchor in {_anchor(heading) for heading in headings}


def _anchor(heading: str) -> str:
    """As GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
