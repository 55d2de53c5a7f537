"""The fast path for here-documents: it says what the parser says, or nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from guardtier.analyzers.shell import document, read
from guardtier.analyzers.shell.model import PLAIN, Script
from guardtier.analyzers.shell.reading import Reading

TAKEN = [
    "cat <<'EOF' > x.py\nimport os\nEOF\n",
    "cat > x.py <<EOF\nimport os\nEOF",
    'cat <<-"EOF" >> x.py\n\timport os\n\tEOF',
    "cat <<'EOF' > x.py\nEOF",
    "  cat x <<'E.F-' y >> z\n$(q) `r` \\\nE.F-\n",
    "cat <<EOF>a >b\nq\nEOF\n  \n",
    "cat <<EOF >~/.bashrc\n\u00fc \u20ac\n\nEOF\n\n",
    "> x <<E cat\nE",
    "wc -l <<EOF\n1\nEOF",
    "cat << EOF > x.py\n EOF\nEOFx\nEOF",
    "cat <<'EOF' > x.sh\nls\nEOF\nsh x.sh",
    "cat <<'EOF' > x.sh && bash ./x.sh\nrm -rf /\nEOF\n",
    "mkdir a # why\ncat <<'EOF' > a/x\n1\nEOF\n# and\ncat <<-E >> a/x\n\t2\n\tE\nchmod +x a/x; ./a/x",
    "cat <<'EOF' | sh\nrm -rf /\nEOF",
    "cat <<'A' <<'B'\n1\nA\n2\nB",
    "cat <<'A' > a && cat <<'B' > b\n1\nA\n2\nB\nls",
    "cat <<'EOF' 2> x\n1\nEOF",
    "cat <<'EOF' > x # why\n1\nEOF",
    "cat x > y",
    "echo rm -rf / > x.sh; sh x.sh",
    "echo cm0gLXJmIC8= > x; base64 -d < x | sh",
    "echo rm -rf / | tee x.sh > /dev/null && ./x.sh",
    "python x.py > out 2>&1 | head -3 || echo 'no' \"way\"",
    "find . -name x 2>/dev/null | xargs rm -rf",
    "ls \\\n -la > x \\\n && cat x",
    "cat <<'EOF' > x.py\nprint(1) \\\n  + 2\nEOF\npython x.py",
    "python3 - <<'EOF' > out\n1\nEOF\nrm out",
    "sudo sh -c 'rm -rf /' > x 2>> y",
    "cat < x\n\n # end\n",
]
LEFT = [
    "cat <<EOF>a>b\nq\nEOF  \n",
    "cat <<'EOF' > x.py\nno end",
    "cat <<EOF > x.py\n$(rm -rf /)\nEOF",
    "cat <<EOF > x.py\n`rm -rf /`\nEOF",
    "cat <<EOF\na\\\nEOF\n",
    "cat <<EOF > x.py\nos.sys\0tem\nEOF\n",
    "cat <<'EOF' > $HOME/x\nls\nEOF",
    "cat <<'EOF' > x\n1\nEOF\nr''m -rf /",
    "cat <<'EOF' > x\n$\\\n{a}\nEOF\nls",
    "bash <<'EOF' > x\n$HO\\\nME/x\nEOF",
    "cat <<'EOF' > x\n1\r2\nEOF\nls",
    "bash <<'EOF' > x\nls #\rls /\nEOF",
    "cat <<'EOF' > x\n1\nEOF\necho \"$x\"",
    "cat <<'EOF' > x\n1\nEOF\n(ls)",
    "cat <<'EOF' &> x\n1\nEOF",
    "cat <<'EOF' >| x\n1\nEOF",
    "cat <<<EOF > x\n1\nEOF",
    "cat <<'EOF' > x &\n1\nEOF",
    "x=1 cat <<EOF\n1\nEOF",
    "if <<EOF\n1\nEOF",
    "ls > x\nif ls\nthen ls\nfi",
    "<<EOF > x\n1\nEOF",
    "> x\nls",
    "ls > x ;; ls",
    "&& ls > x",
    "ls > x |& cat",
    "cat <<'E F' > x\n1\nE F",
    "cat <<'EOF' > x\r\n1\r\nEOF\r\n",
    "r''m <<EOF\n1\nEOF",
    "cat > x 'r\u200bm'",
    "ls > x " + "a" * document.LONGEST,
]


@pytest.mark.parametrize("text", TAKEN)
def test_it_says_what_the_parser_says(text: str) -> None:
    assert document.read_plainly(text) is not None
    assert replace(read(text), plain=False) == parsed(text)


@pytest.mark.parametrize("text", LEFT)
def test_it_leaves_all_else_to_the_parser(text: str) -> None:
    assert document.read_plainly(text) is None


@pytest.mark.parametrize("text", [*TAKEN, *LEFT])
def test_whoever_reads_it_the_script_is_the_same(text: str) -> None:
    assert replace(read(text), plain=False) == parsed(text)


@pytest.mark.parametrize(
    "text", ["sh <<'EOF'\nrm -rf /\nEOF", "python3 - <<EOF\n1\nEOF", "psql <<EOF\n1\nEOF"]
)
def test_what_runs_its_input_is_followed(text: str) -> None:
    assert read(text) == parsed(text)
    assert len(read(text).commands) + len(read(text).code) > 1


@pytest.mark.parametrize("body", ["$HO\\\nME\n", "1\r2\n"])
def test_a_body_that_is_written_is_taken_as_it_stands(body: str) -> None:
    [command] = read(f"cat <<'EOF' > x\n{body}EOF\n").commands
    assert command.body == body


def parsed(text: str) -> Script:
    reading = Reading(text)
    reading.read(text, lambda start, end: (start, end), PLAIN, 0)
    return reading.script()


@pytest.mark.parametrize(
    "text",
    [
        "ls \\\n -la",
        "ls && \\\ncat x \\\n | head",
        "\\\nls",
        "ls \\\n && \\\n\\\n cat 'a b'",
        "a\\\nb",
        "'a'\\\n'b'",
        "cd x\\\n && ls",
        "ls -l\\\n x",
        "r\\\nm -rf /",
        "ls \\\n",
    ],
)
def test_lines_that_go_on_are_read_as_the_parser_reads_them(text: str) -> None:
    assert replace(read(text), plain=False) == parsed(text)


@pytest.mark.parametrize("unit", ["ls -la src && ", "a|", "ls ", "ls > x; ", "cat <<'E'\nx\nE\nls; "])
def test_what_is_too_long_for_it_is_given_up_where_that_can_be_told(unit: str) -> None:
    """Not at its end: a megabyte of such commands took seconds."""
    reader = document._Reader(unit * ((1 << 18) // len(unit)))

    assert not reader.read()
    assert reader.end - reader.inside <= 2 * document.LONGEST
