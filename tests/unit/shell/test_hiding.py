"""Hiding: what is decoded is read, and spellings that only hide are told from ordinary ones."""

from __future__ import annotations

import base64
import bz2
import gzip
import lzma

import pytest

from guardtier.analyzers.shell import read
from shelltables import programs

COMMAND = b"rm -rf /"
BASE64 = base64.b64encode(COMMAND).decode()


def _64(data: bytes) -> str:
    return base64.b64encode(data).decode()


DECODED = [
    f"echo {BASE64} | base64 -d | sh",
    f"echo {BASE64} | base64 --decode | sudo bash",
    f"printf %s {BASE64} | base64 -D | sh -s",
    f"base64 -d <<< {BASE64} | bash",
    f"base64 -d <<EOF | bash\n{BASE64}\nEOF",
    f'eval "$(echo {BASE64} | base64 -d)"',
    f'bash -c "$(base64 -d <<< {BASE64})"',
    f"sh <(echo {BASE64} | base64 -d)",
    f"bash <<< $(echo {BASE64} | base64 -d)",
    f"$(echo {BASE64} | base64 -d)",
    f"x={BASE64}; echo $x | base64 -d | sh",
    f"x=$(echo {BASE64} | base64 -d); eval $x",
    f"echo {BASE64} | openssl base64 -d | sh",
    f"echo {_64(BASE64.encode())} | base64 -d | base64 -d | sh",
    f"echo {COMMAND.hex()} | xxd -r -p | sh",
    f"echo {_64(gzip.compress(COMMAND, mtime=0))} | base64 -d | gunzip | sh",
    f"echo {_64(gzip.compress(COMMAND, mtime=0))} | base64 -d | gzip -dc | sh",
    f"echo {_64(bz2.compress(COMMAND))} | base64 -d | bzip2 -d | sh",
    f"echo {_64(lzma.compress(COMMAND))} | base64 -d | xz -d | sh",
    f"echo {base64.b32encode(COMMAND).decode()} | base32 -d | sh",
    r"printf '\x72\x6d -rf /' | sh",
    r"printf '\162\155 -rf /' | sh",
    r"echo -e '\x72\x6d -rf /' | bash",
    r"printf '%b' '\x72m -rf /' | sh",
    "echo '/ fr- mr' | rev | sh",
    "echo 'ez -es /' | tr 'a-z' 'n-za-m' | sh",
    f"python3 -c \"import base64; print(base64.b64decode('{BASE64}').decode())\" | sh",
    f"echo {BASE64} | base64 -d > /tmp/x; sh /tmp/x",
]


@pytest.mark.parametrize("text", DECODED)
def test_what_is_decoded_and_run_is_read(text: str):
    script = read(text)
    found = next(command for command in script.commands if command.program == "rm")

    assert [word.text for word in found.args] == ["-rf", "/"]
    assert found.context.decoded
    assert script.obscured
    assert 0 <= found.span[0] < found.span[1] <= len(text)


def test_what_is_not_decoded_is_not_said_to_be():
    assert not read("echo 'rm -rf /' | sh").commands[-1].context.decoded
    assert not read("printf 'rm %s' x | sh").commands[-1].context.decoded
    assert not read(f"echo {BASE64} | base64 -d").obscured
    assert programs(f"echo {BASE64} | base64 -d > x") == [f"echo {BASE64}", "base64 -d"]


def test_decoding_ends_somewhere():
    text = "rm -rf /"
    for _ in range(12):
        text = f"echo {_64(text.encode())} | base64 -d | sh"

    assert read(text).cut


def test_a_bomb_is_not_unpacked():
    bomb = _64(gzip.compress(b"a" * (1 << 24)))

    assert len(read(f"echo {bomb} | base64 -d | gunzip | sh").commands) < 10


@pytest.mark.parametrize(
    "text",
    [
        "r''m x",
        'r""m x',
        "r\\m x",
        '"r"m x',
        "r'm' x",
        "c\\at x",
        "cat /etc/pa''sswd",
        "cat /etc/pa\\sswd",
        "cat /et'c'/passwd",
        "$'\\x72m' x",
        "$'\\162m' x",
        "cat $'/etc/\\x70asswd'",
        "rm -r''f x",
        "cat$IFS/etc/passwd",
        "cat${IFS}/etc/passwd",
        "{rm,-rf,x}",
        "/bin/c?t x",
        "cat /e?c/passwd",
        "r$@m x",
        "wh$1oami",
        "a=r; b=m; $a$b x",
        "${HOME:0:1}bin${HOME:0:1}rm x",
        "cat ${PATH:0:1}etc",
        "$(echo rm) x",
        "r$(echo m) x",
        "r\\\nm x",
        "sudo r''m x",
        "r\u200bm x",
        "\u2060rm x",
        "cat /etc/pa\u200dsswd",
    ],
)
def test_spellings_that_only_hide(text: str):
    script = read(text)

    assert script.obscured
    assert all(0 <= start < end <= len(text) for start, end in script.obscured)


@pytest.mark.parametrize(
    "text",
    [
        "'rm' x",
        '"/usr/bin/git" log',
        "\\rm x",
        "./'my program' x",
        '"$HOME"/bin/x',
        '"$DIR/bin"/x',
        "grep --include='*.py' -rn \"a\"'b' .",
        'x --foo="bar" -DNAME=\'a b\' -I"$x"',
        "x 'it'\\''s' \"it's\" a\\ b",
        "find . -name \\*.py -o \\( -type d \\) -exec ls {} \\;",
        "sed -i '' 's/a/b/' x",
        'sed -n "$a","$b"p x',
        "cut -d'' -f1 x",
        'cut -d, -f"1,2" x',
        "awk '{print \"'\"$x\"'\"}' f",
        "echo $'a\\tb\\n' $'\\e[1m'",
        "printf '\\x1b[0m'",
        "grep -E \\bfoo\\b x",
        "grep \\.py$ x",
        "rm *.pyc /tmp/a?.log /var/log/*.gz",
        "ls /etc/*release /dev/sd?",
        "cp x{,.bak}",
        "mkdir -p src/{a,b}",
        "OLDIFS=$IFS; IFS=','",
        'while IFS= read -r l; do a "$l"; done',
        "echo ${x:0:8} ${sha:0:7}",
        "$(which python3) a.py",
        "$(git rev-parse --show-toplevel)/x",
        "${CC:-gcc} a.c",
        "$PREFIX/bin/x",
        'cd "$HOME"/"my dir"',
        'cat "/etc"/hosts',
        "a \\\n  b \\\n  c",
        'git commit -m "don\'t"',
        "python -c \"print('')\"",
        "x=\"\" y=''",
        "echo '\u2705\ufe0f done' \u00e9t\u00e9",
    ],
)
def test_ordinary_quoting_hides_nothing(text: str):
    assert not read(text).obscured
