"""Coverage-guided fuzzing of whatever reads what others sent. The promises are those of ``oracles.py``.

``make fuzz``, or ``python tests/fuzz/fuzz_input.py payload -max_total_time=300``; the first argument is one
of ``payload envelope request reply vote policy body``. Needs atheris. What it finds goes into
tests/unit/test_hostile_input.py.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import atheris

sys.path.insert(0, str(Path(__file__).parents[1]))

with atheris.instrument_imports(include=["guardtier", "guardtier_workers.console.api"]):
    from fuzz import oracles

#: Seconds for one input, and for each byte beside; instrumented, a hundredfold of what it takes.
BASE, EACH = 1.0, 1e-4
_NAMES = (
    b"id", b"client", b"op", b"payload", b"state", b"verdict", b"error", b"deadline", b"token", b"digest",
    b"body", b"halted", b"approver", b"choice", b"reason", b"at", b"proof", b"grant", b"retry", b"request",
    b"entry",
)  # fmt: skip


def _fields(data: bytes) -> dict[bytes, bytes]:
    """A field a line: the first byte names it, the rest is its value."""
    lines = [line for line in data.split(b"\n\n") if line]
    return {_NAMES[line[0] % len(_NAMES)]: line[1:] for line in lines}


def _reply(data: bytes) -> None:
    oracles.reply({b"id": b"a1.0", b"state": b"released"} | _fields(data))
    oracles.reply({b"id": b"a1.0", b"state": b"released", b"verdict": data})


def _request(data: bytes) -> None:
    oracles.request(_fields(data))
    oracles.request({b"id": b"a1.0", b"client": b"c", b"request": data})


def _envelope(data: bytes) -> None:
    oracles.envelope({b"id": b"a1.0", b"client": b"c", b"op": b"submit"} | _fields(data))


TARGETS: dict[str, Callable[[bytes], object]] = {
    "payload": oracles.payload,
    "envelope": _envelope,
    "request": _request,
    "reply": _reply,
    "vote": lambda data: oracles.vote({b"assessment": data, b"digest": oracles.ASKED.digest.encode()}),
    "policy": lambda data: oracles.policy("version = 1\n" + data.decode(errors="replace")),
    "body": oracles.body,
}


def _timed(target: Callable[[bytes], object]) -> Callable[[bytes], None]:
    def one_input(data: bytes) -> None:
        start = perf_counter()
        target(data)
        took = perf_counter() - start
        if took > BASE + EACH * len(data):
            raise RuntimeError(f"{took:.2f} s for {len(data)} bytes")

    return one_input


if __name__ == "__main__":
    name = sys.argv.pop(1) if len(sys.argv) > 1 else ""
    if name not in TARGETS:
        sys.exit(f"which of {', '.join(TARGETS)}?")
    atheris.Setup(sys.argv, _timed(TARGETS[name]))
    atheris.Fuzz()
