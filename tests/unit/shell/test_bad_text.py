"""Bad text: what does not parse is scanned, what is too much is cut, and nothing raises."""

from __future__ import annotations

import random

import pytest

from bounded import bounded
from guardtier.analyzers.shell import read
from shelltables import programs

SIZE = 1 << 16


@pytest.mark.parametrize(
    "text",
    [
        'echo "it; rm -rf /',
        "echo 'it; rm -rf /",
        "echo it's\nrm -rf /",
        "rm -rf / 'x",
        "x=${y; rm -rf /",
        "echo $((1; rm -rf /",
        "if true; then rm -rf /",
        "( rm -rf /",
        "{ rm -rf /",
        "rm -rf / )",
        "for x in a; do rm -rf /",
        "echo $(rm -rf /",
        "echo `rm -rf /",
        "case x in a) rm -rf /",
        "fi; rm -rf /",
        "done\nrm -rf /",
        "a ;; rm -rf /",
        "] } ) ; rm -rf /",
        "<<< ; rm -rf /",
        'echo "$(echo \'x)"; rm -rf /',
        "cat <<EOF > x; rm -rf /\nbody",
        "[[ a && b; rm -rf / ]]",
    ],
)
def test_what_does_not_parse_is_scanned(text: str):
    script = read(text)

    assert script.broken
    found = programs(text)
    assert any(
        line.startswith(("rm -rf /", "then rm -rf /", "do rm -rf /")) or " rm -rf /" in line
        for line in found
    )


@pytest.mark.parametrize("text", ["echo 'a", "ls", "f() { a; }", "cat <<E\nx\nE"])
def test_broken_means_broken(text: str):
    assert read(text).broken is (text == "echo 'a")


UNITS = [
    "a", "a;", "$(", "(", "{ ", "<(", '"', "'", "\\", "\n", " ", "`", "${", "$((", "[[ ", "a|",
    "a&&", "if ", "for x in ", "case x in a) ", "f(){ ", "$x", "$IFS", "{a,b}", "/e?c", "x=$x$x;",
    '"$(', '`"', "$'\\x41'", "#", ";;", ">f ", "=(", "a=(", "''", "r''m ", "echo x | ", "sudo ",
    "eval ", "\x00", "\ud800", "a\r\n", "((", "))", "}", "!", "<", "<<a\n", "<<a <<b ", "?(", "[",
    "env a=b ", 'sh -c "', "xargs ", "[[ $( ", "${x:-", "find . -exec ", "eval a;", "echo a | sh;",
    "base64 -d | sh <<< ", "$(a);", "`a`;", "x=a;$x;", "f() { f f; }; f f;", "{1..9}", "${x//a/b}",
    "for i in a b; do x=$x$i;",
]  # fmt: skip


@pytest.mark.parametrize("unit", UNITS)
def test_much_of_the_same_is_read_or_cut(unit: str):
    text = (unit * (SIZE // len(unit)))[:SIZE] + "\nrm -rf /\n"

    script = read(text)

    assert len(script.commands) < 20_000
    assert all(
        0 <= start <= end <= len(text) for start, end in (command.span for command in script.commands)
    )
    if not unit.startswith(("<<", "#")):
        assert script.cut or script.broken or "rm -rf /" in programs(text)


@pytest.mark.parametrize("unit", ["case x in ", "case ", "x&& ", "[[ ", "((", "$((", "<<A\n"])
def test_two_megabytes_are_read_in_bounded_time(unit: str):
    """A thousand cases without their ends took 8.5 s a megabyte, in which a worker did nothing else."""
    text = unit * (2_000_000 // len(unit))

    with bounded():
        found = read(text)

    assert found.cut or found.broken


@pytest.mark.parametrize(
    ("left", "right"),
    [("(", ")"), ("$(", ")"), ("{ ", ";}"), ('"$(', ')"'), ("<(", ")"), ("if a; then ", ";fi")],
)
def test_ten_thousand_brackets(left: str, right: str):
    text = left * 10_000 + "rm -rf /" + right * 10_000

    script = read(text)

    assert script.cut or "rm -rf /" in programs(text)


@pytest.mark.parametrize("depth", [1, 30, 300])
@pytest.mark.parametrize(
    ("left", "right"), [("( ", ")"), ("$(", ")"), ('"$(', ')"'), ("a <(", ")"), ("${x:-", "}")]
)
def test_what_is_deep_inside_is_found(left: str, right: str, depth: int):
    inner = "rm -rf /" if left != "${x:-" else "$(rm -rf /)"

    assert "rm -rf /" in programs("echo " * (left != "( ") + left * depth + inner + right * depth)


@pytest.mark.parametrize("seed", range(200))
def test_nothing_raises(seed: int):
    chance = random.Random(seed)
    pieces = [
        *"$(){}[]'\"\\`;|&<>\n#=!*?~ ",
        "a",
        "rm",
        "$x",
        "${",
        "<<E",
        "E\n",
        "if ",
        "fi",
        "sh -c ",
        "\x00",
        "\ud800",
        "$((",
    ]
    text = "".join(chance.choices(pieces, k=chance.randrange(1, 400)))

    script = read(text)

    for command in script.commands:
        assert 0 <= command.span[0] <= command.span[1] <= len(text)
        for word in command.args:
            assert 0 <= word.span[0] <= word.span[1] <= len(text)
            assert word.known or "\x00" in word.text


def test_what_is_deep_inside_a_text_inside_is_found():
    assert "rm -rf /" in programs("sh -c '" + "$(" * 100 + "rm -rf /" + ")" * 100 + "'")
    assert "rm -rf /" in programs(
        "sudo " * 9 + "bash -c \"sh -c '" + "echo $(" * 60 + "rm -rf /" + ")" * 60 + "'\""
    )


def test_a_script_that_runs_itself_is_read_once():
    assert programs("echo 'sh x' > x; sh x") == ["echo sh x", "sh x", "sh x"]
    assert len(programs("f() { f a; }; f a")) < 200
