"""Where code stands in an action: what a shell gets to run, and code in other languages."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from hashlib import sha256
from typing import TYPE_CHECKING

import re2

from guardtier.analyzers.effects.targets import place_of
from guardtier.analyzers.fields import Field
from guardtier.analyzers.notebook import CELL, LINE, blanked, cell_language, magics, without_magics
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
#: What a shell tool hands to the command that it runs.
_FED = frozenset({"stdin", "input", "heredoc"})
#: How a shell would run code in a language that no parser of ours reads: rated as that is.
_ONE_LINERS = {
    "node": "node -e", "ruby": "ruby -e", "perl": "perl -e", "php": "php -r", "powershell": "pwsh -Command",
    "applescript": "osascript -e", "other": "lua -e",
}  # fmt: skip
_AS_COMMANDS = _ONE_LINERS.keys() | {"compiled"}  #: languages whose code is rated as a shell's command
_HARDLY_READ = frozenset({"compiled", "other"})
_REACHES = re2.compile(
    r"(?i)\b(?:os|exec|net|http|ioutil|syscall|fs|process|runtime|files?|socket|tcp\w*|unix|popen|fork|unlink|"
    r"remove|delete\w*|rename|f?open|write(?:file|string|all\w*|bytes|text)?|command|dial|connect|url|download\w*|"
    r"run|shell|reflect|unsafe|extern|dlopen|load\w*|asm|eval|source)\s*[.(!:{<\"'`/]|\bsystem2?\s*\(|"
    r"\"(?:os|net|syscall|unsafe|plugin)[/\"]"
)
_END = "GUARDTIER_END_OF_CODE"
_FEW_QUOTES = 1_000


def _as_command(language: str, code: str) -> str:
    """How a shell would run it, in one of :data:`_AS_COMMANDS`.

    What holds many quotes is its input: quoted, a megabyte of them took a quarter of a second.
    """
    if language == "compiled":
        return f"{_fed('cat > main.go', code)}\ngo run main.go"
    one_liner = _ONE_LINERS[language]
    if language != "other" and code.count("'") > _FEW_QUOTES:
        return _fed(f"{one_liner.partition(' ')[0]} -", code)
    return f"{one_liner} {shlex.quote(code)}"


def _fed(command: str, text: str) -> str:
    """With a here-document, which ends at no line of the text's own."""
    end = f"{_END}_{sha256(text.encode('utf-8', 'replace')).hexdigest()}" if _END in text else _END
    return f"{command} <<'{end}'\n{text}\n{end}"


#: What a browser runs within a page.
_PAGE = frozenset({"script"})
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
    aside = _PAGE if kind == "browser" else frozenset()
    return tuple(field for field in view.texts if field.key in roles["command"] - aside and field.text)


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
        if language in _AS_COMMANDS:
            if field.text:
                yield field._replace(text=_as_command(language, field.text), exact=False)
            continue
        cell = CELL.match(field.text)
        if (language or cell_language(field.text)) == "shell":
            yield field if cell is None else field._replace(text=blanked(field.text, 0, cell.end()))
        elif LINE.search(field.text):
            yield field._replace(text=magics(field.text))
    if tools().spoken_by(view.action.tool_name) is None:
        roles = tools().roles
        yield from (
            field for field in view.texts if field.key in roles["command"] - roles["code"] and field.text
        )


def _language_told(view: View) -> str | None:
    names = tools().roles["language"]
    told = next((field.text for field in view.texts if field.key in names), "")
    return tools().language_of(told.strip()) if told else tools().spoken_by(view.action.tool_name)


def reaches_out(view: View) -> bool:
    """Whether code of a tool does more than compute, in a language of which few calls are known."""
    return _language_told(view) in _HARDLY_READ and any(
        _REACHES.search(field.text) for field in _code_fields(view)
    )


def _code_fields(view: View) -> list[Field]:
    """The code of a language tool; where none of its arguments is named like code, all of them."""
    roles = tools().roles
    texts = [field for field in view.texts if field.exact]
    named = [field for field in texts if field.key in roles["code"]]
    if not named and tools().spoken_by(view.action.tool_name):
        named = [field for field in texts if field.key in roles["command"]]
    aside = _ASIDE | roles["language"] | roles["command"]
    return named or [field for field in texts if field.key not in aside]


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
    for field in () if told in _AS_COMMANDS else _code_fields(view):
        language = told or cell_language(field.text) or "python"
        text = without_magics(field.text) if language == "python" else field.text
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
        elif field.key in roles["code"] | _PAGE and view.kind == "browser":
            yield "node", _whole(field)


def _whole(field: Field) -> CodePart:
    return CodePart(field, field.text, (0, len(field.text)))
