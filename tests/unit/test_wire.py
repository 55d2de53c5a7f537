"""The bytes on the wire are the same, whether hiredis packs them or we do."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from guardtier.store.wire import _packed_by_hiredis, _packed_in_python, entries_of

ARGUMENTS = st.text(st.characters(exclude_categories=["Cs"])) | st.binary() | st.integers()


@given(st.lists(st.lists(ARGUMENTS, min_size=1), min_size=1))
def test_both_ways_of_packing_give_the_same_bytes(commands: list[list[str | bytes | int]]) -> None:
    assert _packed_in_python(commands) == _packed_by_hiredis(commands)


def test_entries_come_raw_or_parsed() -> None:
    raw = [[b"1-0", [b"id", b"a", b"state", b"parked"]], [b"2-0", None]]
    parsed = [(b"1-0", {b"id": b"a", b"state": b"parked"}), (b"2-0", None)]

    assert entries_of(raw) == entries_of(parsed) == parsed
