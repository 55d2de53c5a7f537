"""FileSecurityAnalyzer: which files a file tool reads, writes, moves or deletes, and what it writes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import ClassVar, NamedTuple
from urllib.parse import unquote

from guardtier.action import ActionEvent
from guardtier.analyzers.base import SecurityAnalyzer
from guardtier.analyzers.effects.rate import Rated, rated, risk_of
from guardtier.analyzers.effects.targets import Place, place_of
from guardtier.analyzers.fields import Field, Span
from guardtier.analyzers.manifests import Runs, few, is_harm, recipes_of
from guardtier.analyzers.parts import MAX_PARTS, CodePart, too_many
from guardtier.analyzers.shell import read
from guardtier.analyzers.shell.unwrap import code_texts
from guardtier.analyzers.shell.wrappers import program_of
from guardtier.analyzers.shell_analyzer import rate_script
from guardtier.analyzers.tools import tools
from guardtier.analyzers.view import Call, View, view_of
from guardtier.analyzers.writes import FileUse
from guardtier.assessment import MAX_MESSAGE, Assessment, Finding
from guardtier.risk import SecurityRisk

_UP = re.compile(r"(?:\.?/)*(?:\.\./)+")
_OWN = frozenset({"file-read", "file-write"})
_CI = re.compile(
    r"(?:^|/)(?:\.github/(?:workflows|actions)/|\.gitlab-ci|\.circleci/|\.buildkite/|Jenkinsfile|azure-pipelines|"
    r"bitbucket-pipelines|\.drone\.yml|\.travis\.yml|\.woodpecker)"
)


class Judgement(NamedTuple):
    """What a use of a path comes to."""

    id: str
    risk: SecurityRisk
    message: str


class FileSecurityAnalyzer(SecurityAnalyzer):
    """Votes on tools that work on files: the path's sensitivity, and the code that is written."""

    name: ClassVar[str] = "files"
    cheap: ClassVar[bool] = True

    def concerns(self, call: Call) -> bool:
        return not call.plain

    def assess(self, action: ActionEvent) -> Assessment:
        view = view_of(action)
        if view.kind in _OWN:
            return view.vote(tuple(_findings(view)), tools().risk_of(view.kind))
        return view.vote(tuple(_of_scripts(view)))


def _findings(view: View) -> Iterator[Finding]:
    if len(view.files) > MAX_PARTS:
        yield too_many("file", "paths")
    for use in view.files[:MAX_PARTS]:
        yield from _of_path(use)
        for piece in use.content if use.use == "write" else ():
            yield from _of_recipes(use.path.text, piece)
    yield from _of_scripts(view)


def _of_scripts(view: View) -> Iterator[Finding]:
    parts = view.code("shell")
    if len(parts) > MAX_PARTS:
        yield too_many("file", "scripts")
    for part in parts[:MAX_PARTS]:
        yield from _of_script(part)
    for language, program in _FOREIGN.items():
        for part in view.code(language)[:MAX_PARTS]:
            if part.written:
                yield from _of_foreign(part, program)


def _of_path(use: FileUse) -> Iterator[Finding]:
    judgement = judged(use.use, use.path.text)
    if judgement.risk is SecurityRisk.LOW:
        return
    span = use.path.place(0, len(use.path.text))
    yield Finding(
        id=judgement.id, risk=judgement.risk, message=judgement.message, field=use.path.path, span=span
    )


#: Languages that are searched for commands, and a program that runs them.
_FOREIGN = {"node": "node", "ruby": "ruby", "perl": "perl", "php": "php", "compiled": "go", "other": "lua"}


def _of_foreign(part: CodePart, program: str) -> Iterator[Finding]:
    """Commands in code that is written: an application runs many, but none that no build would."""
    entry = program_of(program)
    assert entry is not None  # noqa: S101 - tests/unit/test_framework_tools.py has each
    texts, more = code_texts(entry, part.text)
    if more:
        yield too_many("file", "commands")
    for text in few(texts):
        for one in rate_script(read(text), text):
            if one.risk is SecurityRisk.HIGH and is_harm(one.id, "code"):
                start = part.text.find(text)
                span = part.place(start, start + len(text)) if start >= 0 else part.place(*part.span)
                yield _told("Written to a program", one, part.field, span)


def _of_script(part: CodePart) -> Iterator[Finding]:
    """What a shell script would do once it runs: only its harm counts, it does not run now."""
    for one in rate_script(read(part.text), part.text):
        if one.risk is SecurityRisk.HIGH:
            yield _told("Written to a script", one, part.field, part.place(*one.span))


def _of_recipes(path: str, piece: Field) -> Iterator[Finding]:
    """What the file says is to be run, as far as no build does that."""
    known: set[str] = set()
    for recipe in recipes_of(path, piece.text):
        for one in rate_script(read(recipe.text), recipe.text):
            if one.risk is SecurityRisk.HIGH and one.id not in known and is_harm(one.id, recipe.runs):
                known.add(one.id)
                start = piece.text.find(recipe.text)
                span = piece.place(start, start + len(recipe.text)) if start >= 0 else None
                yield _told(_WHEN[recipe.runs], one, piece, span)


_WHEN: dict[Runs, str] = {
    "itself": "Is run without being asked for",
    "here": "Written to be run",
    "elsewhere": "Written to be run by a build server or in a container",
}


def _told(when: str, one: Rated, field: Field, span: Span | None) -> Finding:
    message = f"{when}: {one.message}"[:MAX_MESSAGE]
    return Finding(id=one.id, risk=one.risk, message=message, field=field.path, span=span)


def judged(use: str, path: str) -> Judgement:
    """What reading, writing or deleting this path comes to, wherever its detours lead."""
    return _judged(use, path) if len(path) <= 512 else _judged.__wrapped__(use, path)


@lru_cache(maxsize=4096)
def _judged(use: str, path: str) -> Judgement:
    place = _place(path)
    risk = risk_of(use, place.name)
    if use == "write" and risk is not SecurityRisk.HIGH and _CI.search(path.replace("\\", "/")):
        message = "Changes what the project's build servers run (ATT&CK T1195.002)."
        return Judgement("file.write.ci", SecurityRisk.MEDIUM, message)
    reason = rated(use, place, path, (0, 0), risk)
    return Judgement(f"file.{use}.{place.name}", risk, reason.message)


def _place(path: str) -> Place:
    """The riskier of the place as it is written and the one where detours out of here may lead."""
    plain = path.strip()
    if "%" in plain:
        plain = unquote(plain)
    if "\\" in plain and ":" not in plain[:3]:
        plain = plain.replace("\\", "/")
    up = _UP.match(plain)
    if up is None:
        return place_of(plain)
    absolute = place_of(f"/{plain[up.end() :]}")
    return absolute if absolute.name not in ("other", "root", "toplevel", "workspace") else place_of(plain)
