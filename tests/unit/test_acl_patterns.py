"""Which keys an ACL's patterns stand for: those of the partitions that there are."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest

from guardtier.store.acl import _numbers_below


@pytest.mark.parametrize("partitions", [1, 2, 9, 10, 11, 20, 64, 99, 100, 101, 256, 999, 1000, 1024])
def test_the_partitions_that_there_are_and_no_other(partitions: int) -> None:
    globs = list(_numbers_below(partitions))

    for name in map(str, range(1100)):
        matching = [glob for glob in globs if fnmatchcase(name, glob)]
        assert len(matching) == (int(name) < partitions), (name, matching)
    assert not [name for name in ("", "00", "01", "0x", "-1") for glob in globs if fnmatchcase(name, glob)]
