"""Told: whether what clients were told is what was decided, and what people said is what counted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from audit_model import Story
from chaos.history import ANSWERS, Call, History
from chaos.reading import Written
from chaos.recorded import outcome_of
from chaos.violation import Violation
from guardtier.verdict import Verdict

#: It may or may not have happened: whoever asked can't know.
AWAY = frozenset({"guard_timeout", "tier_unavailable"})
#: The same of a redeem whose verdict is not believed: the tier redeemed it, and the agent did not run.
REFUSED = frozenset({"unknown_key", "stale_verdict"})
CHOICES = {"approve": "approve", "reject": "reject", "edit": "edit"}

Stories = Mapping[str, Story]


def check_told(
    history: History, stories: Stories, written: Written, may_fail: frozenset[str]
) -> Iterator[Violation]:
    """Every call against the story of its action. ``may_fail``: error codes that end an action."""
    by_action: dict[str, list[Call]] = defaultdict(list)
    for call in history:
        by_action[call.id].append(call)
        if not call.over:
            yield Violation("no-end", call.id, f"{call.op} of {call.who} was told nothing")
        if call.verdict is not None:
            yield from _verdict(call, call.verdict, stories.get(call.id), written)
        elif call.state is not None and not _was_in(stories.get(call.id), call.state):
            yield Violation("told-never-state", call.id, f"{call.op} was told {call.state}")
    for action_id, calls in by_action.items():
        agents = [call for call in calls if call.op not in ANSWERS]
        if agents:
            yield from _asked(agents, stories.get(action_id))
            yield from _ran(agents, stories.get(action_id))
            yield from _ended(agents, may_fail)
        if len({call.verdict.to_json() for call in calls if call.verdict is not None}) > 1:
            yield Violation("told-two", action_id, "two different verdicts were told")
    yield from _answers(by_action, stories)


def unused(history: History, stories: Stories) -> list[str]:
    """Approvals that were redeemed while no tool ran: the agent lost its connection then."""
    ran = {call.id for call in history if call.ran}
    return [story.id for story in stories.values() if story.state == "redeemed" and story.id not in ran]


def _verdict(call: Call, verdict: Verdict, story: Story | None, written: Written) -> Iterator[Violation]:
    if verdict.id != call.id:
        yield Violation("told-of-another", call.id, f"told about {verdict.id}")
    if call.op not in ANSWERS and call.digest not in (verdict.digest, verdict.edited_from):
        yield Violation("told-another-digest", call.id, f"{verdict.digest}, asked for {call.digest}")
    if story is None or outcome_of(story) != verdict.outcome.value:
        state = story.state if story else "nothing"
        yield Violation("told-unaudited", call.id, f"told {verdict.outcome.value}, audited is {state}")
    raw = written.records.get(call.id, {}).get("verdict")
    if raw is None:
        yield Violation("told-not-recorded", call.id, f"told {verdict.outcome.value}")
    elif Verdict.from_json(raw.encode()) != verdict:
        yield Violation("told-otherwise", call.id, f"told {verdict.to_json()!r}, recorded is {raw}")


def _was_in(story: Story | None, state: str) -> bool:
    return story is not None and state in story.path


def _asked(calls: list[Call], story: Story | None) -> Iterator[Violation]:
    if story is not None and any(call.digest != story.asked for call in calls):
        yield Violation("asked-another", story.id, f"assessed is {story.asked}")


def _ran(calls: list[Call], story: Story | None) -> Iterator[Violation]:
    runs = [call for call in calls if call.ran]
    for call in runs:
        if call.verdict is None or not call.verdict.allowed:
            yield Violation("ran-unallowed", call.id, "its tool ran without a verdict that allows it")
        elif story is not None and call.verdict.outcome == "approved" and story.state != "redeemed":
            yield Violation("ran-unredeemed", call.id, "its tool ran by an approval that is still open")
    if len(runs) > 1:
        yield Violation("ran-twice", runs[0].id, f"its tool ran {len(runs)} times")
    redeemed = story is not None and story.state == "redeemed"
    if redeemed and not runs and not any(call.error in AWAY | REFUSED for call in calls):
        yield Violation("redeemed-unused", calls[0].id, "redeemed, though no agent was told so")


def _ended(calls: list[Call], may_fail: frozenset[str]) -> Iterator[Violation]:
    """The last call of an agent about an action says how it ended."""
    last = calls[-1]
    if last.error is None:
        if last.over and last.verdict is None:
            yield Violation("unanswered", last.id, f"its agent went away, it was {last.state}")
        return
    lost_its_own = last.error == "already_redeemed" and any(call.error in AWAY for call in calls)
    if last.error not in may_fail and not lost_its_own:
        yield Violation("unanswered", last.id, f"its agent was told {last.error}: {last.detail}")


def _answers(by_action: Mapping[str, list[Call]], stories: Stories) -> Iterator[Violation]:
    for action_id, calls in by_action.items():
        story = stories.get(action_id)
        said = set(story.said) if story is not None else set()
        given = {(c.who, CHOICES[c.op], c.edited or c.digest) for c in calls if c.op in ANSWERS}
        given |= {(c.who, "approve", c.edited) for c in calls if c.edited}  # whoever edits approves of it
        for who, choice, digest in said - given:
            yield Violation("answer-invented", action_id, f"{who} never said {choice} of {digest}")
        for call in calls:
            told = call.op in ANSWERS and call.over and call.error is None
            if told and (call.who, CHOICES[call.op], call.edited or call.digest) not in said:
                yield Violation("answer-lost", action_id, f"{call.who} was told that {call.op} counts")
