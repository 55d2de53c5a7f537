"""The analysis that is equal on all sides of the benchmark. Standard library only."""

from time import perf_counter_ns


def spin(us: float = 100) -> None:
    """Compute for ``us`` microseconds."""
    end = perf_counter_ns() + int(us * 1000)
    while perf_counter_ns() < end:
        pass
