"""What `guardtier up --demo` says at the demo's end."""

from __future__ import annotations

from guardtier_workers.cli.up import after_demo


def test_the_way_to_the_console_is_told_again_where_there_is_one() -> None:
    assert "console prints a link" in after_demo(has_console=True)
    assert "console" not in after_demo(has_console=False)
