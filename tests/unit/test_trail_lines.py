"""The form of the exported trail: what is written is read again, and nothing else is."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from guardtier.store.chain import BEGINNING
from guardtier_workers.trail.archive import row_of
from guardtier_workers.trail.lines import Kind, Sealed, Writer, entry_of, line_of
from guardtier_workers.trail.verify import Raw, TrailCheck

PAIRS = st.lists(st.tuples(st.binary(max_size=8), st.binary(max_size=20)), max_size=5)
#: What members of a line may be when somebody else wrote them.
ODD: list[object] = [None, True, 0, -1, 2**63, 1.5, "", "x", "1-0", "9" * 40 + "-0", "a" * 40, "0" * 5000]
ODD += [[], ["a"], [["a", "b"]], [["YQ==", "YQ=="]], [[1, 2]], {}, {"id": 1}, {"id": "a.0", "event": "x\0"}]
ODD += [{"0": {"n": 1}}, {"0": {"entry": "x", "n": 1, "h": "", "last": ""}}, {"x": None}]
NAMES = ("partition", "entry", "n", "h", "fields", "raw", "positions", "export", "previous", "what")


def written(kind: Kind, values: dict[str, object]) -> Sealed:
    writer = Writer()
    writer.add(kind, values)
    (raw,) = writer.made
    found = Sealed.read(raw)
    assert found is not None
    assert found.raw == raw
    return found


@given(PAIRS, st.integers(0, 9), st.integers(0, 2**64 - 1))
@settings(max_examples=200, derandomize=True, deadline=None)
def test_an_entry_comes_back_as_it_was(pairs: list[tuple[bytes, bytes]], partition: int, at: int) -> None:
    line = written(Kind.LINE, line_of(partition, f"{at}-7", pairs))

    assert line.follows(BEGINNING)
    assert entry_of(line.values()) == (partition, f"{at}-7", pairs)


@given(st.sampled_from(list(Kind)), st.dictionaries(st.sampled_from(NAMES), st.sampled_from(ODD)))
@settings(max_examples=500, derandomize=True, deadline=None)
def test_whatever_stands_in_a_line_it_is_verified_without_a_crash(
    kind: Kind, values: dict[str, object]
) -> None:
    line = written(kind, {"partition": 0, "entry": "1-0", "fields": {}} | values)
    check = TrailCheck()

    check.line(Raw("here:1", line.raw))
    check.end()
    row = row_of("0a0b0c0d", line)
    assert -1 < (row["partition"] or 0) < 2**31
    assert (row["n"] or 0) < 10**16


@given(st.binary(max_size=200))
@settings(max_examples=200, derandomize=True, deadline=None)
def test_what_is_no_line_is_named(raw: bytes) -> None:
    entry, found = TrailCheck().line(Raw("here:1", raw))

    assert entry is None
    assert [one.what for one in found] == ["changed"]
