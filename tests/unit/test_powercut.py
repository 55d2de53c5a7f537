"""What a power cut leaves of a file, by the calls that were seen. Bytes count once they were synced."""

from __future__ import annotations

import pytest

from powercut import synced

AOF = "8</d/appendonlydir/appendonly.aof.1.incr.aof>"


@pytest.mark.parametrize(
    ("size", "lines"),
    [
        (0, []),
        (7, []),
        (5, [f'1 write({AOF}, ""..., 5) = 5', f"1 fdatasync({AOF}) = 0"]),
        (0, [f'1 write({AOF}, ""..., 5) = 5']),
        (0, [f'1 write({AOF}, ""..., 5) = 5', f"1 fdatasync({AOF}) = -1 EIO (Input/output error)"]),
        (3, [f'1 write({AOF}, ""..., 5) = 3', f"1 fdatasync({AOF}) = 0"]),
        (0, [f'1 write({AOF}, ""..., 5) = -1 EFBIG (File too large)', f"1 fdatasync({AOF}) = 0"]),
        (0, ['1 write(9</d/redis.log>, ""..., 5) = 5', "1 fdatasync(9</d/other>) = 0"]),
        # in another thread (everysec): what is written while it runs may not be in it
        (
            5,
            [
                f'1 write({AOF}, ""..., 5) = 5',
                f"2 fdatasync({AOF} <unfinished ...>",
                f'1 write({AOF}, ""..., 9) = 9',
                "2 <... fdatasync resumed>) = 0",
            ],
        ),
        # a write that was on its way when the fdatasync began counts as not in it
        (
            0,
            [
                f'1 write({AOF}, ""..., 5 <unfinished ...>',
                f"2 fdatasync({AOF} <unfinished ...>",
                "1 <... write resumed>) = 5",
                "2 <... fdatasync resumed>) = 0",
            ],
        ),
        # that never came back
        (0, [f'1 write({AOF}, ""..., 5) = 5', f"2 fdatasync({AOF} <unfinished ...>", "2 +++ killed +++"]),
    ],
)
def test_only_what_was_synced_is_left(size: int, lines: list[str]) -> None:
    start = 7 if size == 7 else 0

    assert synced("\n".join(lines), start) == size
