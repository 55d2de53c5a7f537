"""Recorded: whether each record says what the audit stream tells of its action."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from audit_model import Story
from chaos.reading import Written
from chaos.violation import Violation
from guardtier.state import State
from guardtier.verdict import Verdict

OVERDUE_MS = 15_000  #: behind its deadline a parked action may be for so long: the steward sweeps all 5 s
SLACK_MS = 100  #: a script's clock and that of the entries which it adds
DECIDED = frozenset({"released", "approved", "rejected", "expired", "redeemed"})

Record = Mapping[str, str]


def check_records(written: Written, stories: Mapping[str, Story]) -> Iterator[Violation]:
    """Every action has its record, and every record its story."""
    for action_id, story in stories.items():
        record = written.records.get(action_id)
        if record is None:
            yield Violation("record-missing", action_id, f"it was {story.state}")
            continue
        yield from _same(story, record)
        yield from _verdict(story, record)
        yield from _in_time(story, record, written.now)
        yield from _listed(story, written)
    for action_id, record in written.records.items():
        if action_id not in stories:
            yield Violation("not-audited", action_id, f"its record says {record.get('state')}")


def _same(story: Story, record: Record) -> Iterator[Violation]:
    asked = record.get("asked") or record.get("digest")
    for kind, is_there, told in (
        ("record-state", record.get("state"), story.state),
        ("record-digest", record.get("digest"), story.digest),
        ("record-asked", asked, story.asked),
        ("record-fleet", record.get("fleet"), story.fleet),
    ):
        if is_there != told:
            yield Violation(kind, story.id, f"the record says {is_there}, the audit stream {told}")


def _verdict(story: Story, record: Record) -> Iterator[Violation]:
    raw = record.get("verdict")
    if story.state not in DECIDED:
        if raw:
            yield Violation("early-verdict", story.id, f"it is {story.state}")
        return
    if not raw:
        yield Violation("no-verdict", story.id, f"it is {story.state}")
        return
    verdict = Verdict.from_json(raw.encode())
    if verdict.id != story.id or verdict.digest != story.digest:
        yield Violation("verdict-of-another", story.id, f"it is about {verdict.id} {verdict.digest}")
    if verdict.outcome.value != outcome_of(story):
        yield Violation("verdict-otherwise", story.id, f"{verdict.outcome.value}, it is {story.state}")
    if story.decided_by and set(verdict.decided_by) != set(story.decided_by):
        yield Violation("verdict-by-others", story.id, f"{verdict.decided_by}, not {story.decided_by}")


def _in_time(story: Story, record: Record, now: int) -> Iterator[Violation]:
    deadline = int(record.get("deadline") or 0)
    at = story.at.get(outcome_of(story), 0)
    if story.state == "expired" and at + SLACK_MS < deadline:
        yield Violation("expired-early", story.id, f"{deadline - at} ms before its deadline")
    if story.decided_by and at > deadline + SLACK_MS:
        yield Violation("answered-late", story.id, f"{at - deadline} ms after its deadline")
    if story.state == "assessed":
        yield Violation("undecided", story.id, "nobody has decided it")
    if story.state == "parked" and now > deadline + OVERDUE_MS:
        yield Violation("overdue", story.id, f"parked {now - deadline} ms after its deadline")


def _listed(story: Story, written: Written) -> Iterator[Violation]:
    listed, parked = story.id in written.parked, story.state == State.PARKED
    if parked and not listed:
        yield Violation("parked-unlisted", story.id, "no approver can see it")
    if listed and not parked:
        yield Violation("listed-unparked", story.id, f"in the confirmation set, though {story.state}")


def outcome_of(story: Story) -> str:
    """What its verdict says: what is redeemed was approved."""
    return "approved" if story.state == "redeemed" else story.state
