"""Commands that a project's files say are to be run: by a build, a container, an editor, an installer."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Literal, NamedTuple

import re2
from pydantic import BaseModel, ConfigDict

Runs = Literal["itself", "here", "elsewhere"]
MAX_RECIPES = 300  #: of one file that are read one by one; the rest is read as one script

_STRING = r'"(?>(?:[^"\\\n]|\\.)*)"'
_LIST = rf"\[((?>(?:\s*+{_STRING}\s*+,?)*))\s*+\]"
_ENTRY = re.compile(rf"({_STRING})\s*+:\s*+(?:({_STRING})|{_LIST})")
_QUOTED = re.compile(rf"{_STRING}|'[^'\n]*'")
_EACH = re.compile(_STRING)
_ARGS = re.compile(rf'\s*+,\s*+"args"\s*+:\s*+{_LIST}')
_KEY = re.compile(r"(\s*(?:-\s+)?)([\w-]+)\s*:(?:\s+(.*)|)$")
_BLOCK = re.compile(r"[|>][+-]?\d?\s*(?:#.*)?")
_EXPRESSION = re.compile(r"\$\{\{[^}\n]*\}\}")
_RUN = re.compile(r"(?i)\s*(?:RUN|CMD|ENTRYPOINT)\s+((?:--\S+\s+)*)(.*)")
_GYP = re.compile(r"<!@?\(([^)\"\n]*)\)")
_MAKE = re.compile(r"\$[({](\w+)[)}]")


class _Manifest(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    form: Literal["json", "yaml", "make", "docker", "gyp"]
    keys: frozenset[str] = frozenset()
    says: str = ""
    runs: Runs


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    manifest: tuple[_Manifest, ...]
    never: dict[Literal["here", "elsewhere", "code"], tuple[str, ...]]


class Recipe(NamedTuple):
    """One command or more, and when it is run."""

    text: str
    runs: Runs


@cache
def _data() -> _Data:
    text = (files("guardtier.analyzers") / "data" / "manifests.toml").read_text(encoding="utf-8")
    return _Data.model_validate(tomllib.loads(text))


@cache
def _paths() -> tuple[tuple[re.Pattern[str], _Manifest], ...]:
    return tuple([(re2.compile(one.path), one) for one in _data().manifest])


def recipes_of(path: str, content: str) -> list[Recipe]:
    """What the file at this path says is to be run; of an edit, what stands in that piece."""
    plain = path.replace("\\", "/").encode("utf-8", "replace").decode()
    found: list[Recipe] = []
    for pattern, manifest in _paths():
        if pattern.search(plain) and manifest.says in content:
            texts = dict.fromkeys(_FORMS[manifest.form](content, manifest.keys))
            found += [Recipe(text, manifest.runs) for text in few([one for one in texts if one.strip()])]
    return found


def few(texts: list[str]) -> list[str]:
    """The first as they are, and the rest as one script: a parser's cost is that of its length."""
    rest = texts[MAX_RECIPES:]
    return [*texts[:MAX_RECIPES], "\n".join(rest)] if rest else texts


def is_harm(finding: str, runs: Runs | Literal["code"]) -> bool:
    """Whether no build does this where it runs."""
    if runs == "itself":
        return True
    never = _data().never
    listed = never["elsewhere"]
    if runs != "elsewhere":
        listed += never["here"]
    if runs == "code":
        listed += never["code"]
    return finding.startswith(listed)


def _of_json(content: str, keys: frozenset[str]) -> Iterator[str]:
    """Strings under these keys, and lists of words, wherever they stand: comments and edits are no JSON."""
    for entry in _ENTRY.finditer(content):
        if "*" not in keys and _text(entry[1]) not in keys:
            continue
        if entry[2] is not None:
            args = _ARGS.match(content, entry.end())
            words = [shlex.quote(_text(one)) for one in _EACH.findall(args[1])] if args else []
            yield " ".join([_text(entry[2]), *words])
        elif words := [_text(one) for one in _EACH.findall(entry[3] or "")]:
            yield " ".join(map(shlex.quote, words))


def _text(literal: str) -> str:
    if "\\" not in literal:
        return literal[1:-1]
    try:
        return str(json.loads(literal))
    except ValueError:
        return literal[1:-1]


def _of_yaml(content: str, keys: frozenset[str]) -> Iterator[str]:
    """Values of these keys: in the line, as a block below it, or as a list of lines."""
    lines = content.split("\n")
    at = 0
    while at < len(lines):
        found = _KEY.match(lines[at])
        at += 1
        if found is None or found[2] not in keys:
            continue
        value = (found[3] or "").strip()
        if value and not _BLOCK.fullmatch(value):
            yield _plain(value)
            continue
        block, at = _below(lines, at, len(found[1]), listed=not value)
        yield _EXPRESSION.sub("$EXPRESSION", "\n".join(block))


def _below(lines: list[str], at: int, indent: int, *, listed: bool) -> tuple[list[str], int]:
    block: list[str] = []
    while at < len(lines):
        line = lines[at]
        stripped = line.lstrip()
        deep = len(line) - len(stripped)
        item = listed and stripped.startswith("- ")
        if stripped and deep <= indent and not (item and deep == indent):
            break
        block.append(_plain(stripped[2:]) if item else stripped)
        at += 1
    return block, at


def _plain(value: str) -> str:
    value = _EXPRESSION.sub("$EXPRESSION", value.strip())
    if value[:1] == "[" and value[-1:] == "]":
        words = [one[1:-1] for one in _QUOTED.findall(value)] or value[1:-1].split(",")
        shell = ["sh"] if words[:1] == ["-c"] else []  # arguments of an entrypoint that is a shell
        return " ".join([*shell, *(shlex.quote(word.strip()) for word in words)])
    if value[:1] in "\"'" and value[-1:] == value[:1] and len(value) > 1:
        return _text(value) if value[0] == '"' else value[1:-1].replace("''", "'")
    return value


def _of_make(content: str, _: frozenset[str]) -> Iterator[str]:
    """Lines of recipes: those that begin with a tab."""
    for line in content.replace("\\\n", "").split("\n"):
        if line[:1] == "\t":
            yield _MAKE.sub(r"$\1", line.lstrip("\t @-+")).replace("$$", "$")


def _of_dockerfile(content: str, _: frozenset[str]) -> Iterator[str]:
    for line in content.replace("\\\n", "").split("\n"):
        if found := _RUN.match(line):
            yield _plain(found[2])


def _of_gyp(content: str, _: frozenset[str]) -> Iterator[str]:
    """What stands in ``<!( )``."""
    yield from _GYP.findall(content)


_FORMS = {"gyp": _of_gyp, "json": _of_json, "yaml": _of_yaml, "make": _of_make, "docker": _of_dockerfile}
