"""guardtier show: what is said of one action, in lines."""

from __future__ import annotations

from typing import Any

from guardtier import ActionEvent, Assessment, Outcome, SecurityRisk, State, Verdict
from guardtier.store.records import Record
from guardtier_workers.cli.safe_text import shortened
from guardtier_workers.cli.show import _lines

ACTION = ActionEvent(id="a1.0", fleet="web", agent="coder", tool_name="terminal")


def record(**changes: Any) -> Record:
    known = {
        "id": ACTION.id,
        "state": State.REJECTED,
        "fleet": "web",
        "waiters": "",
        "digest": ACTION.digest,
        "event": ACTION.to_json(),
        "received_at": 1_000,
        "assessment": Assessment(risk=SecurityRisk.HIGH),
    }
    return Record(**known | changes)


def rejected(**changes: Any) -> Verdict:
    known = {"outcome": Outcome.REJECTED, "digest": ACTION.digest, "risk": SecurityRisk.HIGH}
    return Verdict(id=ACTION.id, policy="file@7", decided_at=2_000, **known | changes)


def test_the_reasons_of_several_people_are_lines_of_their_own() -> None:
    lines = _lines(record(verdict=rejected(reason="not today\nid            other")))

    assert lines[-2:] == ["reason        not today", "              id            other"]


def test_the_rules_that_decided_are_named() -> None:
    lines = _lines(record(verdict=rejected(rules=("no-refunds", "late"))))

    assert lines[-1] == "verdict       rejected under file@7, no-refunds, late"


def test_an_action_that_can_not_be_read_is_shown_as_one() -> None:
    damaged = record(state=State.PARKED, event=b"\xff{", deadline=0)

    assert not damaged.is_readable
    lines = _lines(damaged)
    assert lines[0] == "id            a1.0"
    assert lines[-1] == "action        it can't be read: no answer counts, it ends at its deadline"


def test_nothing_is_pushed_out_of_sight_or_to_where_a_line_begins() -> None:
    said = {
        "command": f"ls{' ' * 70}rated risk    LOW",
        "note": "a" + "\n" * 40 + "rm -rf ~",
        " " * 99: "x",
    }
    action = ACTION.model_copy(update={"arguments": said, "summary": f"lists{' ' * 300}; deletes"})

    lines = _lines(record(state=State.PARKED, event=action.to_json()))

    assert not any(" " * 16 in line or "\n" in line for line in lines)
    assert "  command: ls[70 spaces]rated risk    LOW" in lines
    assert lines[lines.index("  note: a") :][1:3] == ["      [39 empty lines]", "      rm -rf ~"]
    assert "  [99 spaces]: x" in lines
    assert "summary       lists[300 spaces]; deletes" in lines


def test_what_a_list_shows_of_a_call_is_not_spaces() -> None:
    assert shortened(f"ls{' ' * 500}&& rm -rf ~", 40) == "ls[500 spaces]&& rm -rf ~"
    assert shortened("ls" + " " * 5_000, 40).endswith("…")
    assert shortened("x" * 40, 40) == "x" * 40
