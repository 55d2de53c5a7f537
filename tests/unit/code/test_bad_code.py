"""Input that no honest program sends: rated in bounded time, without an exception, never LOW unread."""

from __future__ import annotations

import time

import pytest

from bounded import bounded
from guardtier.action import ActionEvent
from guardtier.analyzers.code import PythonSecurityAnalyzer, SqlSecurityAnalyzer
from guardtier.analyzers.code.python import MAX_FOLLOWED
from guardtier.assessment import Assessment
from guardtier.risk import SecurityRisk

PYTHON, SQL = PythonSecurityAnalyzer(), SqlSecurityAnalyzer()
MEBI = 1 << 20


def rated(code: str, tool: str = "python") -> Assessment:
    action = ActionEvent(fleet="f", agent="a", tool_name=tool, arguments={"code": code})
    found = (SQL if tool == "sql" else PYTHON).assess(action)
    assert isinstance(found, Assessment)
    return found


@pytest.fixture(scope="module", autouse=True)
def _what_is_imported_late_is_there() -> None:
    """Else whichever is measured first in a process has a second's share of imports in its time."""
    for tool in ("python", "sql"):
        rated("import os\nos.system(x)\n", tool)


@pytest.mark.parametrize(
    "code",
    [
        "import os; os.remove('/etc/passwd'",
        "print 'x'\nimport os\nos.system('rm -rf /')",
        "import os\nos.system('rm -rf /')\x00",
        "import os; os.system('rm -rf /') \ud800",
        "x = " + "(" * 500 + "1" + ")" * 500 + "\nimport os\nos.system('rm -rf /')",
        "import os\nos.system('rm -rf /')\n" + "x = 1  # padding to be too long to parse\n" * 2000,
        "import os\n" + "os.getcwd()\n" * 9000 + "os.remove('/etc/passwd')",
        "import subprocess\n" + "x = 1\n" * 9000 + "subprocess.run(['rm', '-rf', '/'])",
        "x = 1\n" * 9000 + "exec(__import__('base64').b64decode('cHJpbnQoMSk='))",
        "x = 1\n" * 9000 + "import sqlite3\nsqlite3.connect('a').execute('DROP TABLE users')",
        "import os\nos.system(" + " + ".join(f"'{char}'" for char in "rm -rf /" + " " * 3000) + ")",
        "import os\n" + "os.system('ls')\n" * 500 + "os.system('rm -rf /')",
    ],
)
def test_what_cannot_be_parsed_is_searched(code: str) -> None:
    assert rated(code).risk is SecurityRisk.HIGH


def test_a_lone_surrogate_breaks_nothing() -> None:
    assert rated("import os\nos.environ['\\ud800'] = '\\ud800'").risk is SecurityRisk.LOW


@pytest.mark.parametrize(
    "code", ["def f(:\n  os.", "rm -rf build", "import os; os.system(", "x = \x00", "print 'x'"]
)
def test_what_cannot_be_read_is_never_low(code: str) -> None:
    assert rated(code).risk is not SecurityRisk.LOW


UNITS = [
    "(",
    "[",
    "{",
    "'",
    '"',
    "'''",
    "\\",
    "\x00",
    "\ud800",
    "é",
    "a.",
    "a=b\n",
    "os.system('ls')\n",
    "-",
    "lambda:",
    "f'{",
    "exec(",
    "'/etc/a';",
    "#",
    "\n",
    "\r",
    "\t",
    "1,",
    "if a:\n ",
    "*",
    "open('/etc/x','w')\n",
    "@",
    "not ",
    "delete from t;",
    "--\n",
    "/*",
    "''",
    "drop table x;",
    "update t set a=1 where (b=1);",
    "where ",
    ";",
    "$a$",
]


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("tool", ["python", "sql"])
def test_a_mebibyte_of_anything_is_rated_in_bounded_time(unit: str, tool: str) -> None:
    head = "import os, subprocess\nos.system(x); os.remove(x); cur.execute(" if tool == "python" else ""
    code = head + unit * (MEBI // len(unit))
    start = time.process_time()

    rated(code, tool)

    assert time.process_time() - start < 1.5  # a tenth of it on an idle core; this is to see a square


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("size", [1000, 20_000])
def test_what_is_small_enough_to_parse_is_rated_in_bounded_time(unit: str, size: int) -> None:
    code = "import os, subprocess\nos.system(x); os.remove(x)\n" + unit * (size // len(unit))
    start = time.process_time()

    rated(code)

    assert time.process_time() - start < 1.0


@pytest.mark.parametrize(
    "code",
    [
        "import os\nx = 'a'\n" + "x = x + x\n" * 60 + "os.system(x)",
        "import os\nos.system('%1000000000d' % 1)",
        "import os\nos.system('{:>1000000000}'.format(1))",
        "import os\nos.system('a' * 10 ** 10)",
        "import os\nos.system(('a' * 1000).replace('a', 'b' * 100000))",
        "import os, zlib\nos.system(zlib.decompress(b'x'))",
        "import os\na = b\nb = a\nos.system(a)",
        "import os\ndef f(x): return f(x)\nos.system(f(1))",
        "import os\nos.system(9 ** 9 ** 9)",
        "import os\nos.system(''.join(x for x in os.listdir(x)))",
        "import os\nos.system(*x, **y)",
        "import os\nfor os.x[0], (a, *b) in c:\n    os.system(a)",
        "import os\nmatch x:\n    case A(b=1): os.system('ls')",
        "import os\nos.remove('\\ud800')",
        "import os\nos.system('\\x00')",
        "import requests\nrequests.get('\\ud800')",
        "exec('exec(' * 50)",
    ],
)
def test_values_that_blow_up_are_left_alone(code: str) -> None:
    assert rated(code).risk is not SecurityRisk.LOW


def test_a_thousand_pieces_of_code_are_too_many_to_be_read():
    """40,000 of them, in one action of a MiB, took a minute, in which a worker did nothing else."""
    pieces = {"code": ["format(__import__\n"] * 40_000}
    action = ActionEvent(fleet="web", agent="a", tool_name="python", arguments=pieces)

    with bounded():
        found = PYTHON.assess(action)

    assert found.risk is SecurityRisk.HIGH
    assert "python.obscured.size" in {finding.id for finding in found.findings}


def test_so_many_cells_that_run_something_are_followed_and_no_more():
    cells = [f'os.system("ls {number}")\n' for number in range(MAX_FOLLOWED + 1)]

    most, over = (
        PYTHON.assess(ActionEvent(fleet="web", agent="a", tool_name="python", arguments={"code": code}))
        for code in (cells[:-1], cells)
    )

    assert (most.risk, over.risk) == (SecurityRisk.MEDIUM, SecurityRisk.HIGH)
    assert "python.obscured.size" in {finding.id for finding in over.findings}


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("terminal", {"command": "python3 -c 'x = 1'"}),
        ("terminal", {"command": "python3 - <<E\nprint(1)\nE"}),
        ("file_editor", {"command": "create", "path": "a.py", "file_text": "print(1)"}),
    ],
)
def test_only_a_tool_for_python_is_low_by_its_code(tool: str, arguments: dict[str, str]):
    """Of anything else, the code is not all: other analyzers say what that comes to."""
    action = ActionEvent(fleet="web", agent="a", tool_name=tool, arguments=arguments)

    assert PYTHON.assess(action).risk is SecurityRisk.UNKNOWN
    assert rated("x = 1\nprint(1)").risk is SecurityRisk.LOW


def test_a_notebook_of_two_hundred_cells_is_read():
    cells = {"code": ["import os\nprint(os.getcwd())"] * 200}
    action = ActionEvent(fleet="web", agent="a", tool_name="python", arguments=cells)

    assert PYTHON.assess(action).risk is SecurityRisk.LOW


def test_what_is_only_scanned_says_the_same_in_each_process():
    """Effects are a set, whose order is each process's own: two workers told them in two orders."""
    found = rated("import os\nopen('/etc/passwd', m).write(x\nos.chmod('/etc/passwd', 7)\nos.remove(p)")
    said = [finding.id for finding in found.findings if finding.id.endswith(".accounts")]
    assert said == [f"python.{effect}.accounts" for effect in ("delete", "permissions", "read", "write")]
