"""The chain of an audit stream: each kind of tampering is found, named, and told from the others."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from guardtier.store.chain import BEGINNING, Checker, Fault, Kind, Link, Pairs, hash_of, runs

Stream = list[tuple[str, Pairs]]


def stream(count: int, *, before: Link = BEGINNING, first: int = 1000, what: bytes = b"a") -> Stream:
    """So many lines as audit.lua would have written them."""
    made: Stream = []
    for n in range(before.n + 1, before.n + 1 + count):
        said = [(b"id", b"%s%d.0" % (what, n)), (b"event", b"released"), (b"fleet", b"web")]
        before = Link(n, hash_of(before, said), f"{first + n}-0")
        made.append((before.entry, [*said, (b"n", b"%d" % n), (b"h", before.h.encode())]))
    return made


def checked(lines: Stream, checker: Checker | None = None) -> list[Fault]:
    checker = checker or Checker()
    return [fault for line in lines for fault in checker.line(*line)] + [*checker.end()]


def found(lines: Stream) -> list[tuple[Kind, int]]:
    return [(fault.kind, fault.n) for fault in checked(lines)]


def link_of(line: tuple[str, Pairs]) -> Link:
    fields = dict(line[1])
    return Link(int(fields[b"n"]), fields[b"h"].decode(), line[0])


def said(line: tuple[str, Pairs], field: bytes, value: bytes) -> tuple[str, Pairs]:
    return line[0], [(name, value if name == field else kept) for name, kept in line[1]]


def test_a_whole_stream_has_nothing_wrong() -> None:
    assert found(stream(20)) == []
    assert found(stream(20)[7:]) == [], "old lines go"


def test_a_changed_field_is_found_at_its_line() -> None:
    lines = stream(9)
    lines[4] = said(lines[4], b"event", b"rejected")

    assert found(lines) == [(Kind.CHANGED, 5)]


def test_a_changed_first_line_is_found() -> None:
    lines = stream(3)
    lines[0] = said(lines[0], b"id", b"b.0")

    assert found(lines) == [(Kind.CHANGED, 1)]


def test_whoever_mends_the_hash_is_found_one_line_later() -> None:
    lines = stream(9)
    lines[4] = stream(1, before=link_of(lines[3]), first=2000)[0]

    assert found(lines) == [(Kind.CHANGED, 6)]


def test_a_moved_entry_is_found_by_the_line_behind_it() -> None:
    lines = stream(9)
    lines[4] = ("1005-1", lines[4][1])

    assert found(lines) == [(Kind.CHANGED, 6)]


def test_a_field_that_stands_there_twice_is_a_change() -> None:
    lines = stream(3)
    entry, pairs = lines[1]
    lines[1] = (entry, [(b"event", b"x"), *pairs])

    assert found(lines) == [(Kind.CHANGED, 2)]


def test_bytes_that_move_from_one_field_to_the_next_are_a_change() -> None:
    lines = stream(3)
    entry, pairs = lines[1]
    lines[1] = (entry, [(b"ida2.0", b""), *pairs[1:]])

    assert found(lines) == [(Kind.CHANGED, 2)]


def test_missing_lines_are_named() -> None:
    lines = stream(9)

    (fault,) = checked(lines[:3] + lines[6:])

    assert (fault.kind, fault.n, fault.entry) == (Kind.MISSING, 4, "1007-0")
    assert "lines 4 to 6" in fault.says


def test_lines_in_another_order_are_told_from_missing_ones() -> None:
    lines = stream(9)
    lines[3], lines[5] = lines[5], lines[3]

    kinds = found(lines)

    assert {n for kind, n in kinds if kind is Kind.REORDERED} == {4, 5}
    assert all(kind is not Kind.MISSING for kind, _ in kinds)


def test_a_line_that_stands_there_twice_is_told_from_another_of_its_number() -> None:
    lines = stream(9)
    copy, forged = (
        ("1009-5", lines[2][1]),
        ("1009-6", stream(3)[2][1][:3] + lines[4][1][3:4] + [(b"h", b"0" * 40)]),
    )

    assert found([*lines, copy]) == [(Kind.DUPLICATED, 3)]
    assert found([*lines, forged]) == [(Kind.INSERTED, 5)]


def test_a_line_without_a_number_is_inserted_but_not_before_the_chain() -> None:
    lines = stream(5)
    plain: Stream = [("1001-1", [(b"id", b"a.0"), (b"event", b"released")])]
    checker = Checker()

    assert found(lines[:2] + plain + lines[2:]) == [(Kind.INSERTED, 0)]
    assert checked([("1-0", plain[0][1])] + lines, checker) == []
    assert (checker.unchained, checker.first) == (1, 1)


def test_a_chain_that_begins_anew_is_said_once() -> None:
    lines = stream(5) + stream(5, first=5000, what=b"b")

    assert found(lines) == [(Kind.RESTARTED, 1)]


def test_a_server_that_came_back_with_an_older_copy_is_said_and_followed() -> None:
    lines = stream(9)
    again = stream(9, before=link_of(lines[5]), first=7000, what=b"b")

    assert found(lines + again) == [(Kind.INSERTED, 7), (Kind.RESTARTED, 8)]


def test_a_cut_tail_is_missed_by_the_chains_end() -> None:
    lines = stream(9)
    end = link_of(lines[-1])

    for kept, left, n in ((end, lines[:7], 8), (None, lines, 9), (end, [], 9)):
        checker = Checker()
        assert checked(left, checker) == []
        assert [(fault.kind, fault.n) for fault in checker.tail(kept)] == [(Kind.TRUNCATED, n)]
    whole = Checker()
    assert checked(lines, whole) == [*whole.tail(end)] == []


@given(
    st.lists(
        st.tuples(st.sampled_from(["drop", "swap", "double", "say", "move"]), st.integers(0, 11)),
        max_size=4,
    )
)
@settings(max_examples=200, derandomize=True, deadline=None)
def test_whatever_is_done_to_a_stream_is_found(deeds: list[tuple[str, int]]) -> None:
    whole = stream(12)
    lines = [*whole]
    for deed, at in deeds:
        if deed == "drop":
            del lines[at : at + 1]
        elif deed == "swap" and at + 1 < len(lines):
            lines[at], lines[at + 1] = lines[at + 1], lines[at]
        elif deed == "double":
            lines[at:at] = lines[at : at + 1]
        elif deed == "say" and at < len(lines):
            lines[at] = said(lines[at], b"event", b"approved")
        elif deed == "move" and at < len(lines):
            lines[at] = (f"{lines[at][0]}1", lines[at][1])
    checker = Checker(BEGINNING)

    faults = checked(lines, checker) + [*checker.tail(link_of(whole[-1]))]

    assert bool(faults) == (lines != whole)


def test_the_end_is_read_as_it_is_written_and_as_nothing_else() -> None:
    end = Link(7, "a" * 40, "1700-3")

    assert Link.read(str(end).encode()) == end
    for kept in (
        None,
        b"",
        b"7",
        b"x " + b"a" * 40 + b" 1-0",
        b"0 " + b"a" * 40 + b" 1-0",
        b"7 " + b"A" * 40 + b" 1-0",
    ):
        assert Link.read(kept) is None


def test_runs_join_what_is_next_to_each_other() -> None:
    assert [*runs([1, 2, 3, 7, 9, 10])] == [(1, 3), (7, 7), (9, 10)]
    assert [*runs([])] == []
