"""Common: the last line that both files and Redis have, where Redis came back with an older copy.

An exporter remembers what it has written itself; one that was started since has nothing but its files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from guardtier.store.chain import Link
from guardtier_workers.trail.files import files_in, lines_in
from guardtier_workers.trail.lines import Kind, Sealed, entry_of


def common(path: Path, partition: int, links: Sequence[Link]) -> Link | None:
    """The first of these links (the newest first) that the files have; None for none.

    The newest files are looked at first, and none before the one that leads behind the oldest link: a trail
    may have years of them.
    """
    wanted = {(link.n, link.h): at for at, link in enumerate(links)}
    oldest = min((link.n for link in links), default=0)
    found: set[int] = set()
    for name in reversed(files_in(path)):
        first = 0
        for n, h in _links_in(name, partition):
            first = first or n
            if (n, h) in wanted:
                found.add(wanted[n, h])
        if found or 0 < first <= oldest:
            break
    return links[min(found)] if found else None


def _links_in(name: Path, partition: int) -> Iterator[tuple[int, str]]:
    """Number and hash of each chained line of that partition, as they stand there."""
    for _, raw, _whole in lines_in(name):
        line = Sealed.read(raw)
        if line is None or line.kind != Kind.LINE:
            continue
        values = line.values()
        entry = entry_of(values)
        if entry is not None and entry[0] == partition and isinstance(values.get("n"), int):
            yield values["n"], str(values.get("h"))
