"""What the command line says of an error."""

from __future__ import annotations

from guardtier.errors import InvalidAction, QueueFull
from guardtier_workers.cli.exits import Exit, error_body, exit_code_of


def test_who_is_turned_away_reads_when_to_come_again() -> None:
    error = QueueFull("full", field="max_queue", limit=5, retry_after=2.5)

    assert error_body(error) == {
        "code": "queue_full", "field": "max_queue", "message": "full", "limit": 5, "retry_after": 2.5,
    }  # fmt: skip
    assert exit_code_of(error) is Exit.ERROR
    assert "retry_after" not in error_body(InvalidAction("wrong"))
