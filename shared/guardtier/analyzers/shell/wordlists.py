"""word_lists(code): commands that code starts word by word: ``spawn("rm", ["-rf", path])``."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import re2

#: What starts a program, and what may stand between its words. A word is a literal.
_STARTS = (
    r"(?:\b(?:spawn|spawnSync|execFile|execFileSync|fork|execa|Command|CommandContext|ProcessBuilder|exec|system|"
    r"popen|posix_spawnp?|execvp?e?|execlp?e?|run|start|Popen|open3|capture2e?|capture3|proc_open|pcntl_exec)|"
    r"Command::new|Process\.Start|Bun\.spawn(?:Sync)?|Deno\.run)\s*\(\s*"
)
_BETWEEN = r"(?>(?:[\s,\[\](){}&!]|\b(?:args|cmd|argv)\s*:|\.args?\b|new\s+String\b|vec\b)*)"
_WORD = r"""(?>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`$\n]*`)"""
_ANY = re2.compile(_STARTS)
#: By re: RE2 takes ten times as long for each match, and a tenth where there is none.
_CALL = re.compile(f"{_STARTS}{_BETWEEN}({_WORD}(?>(?:{_BETWEEN}{_WORD})+))")
_EACH = re.compile(_WORD)
_ESCAPED = re.compile(r"""\\(["'\\])""")
_PAIR = 2


def word_lists(code: str) -> Iterator[str]:
    """Each as the line that a shell would take it for."""
    text = code if code.isascii() else code.encode("utf-8", "replace").decode()
    if "(" not in text or _ANY.search(text) is None:
        return
    for call in _CALL.finditer(text):
        words = [_ESCAPED.sub(r"\1", one[1:-1]) for one in _EACH.findall(call[1])]
        yield " ".join(map(shlex.quote, words))
        if len(words) == _PAIR and " " in words[1]:  # a program, and all its arguments in one text
            yield " ".join(words)
