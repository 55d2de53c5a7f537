"""Our parser against tree-sitter-bash, which is no part of the product: both find the same commands.

It is not what reads actions because it takes time quadratic in some texts, and any agent can write those.
"""

from __future__ import annotations

import pytest

from guardtier.analyzers.shell import read

tree_sitter = pytest.importorskip("tree_sitter")
tree_sitter_bash = pytest.importorskip("tree_sitter_bash")

_COMMANDS = frozenset({"command", "declaration_command", "unset_command"})

SCRIPTS = [
    "ls -la | grep x | head -n 5 && cd /tmp; make test || exit 1",
    'for f in *.py; do\n  if grep -q foo "$f"; then\n    echo "$f: $(wc -l < "$f")"\n  fi\ndone',
    "while read -r a b; do printf '%s\\n' \"$a\"; done < <(sort x | uniq -c)",
    "cat <<'EOF' > a.py && python a.py\nimport os\nos.system('x; y | z')\nEOF\nls",
    'cat <<EOF | tee -a log\n$(date) and "quotes" $HOME\nEOF\necho done',
    "a=$(b \"$(c 'd')\" `e`); f=(1 $(g)); export H=$(i) J=2",
    'case "$1" in\n  start|stop) a "$1" ;;\n  re*) b; c ;;\n  *) echo "usage" >&2; exit 2 ;;\nesac',
    'f() { local x=$1; a "$x"; }\nfunction g { b; }\nf 1 && (g; c) | { d; e; }',
    "if ! a && { b || c; }; then d; elif e; then f; else g; fi > log 2>&1 &",
    'x=${a:-$(b)}; echo ${x%.*} ${#x} $((1 + 2)) "${y:-"$(c)"}" # d; e',
    "set -euo pipefail; trap 'rm -f x' EXIT; [[ -f a && $(b) == c* ]] && d; [ -z \"$e\" ] || f",
    'git commit -m "$(cat <<\'EOF\'\nfix: a; b | c && d\n\nit\'s "fine"\nEOF\n)" && git push',
    "find . -name '*.tmp' -exec rm {} \\; -o -type d -print0 | xargs -0 ls",
    "until a; do b; sleep 1; done; select x in 1 2; do c; break; done",
    "diff <(a) <(b | c) > >(d); e < f >&2 2>/dev/null",
    "echo 'a'\\''b' \"c\\\"d\" $'e\\'f' g\\ h; i \\\n  --j \\\n  k",
    'A=1 B="2 3" cmd x=y; ((i++)); for ((i=0; i<3; i++)); do a $i; done; b',
    'sudo bash -c \'a; b\' <<< "text" && eval "$(ssh-agent -s)"',
    "{ a; b; } 2>&1 | (cd x && c); time d; ! e",
    "#!/bin/bash\n# comment; not a command\n\na # b\n\n\nc;",
]


def _starts(text: str) -> list[int]:
    """Where tree-sitter says that commands start."""
    language = tree_sitter.Language(tree_sitter_bash.language())
    root = tree_sitter.Parser(language).parse(text.encode()).root_node
    assert not root.has_error
    found, todo = [], [root]
    while todo:
        node = todo.pop()
        if node.type in _COMMANDS:
            found.append(node.start_byte)
        todo.extend(node.children)
    return sorted(found)


@pytest.mark.parametrize("text", SCRIPTS)
def test_both_find_the_same_commands(text: str):
    script = read(text)
    ours = {
        command.span[0]
        for command in script.commands
        if command.name is not None and not command.context.wrappers and command.program not in ("[", "[[")
    }

    assert not script.broken
    assert sorted(ours) == [start for start in _starts(text) if not text.startswith("[", start)]
