"""White space that to bash is a character of a word, and lines that go on: nothing hides behind either."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from guardtier.analyzers.shell import plain, read

BASH = shutil.which("bash")
HIDDEN = [
    "echo a\r#b; rm -rf x",
    "echo a \r#b; rm -rf x",
    "\r#b; rm -rf x",
    "echo \\\r\nrm -rf x",
    "echo 'a'\\\r\nrm -rf x",
    "bash -c 'echo \\\r\nrm -rf x'",
    "cat <<E\nE\r\ncat <<F\nE\nrm -rf x\nF\n",
    "cat <<'E' > y\nE\r\ncat <<'F'\nE\nrm -rf x\nF\n",
    "cat <<E\r\nE\ncat <<F\nE\r\nrm -rf x\nF\n",
    'echo "$\\\n(rm -rf x)"',
    "cat <<E\n$\\\n\\\n(rm -rf x)\nE\n",
    'echo "\\\\$\\\n(rm -rf x)"',
    "$\\\n'\\x72m' -rf x",
    "cat <<E\na\\\nE\ncat <<F\nE\nrm -rf x\nF\n",
    "cat <<E\n\\\nE\nrm -rf x\n",
    "cat <<-E\n\tE\\\n\nrm -rf x\ncat <<F\nE\nF\n",
    "cat <<E\\\n\nE\nrm -rf x\n",
    "cat <<E\na\\\\\nE\nrm -rf x\n",
    "cat <<'E'\na\\\nE\nrm -rf x\n",
    "case \x0b# in \x0b#) rm -rf x;; esac",
    *[f"echo a\n{space}#b; rm -rf x" for space in "\r\x0b\x0c\x1f\u00a0\u2028"],
]


@pytest.mark.parametrize("text", HIDDEN)
def test_what_bash_runs_is_read(text: str):
    assert "rm" in {command.program for command in read(text).commands}


@pytest.mark.skipif(BASH is None, reason="bash is not installed")
@pytest.mark.parametrize("text", HIDDEN)
def test_bash_runs_it(text: str, tmp_path):
    wrapped = f"rm() {{ builtin echo RAN; }}; export -f rm\n{text}"
    done = subprocess.run(
        [str(BASH), "-c", wrapped], cwd=tmp_path, capture_output=True, timeout=60, check=False
    )

    assert b"RAN" in done.stdout


def test_a_terminal_ends_the_line_there():
    assert [command.program for command in read("echo a\rrm -rf x").commands][1] == "rm"


def test_lines_that_end_in_one_are_read_once():
    script = read("echo a\r\ncat <<E\r\n1\r\nE\r\nls\r\n")

    assert [command.program for command in script.commands] == ["echo", "cat", "ls"]
    assert not script.broken


@pytest.mark.parametrize("word", ['"$HO\\\nME"', "$H\\\nO\\\nME", '"${HO\\\nME}"', '"$\\\nHOME"'])
def test_a_name_in_two_lines_is_one(word: str):
    removed = [command.args[-1].text for command in read(f"rm -rf {word}").commands]

    assert read('rm -rf "$HOME"').commands[0].args[-1].text in removed


@pytest.mark.parametrize("space", ["\r", "\x0b", "\x0c", "\x1f", "\r\n"])
def test_what_follows_such_a_space_is_not_plain(space: str):
    assert plain.commands_of(f"echo a\n{space}ls") is None


def test_a_line_may_begin_with_blanks():
    commands = plain.commands_of("echo a\n \t\n  ls")

    assert commands is not None
    assert [command.program for command in commands] == ["echo", "ls"]
