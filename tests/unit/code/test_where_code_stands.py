"""Code is found in a tool's arguments, in shell commands and in files, and findings point at it."""

from __future__ import annotations

import pytest

from guardtier.action import ActionEvent
from guardtier.analyzers.code import PythonSecurityAnalyzer, SqlSecurityAnalyzer
from guardtier.assessment import Assessment
from guardtier.risk import SecurityRisk

PYTHON, SQL = PythonSecurityAnalyzer(), SqlSecurityAnalyzer()


def rated(tool: str, **arguments: object) -> Assessment:
    action = ActionEvent(fleet="f", agent="a", tool_name=tool, arguments=arguments)
    found = PYTHON.assess(action)
    assert isinstance(found, Assessment)
    return found


@pytest.mark.parametrize(
    "command",
    [
        "python3 -c \"import os; os.remove('/etc/passwd')\"",
        "sudo python3 -c 'import os; os.remove(\"/etc/passwd\")'",
        "python3 - <<'EOF'\nimport os\nos.remove('/etc/passwd')\nEOF",
        "python3 <<EOF\nimport os\nos.remove('/etc/passwd')\nEOF",
        "cd src && echo \"import os; os.remove('/etc/passwd')\" | python3",
        "cat > x.py <<'EOF'\nimport os\nos.remove('/etc/passwd')\nEOF\npython3 x.py",
        'bash -c "python3 -c \\"import os; os.remove(\'/etc/passwd\')\\""',
        "find . -name x -exec python3 -c \"import os; os.remove('/etc/passwd')\" \\;",
        "docker exec web python -c \"import os; os.remove('/etc/passwd')\"",
    ],
)
def test_python_in_a_shell_command_is_read(command: str) -> None:
    found = rated("terminal", command=command)

    assert found.risk is SecurityRisk.HIGH
    assert "python.delete.accounts" in [finding.id for finding in found.findings]


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("python", {"code": "import os; os.remove('/etc/passwd')"}),
        ("ipython", {"code": "import os; os.remove('/etc/passwd')"}),
        ("execute_python", {"script": "import os; os.remove('/etc/passwd')"}),
        ("write_file", {"path": "fix.py", "content": "import os; os.remove('/etc/passwd')"}),
    ],
)
def test_python_in_a_tools_arguments_is_read(tool: str, arguments: dict[str, str]) -> None:
    assert rated(tool, **arguments).risk is SecurityRisk.HIGH


def test_a_span_points_to_the_call() -> None:
    code = "# é\nimport os\n\n\tx = 1\n".replace("\t", "") + "os.remove( '/etc/passwd' )  # gone\n"

    (finding,) = rated("python", code=code).findings

    assert finding.field == "arguments.code"
    assert finding.span is not None
    assert code[slice(*finding.span)] == "os.remove( '/etc/passwd' )"


def test_a_span_in_a_text_that_is_all_indented_points_to_the_call() -> None:
    code = "    import os\n\n    # é\n    os.remove('/etc/passwd')\n"

    (finding,) = rated("python", code=code).findings

    assert finding.span is not None
    assert code[slice(*finding.span)] == "os.remove('/etc/passwd')"


def test_a_span_within_a_shell_command_points_to_the_call() -> None:
    command = "cd /tmp && python3 - <<'EOF'\nimport os\nos.remove('/etc/passwd')\nEOF"

    finding = next(
        one for one in rated("terminal", command=command).findings if one.id == "python.delete.accounts"
    )

    assert finding.field == "arguments.command"
    assert finding.span is not None
    assert command[slice(*finding.span)] == "os.remove('/etc/passwd')"


@pytest.mark.parametrize("tool", ["terminal", "write_file", "some_unknown_tool"])
def test_harmless_code_in_something_else_abstains(tool: str) -> None:
    """LOW here would stand in for the UNKNOWN of whoever reads the rest."""
    arguments = (
        {"path": "x.py", "content": "print(1)"}
        if tool == "write_file"
        else {"command": "python -c 'print(1)'"}
    )

    assert rated(tool, **arguments).risk is SecurityRisk.UNKNOWN


def test_what_has_no_code_abstains() -> None:
    action = ActionEvent(fleet="f", agent="a", tool_name="terminal", arguments={"command": "ls"})

    assert PYTHON.assess(action).risk is SecurityRisk.UNKNOWN
    assert SQL.assess(action).risk is SecurityRisk.UNKNOWN


def test_a_thought_is_never_read_as_code() -> None:
    action = ActionEvent(
        fleet="f", agent="a", tool_name="python", arguments={"code": "print(1)"},
        thought="import os; os.remove('/etc/passwd')", summary="os.remove('/etc/passwd')",
    )  # fmt: skip

    assert PYTHON.assess(action).risk is SecurityRisk.LOW
