"""PowerCut: a redis-server whose every write and fdatasync is seen, so that a power cut can be simulated.

A killed process loses nothing that it wrote: the kernel has it. A power cut loses what was not synced: the
append-only file is cut back to where it ended when the last fdatasync that came back began. strace sees
both calls, in order, with the file's name.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from servers import Server

_AOF = r"<[^>]*\.incr\.aof>"
_DONE = re.compile(
    r"^(?P<pid>\d+) +(?P<call>write|fdatasync|fsync)\(\d+" + _AOF + r".*\) += (?P<result>-?\d+)"
)
_BEGUN = re.compile(r"^(?P<pid>\d+) +(?P<call>write|fdatasync|fsync)\(\d+" + _AOF + r".*<unfinished")
_RESUMED = re.compile(
    r"^(?P<pid>\d+) +<\.\.\. (?P<call>write|fdatasync|fsync) resumed>.*\) += (?P<result>-?\d+)"
)
MISSING = "a power cut is simulated with strace: apt-get install strace"


def synced(trace: str, size: int) -> int:
    """How long the file is for sure, by what strace saw since it had ``size`` synced bytes."""
    written = durable = size
    under_way: dict[str, tuple[str, int]] = {}  # a thread's call on the file → how long that was before
    for line in trace.splitlines():
        if begun := _BEGUN.match(line):
            under_way[begun["pid"]] = begun["call"], written
            continue
        if done := _DONE.match(line):
            call, before = done["call"], written
        elif (done := _RESUMED.match(line)) and done["pid"] in under_way:
            call, before = under_way.pop(done["pid"])
        else:
            continue
        result = int(done["result"])
        if call == "write":
            written += max(result, 0)
        elif result == 0:
            durable = max(durable, before)
    return durable


class PowerCut(Server):
    """As a Server. :meth:`cut` is the power cut; it starts again with what is left."""

    def __init__(self, folder: Path, *lines: str) -> None:
        assert shutil.which("strace"), MISSING
        self._trace = folder / "strace.txt"
        calls = "trace=write,fdatasync,fsync"
        under = (
            "strace",
            "-f",
            "-qq",
            "-y",
            "-s",
            "0",
            "--seccomp-bpf",
            "-e",
            calls,
            "-o",
            str(self._trace),
        )
        super().__init__(folder, "auto-aof-rewrite-percentage 0", *lines, under=under)
        self._synced = 0  #: bytes of the file when this run began

    def cut(self) -> int:
        """End it as a power cut would; returns how many bytes of the append-only file that cost."""
        self.kill()
        (file,) = (self.folder / "appendonlydir").glob("*.incr.aof")
        size = file.stat().st_size
        self._synced = min(synced(self._trace.read_text(errors="replace"), self._synced), size)
        with file.open("r+b") as aof:
            aof.truncate(self._synced)
        return size - self._synced
