"""What kind a tool is, and what an action's view makes of its arguments."""

from __future__ import annotations

from typing import Any

import pytest

from guardtier import ActionEvent, ToolAnnotations
from guardtier.analyzers.tools import tools
from guardtier.analyzers.view import View, view_of


def view(tool_name: str, arguments: dict[str, Any], **fields: Any) -> View:
    return View(ActionEvent(fleet="web", agent="coder", tool_name=tool_name, arguments=arguments, **fields))


KINDS = [
    ("terminal", {"command": "ls"}, "shell", True),
    ("Bash", {"command": "ls"}, "shell", True),
    ("run-shell-command", {"command": "ls"}, "shell", True),
    ("python", {"code": "1"}, "python", True),
    ("WebFetch", {"url": "https://a.example"}, "http", True),
    ("str_replace_editor", {"command": "create", "path": "a", "file_text": ""}, "file-write", True),
    ("str_replace_editor", {"command": "view", "path": "a"}, "file-read", True),
    ("Read", {"file_path": "a"}, "file-read", True),
    ("grep", {"pattern": "x"}, "search", True),
    ("mcp__files__write_file", {"path": "a", "content": ""}, "file-write", False),
    ("mcp__filesystem__read_text_file", {"path": "a"}, "file-read", True),
    ("mcp__playwright__browser_snapshot", {}, "browser", True),
    ("mcp__filesystem2__read_text_file", {"path": "a"}, "file-read", False),
    ("Task", {"description": "look", "prompt": "Find rm -rf", "subagent_type": "x"}, "note", True),
    ("Task", {"command": "rm -rf /"}, "shell", False),
    ("files.write_file", {"path": "a", "content": ""}, "file-write", False),
    ("acme_runner", {"command": "ls"}, "shell", False),
    ("acme_editor", {"path": "a", "content": "x"}, "file-write", False),
    ("acme_loader", {"url": "https://a.example"}, "http", False),
    ("acme_store", {"sql": "SELECT 1"}, "sql", False),
    ("acme_issue", {"number": 4}, "unknown", False),
    ("mcp__acme__issue", {"number": 4}, "mcp", False),
]


@pytest.mark.parametrize(("name", "arguments", "kind", "known"), KINDS)
def test_a_tool_is_told_by_its_name_else_by_its_arguments(
    name: str, arguments: dict[str, Any], kind: str, known: bool
):
    tool = view(name, arguments).tool

    assert (tool.kind, tool.known) == (kind, known)


def test_no_name_is_in_two_kinds():
    names = [name for entry in tools()._data.kinds.values() for name in entry.names]

    assert len(names) == len(set(names))


SHELL_TEXTS = [
    ("terminal", {"command": "ls"}, ["ls"]),
    ("terminal", {"command": "ls", "description": "rm -rf /"}, ["ls"]),
    ("terminal", {"input": "ls"}, ["ls"]),
    ("shell", {"command": ["bash", "-lc", "rm x"], "workdir": "/app"}, ["bash -lc 'rm x'"]),
    ("run_command", {"command": "rm", "args": ["-rf", "/"]}, ["rm -rf /", "rm"]),
    ("shell", {"command": "sh", "stdin": "rm x"}, ["sh", "rm x"]),
    ("shell", {"command": "rm *", "cwd": "/etc"}, ["rm *", "cd /etc && rm *"]),
    ("shell", {"command": "rm *", "cwd": "/workspace"}, ["rm *"]),
    ("shell", {"commands": ["ls", "rm x"]}, ["ls", "rm x"]),
    ("acme", {"options": {"command": "rm x"}}, ["rm x"]),
    ("code_interpreter", {"language": "bash", "code": "rm x"}, ["rm x"]),
    ("ipython", {"code": "x = 1\n!rm y\n"}, ["     \n rm y\n"]),
    ("jupyter", {"code": "%%bash\nrm y"}, ["      \nrm y"]),
    ("ipython", {"code": "x = !rm y"}, ["     rm y"]),
    ("ipython", {"code": "a, b = %sx rm y"}, ["           rm y"]),
    ("ipython", {"code": "%rm y"}, [" rm y"]),
    ("python", {"code": "import os"}, []),
    ("write_file", {"path": "a.md", "content": "rm -rf /"}, []),
    ("grep", {"command": "rm -rf /"}, []),
]


@pytest.mark.parametrize(("name", "arguments", "texts"), SHELL_TEXTS)
def test_what_a_shell_gets_to_run(name: str, arguments: dict[str, Any], texts: list[str]):
    assert [field.text for field in view(name, arguments).shell_fields] == texts


CODE = [
    ("python", {"code": "import os"}, "python", "import os"),
    ("ipython", {"code": "!ls\nimport os"}, "python", "   \nimport os"),
    ("code_interpreter", {"language": "javascript", "code": "1"}, "node", "1"),
    ("sql", {"query": "DROP TABLE x"}, "sql", "DROP TABLE x"),
    ("acme", {"query": "-- all of it\nDROP TABLE x"}, "sql", "-- all of it\nDROP TABLE x"),
    ("write_file", {"path": "a.py", "content": "import os"}, "python", "import os"),
    (
        "write_file",
        {"path": "bin/x", "content": "#!/usr/bin/env python3\n"},
        "python",
        "#!/usr/bin/env python3\n",
    ),
    ("write_file", {"path": "bin/tool", "content": "#!/bin/sh -e\nrm x"}, "shell", "#!/bin/sh -e\nrm x"),
    ("write_file", {"path": "~/.bashrc", "content": "rm x"}, "shell", "rm x"),
    ("write_file", {"path": ".git/hooks/pre-push", "content": "rm x"}, "shell", "rm x"),
    ("Edit", {"file_path": "a.sh", "old_string": "x", "new_string": "rm x"}, "shell", "rm x"),
    ("apply_patch", {"input": "*** Begin Patch\n*** Add File: a.py\n+import os\n"}, "python", "import os"),
    ("apply_patch", {"diff": "--- a/x.sh\n+++ b/x.sh\n@@ -1 +1 @@\n-a\n+rm x\n"}, "shell", "rm x"),
]


@pytest.mark.parametrize(("name", "arguments", "language", "text"), CODE)
def test_code_is_found_in_its_language(name: str, arguments: dict[str, Any], language: str, text: str):
    assert [part.text.rstrip("\n") for part in view(name, arguments).code(language)] == [text.rstrip("\n")]


@pytest.mark.parametrize("path", ["README.md", "notes.txt", "data.json", "a", "docs/x.rst", "Makefile"])
def test_documents_and_data_are_no_code(path: str):
    seen = view("write_file", {"path": path, "content": "rm -rf /"})

    assert not any(seen.code(language) for language in ("shell", "python", "sql"))


USES = [
    ("write_file", {"path": "a", "content": "x"}, [("write", "a")]),
    ("delete_file", {"path": "a"}, [("delete", "a")]),
    ("move_file", {"source": "a", "destination": "b"}, [("delete", "a"), ("read", "a"), ("write", "b")]),
    ("copy_file", {"source": "a", "destination": "b"}, [("read", "a"), ("read", "a"), ("write", "b")]),
    ("read_files", {"paths": ["a", "b"]}, [("read", "a"), ("read", "b")]),
    (
        "apply_patch",
        {"input": "*** Update File: a\n+x\n*** Move to: b\n*** Delete File: c\n"},
        [("write", "a"), ("write", "b"), ("delete", "c")],
    ),
]


@pytest.mark.parametrize(("name", "arguments", "uses"), USES)
def test_what_a_file_tool_does_to_which_files(
    name: str, arguments: dict[str, Any], uses: list[tuple[str, str]]
):
    found = [(use.use, use.path.text) for use in view(name, arguments).files]

    assert list(dict.fromkeys(found)) == list(dict.fromkeys(uses))


def test_a_patch_without_a_file_is_no_error():
    assert view("apply_patch", {"input": "+++ \n*** Begin"}).files == ()


def test_a_path_names_the_string_in_a_nest():
    fields = view("acme", {"a": {"b": ["x", {"c": "y"}]}}).texts

    assert [(field.path, field.text) for field in fields] == [
        ("arguments.a.b.0", "x"),
        ("arguments.a.b.1.c", "y"),
    ]


def test_an_argument_list_has_no_span():
    line, *_ = view("shell", {"command": ["rm", "-rf", "/"]}).shell_fields

    assert line.text == "rm -rf /"
    assert line.place(0, 2) is None


def test_the_children_of_an_ensemble_share_a_view():
    action = ActionEvent(fleet="web", agent="coder", tool_name="terminal", arguments={"command": "ls"})

    assert view_of(action) is view_of(action)


def test_an_unknown_tool_is_unclear_until_it_says_what_it_does():
    assert view("acme", {}).unclear
    assert view("acme", {}, annotations=ToolAnnotations(destructiveHint=True)).unclear
    assert not view("acme", {}, annotations=ToolAnnotations(readOnlyHint=True)).unclear
    assert not view("terminal", {"command": "ls"}).unclear
