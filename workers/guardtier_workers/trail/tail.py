"""Tail: the lines that a killed exporter left unsigned, held against Redis before the next one signs.

Else whoever may write to the folder could append to it while no exporter runs, and have it signed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from guardtier.store.chain import Pairs
from guardtier.store.connection import is_wrong_type
from guardtier.store.keys import Keys
from guardtier.store.wire import Wire
from guardtier_workers.trail.files import file_of, files_in, lines_in
from guardtier_workers.trail.folder import Folder
from guardtier_workers.trail.lines import Kind, Sealed, entry_of, number, pairs_of

PAGE = 500


async def put_in(wire: Wire, folder: Folder, keys: Sequence[Keys]) -> list[tuple[int, str]]:
    """Partition and entry of each line of the tail that Redis has otherwise, or lacks among older ones; a
    partition of -1 where the line names none.
    """
    found: list[tuple[int, str]] = []
    page: list[tuple[int, str, Pairs]] = []
    for line in _tail(folder):
        entry = entry_of(line.values())
        if entry is None or not 0 <= entry[0] < len(keys):
            found.append((-1, f"in line {line.seq}"))
            continue
        page.append((entry[0], entry[1], entry[2]))
        if len(page) >= PAGE:
            found += await _unlike(wire, keys, page)
            page = []
    return found + await _unlike(wire, keys, page)


def _tail(folder: Folder) -> Iterator[Sealed]:
    """The lines behind the last checkpoint: in the last file as a rule, since each file ends with one."""
    if not folder.unsigned:
        return
    signed = folder.end.n - folder.unsigned
    first = file_of(folder.path, max(signed, 1))
    for name in files_in(folder.path):
        for _, raw, _whole in lines_in(name) if name.name >= first else ():
            line = Sealed.read(raw)
            if line is not None and line.kind == Kind.LINE and line.seq > signed:
                yield line


async def _unlike(
    wire: Wire, keys: Sequence[Keys], page: Sequence[tuple[int, str, Pairs]]
) -> list[tuple[int, str]]:
    if not page:
        return []
    asked = [("XRANGE", keys[partition].audit, entry, entry) for partition, entry, _ in page]
    oldest = [("XRANGE", keys[p].audit, "-", "+", "COUNT", 1) for p in sorted({p for p, _, _ in page})]
    replies = await wire.round_trip([*asked, *oldest])
    first = dict(zip(sorted({p for p, _, _ in page}), replies[len(asked) :], strict=True))
    found = []
    for (partition, entry, said), reply in zip(page, replies, strict=False):
        begins = first[partition]
        if isinstance(begins, BaseException):
            if not is_wrong_type(begins):
                raise begins
            continue  # nobody can tell: whoever reads the stream next says so
        if isinstance(reply, BaseException):
            if "Invalid stream ID" not in str(reply):
                raise reply
            is_like = False  # there can be no such entry
        elif reply:
            is_like = list(pairs_of(reply[0][1])) == list(said)
        else:  # gone with the old ones, or never there
            is_like = not begins or number(begins[0][0].decode()) > number(entry)
        if not is_like:
            found.append((partition, entry))
    return found
