"""Code that an action writes to files: by a tool for files, or by a shell's here-documents and echo."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from guardtier.analyzers.fields import Field, Span
from guardtier.analyzers.notebook import LINE, blanked, cell_language, cells_of, magics, without_magics
from guardtier.analyzers.parts import CodePart
from guardtier.analyzers.shell import Command, Script
from guardtier.analyzers.tools import tools

if TYPE_CHECKING:
    from guardtier.analyzers.view import View

_SHEBANG = re.compile(r"#![^\n]*?\b(?:env[ \t]+(?:-S[ \t]+)?)?([A-Za-z]+)[0-9.]*(?:[ \t][^\n]*)?(?:\n|$)")
_ESCAPES = {"\\n": "\n", "\\t": "\t", "\\\\": "\\"}
_ESCAPE = re.compile(r"\\[nt\\]")
_DOCUMENTS = frozenset({"md", "txt", "rst", "adoc", "html", "json", "log", "csv"})
_WRITING = frozenset({"write", "append"})


def written_by_tool(view: View) -> Iterator[tuple[str, CodePart]]:
    for use in view.writes:
        for piece in use.content:
            if use.path.text.endswith(".ipynb"):
                yield from _of_notebook(piece)
            elif language := language_of_file(use.path.text, piece.text):
                yield language, CodePart(piece, piece.text, (0, len(piece.text)), written=True)


def _of_notebook(piece: Field) -> Iterator[tuple[str, CodePart]]:
    for cell in cells_of(piece.text):
        alone = cell == piece.text
        field = piece if alone else piece._replace(text=cell, exact=False)
        span = (0, len(cell))
        if (language := cell_language(cell)) is not None:
            yield language, CodePart(field, blanked(cell, 0, cell.find("\n") + 1), span, written=True)
            continue
        if LINE.search(cell):
            yield "shell", CodePart(field, magics(cell), span, written=True)
        yield "python", CodePart(field, without_magics(cell), span, written=True)


_SHELL_FILES = frozenset(
    {".bashrc", ".bash_profile", ".bash_login", ".bash_logout", ".bash_aliases", ".profile", ".zshrc",
     ".zshenv", ".zprofile", ".zlogin", ".kshrc", ".envrc", "profile", "bashrc", "bash.bashrc", "rc.local",
     "crontab", "apkbuild", "pkgbuild", "postinst", "preinst", "prerm", "postrm"}
)  # fmt: skip
_RUBY_FILES = frozenset(
    {"vagrantfile", "rakefile", "gemfile", "podfile", "fastfile", "brewfile", "guardfile"}
)
_HOOKS = ("/.git/hooks/", "/.husky/", "/.githooks/", "/etc/profile.d/", "/etc/init.d/", "/etc/cron.")


def language_of_file(path: str, content: str) -> str | None:
    """The language of a file by its name, else by its first line; None for documents and data."""
    name = path.replace("\\", "/").rpartition("/")[2].lower()
    stem, dot, ending = name.rpartition(".")
    if dot and stem:
        if language := tools().language_of(ending):
            return language
        if ending in _DOCUMENTS:
            return None
    if shebang := _SHEBANG.match(content):
        return tools().language_of(shebang[1])
    if name in _RUBY_FILES:
        return "ruby"
    if name in _SHELL_FILES or any(hook in f"/{path.lower()}" for hook in _HOOKS):
        return "shell"
    return None


def written_by_script(field: Field, script: Script) -> Iterator[tuple[str, CodePart]]:
    """Code in what ``cat > x.py <<EOF``, ``tee x.py`` and ``echo … > x.py`` write."""
    for command in script.commands:
        if command.redirects or command.body is not None:
            yield from _of_command(field, command)


def _of_command(field: Field, command: Command) -> Iterator[tuple[str, CodePart]]:
    paths = [one.target for one in command.redirects if one.kind in _WRITING and one.target is not None]
    program = command.program
    if program == "tee":
        paths += [word for word in command.args if not word.text.startswith("-")]
    text = _text_of(command, program) if paths else None
    if not text:
        return
    for path in paths:
        if language := language_of_file(path.text, text):
            yield (
                language,
                CodePart(field, text, _span_of(field, text, command), command.context, written=True),
            )


def _text_of(command: Command, program: str) -> str | None:
    if program in ("cat", "tee"):
        return command.body
    if program in ("echo", "printf"):
        return _ESCAPE.sub(lambda found: _ESCAPES[found[0]], " ".join(word.text for word in command.args))
    return None


def _span_of(field: Field, text: str, command: Command) -> Span:
    """Where the text stands; the whole command where it is spelled otherwise there."""
    start = field.text.find(text, command.span[0])
    return (start, start + len(text)) if start >= 0 else command.span
