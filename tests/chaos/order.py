"""Order: whether each audit stream is complete and in order, by its entries and its chain."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha1

from audit_model import BESIDE, ENTRY, REFUSED
from chaos.reading import Line, Written
from chaos.violation import Violation
from guardtier.action import partition_of


def check_order(written: Written) -> Iterator[Violation]:
    """Every line is after the one before it, where it belongs, and the next of its chain."""
    for partition, lines in written.lines.items():
        yield from _entries(lines)
        yield from _chain(lines)
        yield from _places(lines, partition)


def _entries(lines: list[Line]) -> Iterator[Violation]:
    last = (-1, -1)
    for line in lines:
        at = _number(line[ENTRY])
        if at == last:
            yield Violation("entry-twice", line["id"], line[ENTRY])
        elif at < last:
            yield Violation("out-of-order", line["id"], f"{line[ENTRY]} behind {last}")
        last = max(at, last)


def _chain(lines: list[Line]) -> Iterator[Violation]:
    """Lines without a number were written before there was a chain: then all of them come first. What
    comes before the first that is left may have been trimmed.
    """
    before: Line | None = None
    for line in lines:
        if "n" not in line:
            if before is not None:
                yield Violation("unchained", line["id"], f"{line[ENTRY]} behind {before['n']}")
            continue
        number = int(line["n"])
        if before is not None and number != int(before["n"]) + 1:
            yield Violation("chain-gap", line["id"], f"{number} follows {before['n']}")
        known = before is not None or number == 1
        if known and line.get("h") != hash_of(chain_end(before) if before else "", line):
            yield Violation("another-hash", line["id"], f"{number} is not what was hashed")
        before = line


def chain_end(line: Line) -> str:
    """What the next line's hash is taken over first."""
    return f"{line['n']} {line.get('h')} {line[ENTRY]}"


def hash_of(end: str, line: Line) -> str:
    """SHA-1 over the end of the chain before it and its fields in order, as MessagePack strings."""
    fields = [part for pair in line.items() if pair[0] not in (ENTRY, "n", "h") for part in pair]
    return sha1(b"".join(_packed(text) for text in (end, *fields)), usedforsecurity=False).hexdigest()


def _packed(text: str) -> bytes:
    raw = text.encode()
    size = len(raw)
    if size < 32:
        return bytes([0xA0 | size]) + raw
    for code, width in ((0xD9, 1), (0xDA, 2)):
        if size < 1 << (8 * width):
            return bytes([code]) + size.to_bytes(width, "big") + raw
    return b"\xdb" + size.to_bytes(4, "big") + raw


def _places(lines: list[Line], partition: int) -> Iterator[Violation]:
    for line in lines:
        if line["event"] in BESIDE or line["event"].endswith(REFUSED):
            continue
        if partition_of(line["id"]) not in (None, partition):
            yield Violation("another-partition", line["id"], f"in the stream of partition {partition}")


def _number(entry: str) -> tuple[int, int]:
    milliseconds, _, sequence = entry.partition("-")
    return int(milliseconds), int(sequence or 0)
