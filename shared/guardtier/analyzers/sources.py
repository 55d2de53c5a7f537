"""Where code stands in an action: what a shell gets to run, and code in other languages."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from guardtier.analyzers.effects.targets import place_of
from guardtier.analyzers.fields import Field
from guardtier.analyzers.parts import CodePart
from guardtier.analyzers.tools import tools
from guardtier.analyzers.written import written_by_script, written_by_tool

if TYPE_CHECKING:
    from guardtier.analyzers.view import View

_SQL = re.compile(
    r"\s*+(?>(?:--[^\n]*+\n\s*+|/\*.*?\*/\s*+)*)"
    r"(?:select|insert|update|delete|drop|truncate|alter|create|grant|revoke|merge|copy|with|call|exec|"
    r"execute|replace|attach|load|set|do|begin|explain|pragma|vacuum)\b",
    re.IGNORECASE | re.DOTALL,
)
#: A line of a notebook's cell that goes to the shell, or says which language the cell is in.
_GETS = r"(?:[\w.,\[\] \t]++=[ \t]*+)?"  # "files = !ls"
_MAGIC = re.compile(rf"^[ \t]*+{_GETS}[!%]", re.MULTILINE)
_CELL = re.compile(r"\s*%%(\w+)[^\n]*\n?")
_LINE = re.compile(
    rf"^[ \t]*+{_GETS}(!{{1,2}}|%s(?:ystem|x)\b|%(?=(?:rm|rmdir|cp|mv|mkdir|cat|pip|conda)\b))([^\n]*)$",
    re.MULTILINE,
)
_MAGIC_LINE = re.compile(rf"^[ \t]*+{_GETS}[!%][^\n]*$", re.MULTILINE)
#: A magic that runs the Python behind it, with the magic's own options.
_RUNS = re.compile(
    rf"^([ \t]*+)({_GETS}%%?(?:time|timeit|prun|memit|mprun|lprun|debug)"
    r"(?:[ \t]+-\w+(?:[ \t]+\d+(?=[ \t]))?)*[ \t]+)(?=\S)"
)
_REST_OF_LINE = re.compile(r"[^\n]+")
#: What a shell tool hands to the command that it runs.
_FED = frozenset({"stdin", "input", "heredoc"})
#: Places where a command does no more harm for being run there.
_ORDINARY = frozenset({"workspace", "temp", "homework", "unknown", "other"})
#: Kinds whose arguments may hold code under any name.
_OTHERS = frozenset({"mcp", "unknown", "http", "browser"})
#: Arguments of a shell tool that are not run.
_ASIDE = frozenset(
    {"description", "summary", "explanation", "thought", "reason", "reasoning", "justification", "cwd",
     "workdir", "working_dir", "working_directory", "directory", "timeout", "security_risk", "id",
     "session_id", "session", "is_input", "is_background", "run_in_background", "shell", "title", "name"}
)  # fmt: skip


def shell_fields_of(view: View) -> tuple[Field, ...]:
    """What a shell gets to run."""
    kind, roles = view.kind, tools().roles
    if kind == "shell":
        return _commands(view)
    if kind == "python":
        return tuple(_shell_of_code(view))
    if kind in ("file-read", "file-write", "search", "web-search", "note"):
        return ()
    return tuple(field for field in view.texts if field.key in roles["command"] and field.text)


def _commands(view: View) -> tuple[Field, ...]:
    """The commands of a shell tool; where none of its arguments is named like one, all of them."""
    texts = view.texts
    if len(texts) == 1:
        return texts
    roles = tools().roles
    named = [field for field in texts if field.key in roles["command"]]
    if not named:
        return tuple(field for field in texts if field.key not in _ASIDE) or texts
    fields = [*_unsplit(named), *(field for field in texts if field.key in _FED)]
    program = next((one for one in named if one.exact and one.path.count(".") == 1), None)
    extra = [one for one in texts if one.key in roles["arguments"]]
    if program is not None and extra:
        fields.insert(0, _with_arguments(program, extra))
    where = next((field.text for field in texts if field.key in roles["directory"]), "")
    if where and place_of(where).name not in _ORDINARY:
        fields += [_from(where, field) for field in fields]
    return tuple(fields)


def _from(where: str, field: Field) -> Field:
    """The command as it is run in a directory where that matters: ``rm -rf *`` in ``/``."""
    return Field(field.path, f"cd {shlex.quote(where)} && {field.text}", field.key, exact=False)


def _with_arguments(program: Field, extra: list[Field]) -> Field:
    """``{"command": "rm", "args": ["-rf", "/"]}`` as the one line that it is."""
    line = next((one for one in extra if not one.exact), None)
    words = line.text if line else " ".join(one.text for one in extra)
    return Field(program.path, f"{program.text} {words}", program.key, exact=False)


def _unsplit(fields: list[Field]) -> Iterator[Field]:
    """Without the words of an argument list that is there as a line; lists of commands stay apart."""
    lines = [field for field in fields if not field.exact]
    joined = tuple(f"{line.path}." for line in lines if not line.key.endswith("s"))
    apart = {line.path for line in lines if line.key.endswith("s")}
    for field in fields:
        if joined and field.exact and field.path.startswith(joined):
            continue
        if field.exact or field.path not in apart:
            yield field


def _shell_of_code(view: View) -> Iterator[Field]:
    """Shell code that a language tool was given: by its language, or by a notebook's magics."""
    language = _language_told(view)
    for field in _code_fields(view):
        cell = _CELL.match(field.text)
        if (language or _cell_language(field.text)) == "shell":
            yield field if cell is None else field._replace(text=_blanked(field.text, 0, cell.end()))
        elif _LINE.search(field.text):
            yield field._replace(text=_magics(field.text))
    roles = tools().roles
    yield from (
        field for field in view.texts if field.key in roles["command"] - roles["code"] and field.text
    )


def _cell_language(text: str) -> str | None:
    cell = _CELL.match(text)
    return tools().language_of(cell[1]) if cell else None


def _language_told(view: View) -> str | None:
    names = tools().roles["language"]
    told = next((field.text for field in view.texts if field.key in names), "")
    return tools().language_of(told.strip()) if told else None


def _code_fields(view: View) -> list[Field]:
    """The code of a language tool; where none of its arguments is named like code, all of them."""
    roles = tools().roles
    texts = [field for field in view.texts if field.exact]
    named = [field for field in texts if field.key in roles["code"]]
    aside = _ASIDE | roles["language"] | roles["command"]
    return named or [field for field in texts if field.key not in aside]


def _magics(text: str) -> str:
    """Only what a notebook hands to the shell; the rest is blank, so that spans stay true."""
    return _halves(text)[0]


@lru_cache(maxsize=1)
def _halves(text: str) -> tuple[str, str]:
    """What a notebook hands to the shell, and the rest. Kept, since one is asked for after the other."""
    lines = text.split("\n")
    unique = dict.fromkeys(lines)
    both = [{line: become(line) for line in unique} for become in (_magic, _without_magic)]
    shell, rest = ("\n".join(map(half.__getitem__, lines)) for half in both)
    return shell, rest


def _magic(line: str) -> str:
    found = _LINE.match(line) if "!" in line or "%" in line else None
    return " " * len(line) if found is None else " " * found.start(2) + found[2]


def _blank(text: str) -> str:
    """As many characters, in as many lines."""
    return _REST_OF_LINE.sub(lambda rest: " " * len(rest[0]), text)


def _blanked(text: str, start: int, end: int) -> str:
    return text[:start] + _blank(text[start:end]) + text[end:]


def _without_magics(text: str) -> str:
    """The code of a cell without what Python can't read."""
    if ("%" not in text and "!" not in text) or not _MAGIC.search(text):
        return text
    return _halves(text)[1]


def _without_magic(line: str) -> str:
    if "!" not in line and "%" not in line:
        return line
    if found := _RUNS.match(line):
        return f"{found[1]}{'0;'.ljust(len(found[2]))}{line[found.end() :]}"
    return " " * len(line) if _MAGIC_LINE.match(line) else line


def code_in(view: View) -> dict[str, tuple[CodePart, ...]]:
    """All code of an action, by language."""
    found: dict[str, list[CodePart]] = {}
    if view.kind == "shell" and all(script.plain for _, script in view.scripts):
        return {}
    for language, part in _all_code(view):
        found.setdefault(language, []).append(part)
    return {language: tuple(parts) for language, parts in found.items()}


def _all_code(view: View) -> Iterator[tuple[str, CodePart]]:
    for field, script in view.scripts:
        for code in script.code:
            yield code.language, CodePart(field, code.text, code.span, code.context)
        yield from written_by_script(field, script)
    kind = view.kind
    if kind == "python":
        yield from _code_of_tool(view)
    elif kind == "sql":
        yield from (("sql", _whole(field)) for field in _sql_fields(view))
    elif kind == "file-write":
        yield from written_by_tool(view)
    elif kind in _OTHERS:
        yield from _by_name(view)


def _code_of_tool(view: View) -> Iterator[tuple[str, CodePart]]:
    told = _language_told(view)
    for field in _code_fields(view):
        language = told or _cell_language(field.text) or "python"
        text = _without_magics(field.text) if language == "python" else field.text
        if language != "shell" and text:
            yield language, CodePart(field, text, (0, len(text)))


def _sql_fields(view: View) -> list[Field]:
    roles = tools().roles
    texts = [field for field in view.texts if field.exact]
    return [
        field for field in texts if field.key in roles["sql"] or field.key in ("query", "queries")
    ] or texts


def _by_name(view: View) -> Iterator[tuple[str, CodePart]]:
    """Code in the arguments of any other tool: by their names, SQL also by how it begins."""
    roles = tools().roles
    for field in view.texts:
        if field.key in ("python", "python_code"):
            yield "python", _whole(field)
        elif field.key in roles["sql"] or (field.key in ("query", "queries") and _SQL.match(field.text)):
            yield "sql", _whole(field)
        elif field.key in roles["code"] and view.kind == "browser":
            yield "node", _whole(field)


def _whole(field: Field) -> CodePart:
    return CodePart(field, field.text, (0, len(field.text)))
