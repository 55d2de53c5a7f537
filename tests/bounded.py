"""An end that comes, whatever else the machine does: CPU time of this thread, far above what is right.

It finds what is quadratic, which takes minutes for a MiB; how fast something is, `make bench` says.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import thread_time

MOST_SECONDS = 10.0


@contextmanager
def bounded() -> Iterator[None]:
    """Fails where what is inside took more than ``MOST_SECONDS`` of CPU."""
    start = thread_time()
    yield
    assert (taken := thread_time() - start) < MOST_SECONDS, f"took {taken:.1f} s of CPU"
