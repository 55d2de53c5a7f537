"""Words: quotes, escapes, variables, braces and globs come to what the shell would see."""

from __future__ import annotations

import pytest

from guardtier.analyzers.shell import read
from shelltables import UNKNOWN


def words_of(text: str) -> list[str]:
    return [word.text for word in read(text).commands[-1].args]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x a b", ["a", "b"]),
        ("x 'a b' \"c d\"", ["a b", "c d"]),
        ("x a'b'\"c\"d", ["abcd"]),
        (r"x a\ b \$HOME \\ \;", ["a b", "$HOME", "\\", ";"]),
        ('x "a\\"b" "\\$x" "a\\nb"', ['a"b', "$x", "a\\nb"]),
        ("x ''", [""]),
        ('x "" a', ["", "a"]),
        ("x 'it'\\''s'", ["it's"]),
        ("x a\\\nb", ["ab"]),
        ("x a \\\n b", ["a", "b"]),
        ("x #no", []),
        ("x a#b '#c'", ["a#b", "#c"]),
        ("x $'a\\nb\\x41\\101\\u00e9'", ["a\nbAAé"]),
        ('x $"hello"', ["hello"]),
        ("x é ü'ö'", ["é", "üö"]),
        ("x a\x00b", ["ab"]),
        ("x \ud800", ["\ud800"]),
    ],
)
def test_quotes_and_escapes(text: str, expected: list[str]):
    assert words_of(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=/etc; x $a/passwd", ["/etc/passwd"]),
        ("a=/etc; x \"${a}/passwd\" '$a'", ["/etc/passwd", "$a"]),
        ("a='b c'; x $a \"$a\"", ["b", "c", "b c"]),
        ("a=1; a+=2; x $a", ["12"]),
        ("export a=/etc && x $a", ["/etc"]),
        ("x ${a:-/tmp} ${a-b} ${HOME:-c}", ["/tmp", "b", "~"]),
        ("x ${a:=d} $a", ["d", "d"]),
        ("a=1; x ${a:+set}", ["set"]),
        (
            "a=archive.tar.gz; x ${a%.gz} ${a%%.*} ${a#*.} ${a##*.}",
            ["archive.tar", "archive", "tar.gz", "gz"],
        ),
        ("a=abcdef; x ${a:1:2} ${a:3} ${a: -2}", ["bc", "def", "ef"]),
        ("a=xay; x ${a/a/b} ${a//[xy]/-} ${a^^} ${#a}", ["xby", "-a-", "XAY", "3"]),
        ("x ${HOME:0:1}etc ${PATH:0:1}", ["/etc", "/"]),
        ("x $HOME/.ssh ~/.ssh ~root/x", ["~/.ssh", "~/.ssh", "~root/x"]),
        ("x $unset $1 $? $(date)", [UNKNOWN] * 4),
        ("x a${unset}b", [f"a{UNKNOWN}b"]),
        ("a=; x $a b", ["b"]),
        ('a=(1 2); x ${a[1]} "${a[@]}" ${a[*]}', ["2", "1", "2", "1", "2"]),
        ("a=b; b=c; x ${!a}", ["c"]),
        ("x a$IFS'b'${IFS}c", ["a", "b", "c"]),
        ("IFS=,; a=b,c; x $a", ["b", "c"]),
        ('set -- a b; x $1 "$@"', ["a", "a", "b"]),
        ("d=/; x $d/*", ["/*"]),
        ("a='{b,c}'; x $a", ["{b,c}"]),
        ("for f in a b; do x $f/c; done", ["a/c", "b/c"]),
        ("if y; then d=/tmp; else d=/; fi; x $d", ["/tmp", "/"]),
        ("d=/; false && d=/tmp; x $d", ["/", "/tmp"]),
    ],
)
def test_variables(text: str, expected: list[str]):
    assert words_of(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x {a,b}c", ["ac", "bc"]),
        ("x a{b,{c,d}}", ["ab", "ac", "ad"]),
        ("x {a,b,a}", ["a", "b", "a"]),
        ("x {1..3} {a..c}", ["1", "2", "3", "a", "b", "c"]),
        ("x {} {a} '{a,b}' \"{a,b}\" {a\\,b}", ["{}", "{a}", "{a,b}", "{a,b}", "{a,b}"]),
        ("x {1..100000}", ["{1..100000}"]),
        ("x /e?c/p*wd", ["/etc/passwd"]),
        ("x /etc/shado[w]", ["/etc/shadow"]),
        ("x '/e?c/p*wd' *.py src/* /etc/* /*", ["/e?c/p*wd", "*.py", "src/*", "/etc/*", "/*"]),
    ],
)
def test_braces_and_globs(text: str, expected: list[str]):
    assert words_of(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x $(echo a)", "a"),
        ("x `echo a`", "a"),
        ('x "$(printf %s-%s a b)"', "a-b"),
        ("x $(echo a; echo b)", "a"),
        ("x \"$(cat <<'E'\nbody\nE\n)\"", "body"),
        ("x $(pwd)/b", "./b"),
        ("x $(dirname /etc/passwd) ", "/etc"),
        ("x $(command -v git || echo none)", "git"),
        ("x $(mktemp -d)", f"/tmp/tmp.{UNKNOWN}"),
        ("x $(date)", UNKNOWN),
        ("x $(uname -s | tr A-Z a-z)-$(uname -m)", "linux-x86_64"),
        ("x $(dpkg --print-architecture)", "amd64"),
        ("x $(uname -a)", UNKNOWN),
        ("x $((2)) ", "2"),
        ("x $((a+2))", UNKNOWN),
        ("x <(ls)", f"/dev/fd/{UNKNOWN}"),
    ],
)
def test_what_a_substitution_prints(text: str, expected: str):
    assert words_of(text)[0] == expected


def test_a_word_says_what_is_known_and_what_was_quoted():
    args = read("x a 'b' \"$c\" d'e'").commands[0].args

    assert [word.known for word in args] == [True, True, False, True]
    assert [word.quoted for word in args] == [False, True, True, False]


def test_a_word_stands_where_it_was_written():
    text = "sudo  rm -rf \"/var/$x\" 'é' >/dev/null"

    for command in read(text).commands:
        assert [text[slice(*word.span)] for word in command.args][-2:] == ['"/var/$x"', "'é'"]
        assert command.name is not None
        assert text[slice(*command.name.span)] == command.program
