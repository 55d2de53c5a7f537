"""AuditModel: the rules of confirmation once more, small: replays audit lines to the state of every action.

It shares no code with the tier. A line that the rules don't allow raises AuditBroken, so a replay that
comes through is a story without a gap: who said what, and why that was enough.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Line = Mapping[str, str]

ENDED = frozenset({"released", "rejected", "expired", "redeemed"})
#: Lines that are about no single action's state, or change none.
BESIDE = frozenset({"configured", "halted", "resumed", "granted", "revoked", "blocked", "retried"})


class AuditBroken(AssertionError):
    """A line that can't follow those before it."""


@dataclass
class Story:
    """One action, as far as it has been told. ``votes``: principal → what they chose, of this digest."""

    id: str
    fleet: str
    digest: str
    state: str = "assessed"
    asked: str = ""  #: the digest that the agent asked for
    votes: dict[str, str] = field(default_factory=dict)
    need: dict[str, int] = field(default_factory=lambda: {"approve": 1, "reject": 1})
    decided_by: tuple[str, ...] = ()
    deadline: int | None = None  #: since it was extended
    refused: int = 0  #: requests about it that were refused

    @property
    def ended(self) -> bool:
        """Whether nothing can change any more; what is approved may still be redeemed."""
        return self.state in ENDED

    def of(self, choice: str) -> tuple[str, ...]:
        """Who chose this, in the order of their answers."""
        return tuple(name for name, chosen in self.votes.items() if chosen == choice)

    @property
    def count(self) -> str | None:
        """What the votes come to: a rejection first; None while more are needed."""
        if len(self.of("reject")) >= self.need["reject"]:
            return "rejected"
        return "approved" if len(self.of("approve")) >= self.need["approve"] else None


class AuditModel:
    """Replays the audit stream of one partition, or of several, one call for each."""

    def __init__(self) -> None:
        self.stories: dict[str, Story] = {}
        self.beside: list[Line] = []
        self.halted: set[str] = set()  #: in the partition that is replayed: "fleet[ agent[ conversation]]"
        self._rules: dict[str, Callable[[Story, Line, dict[str, Any]], None]] = {
            "released": self._by_policy,
            "rejected": self._rejected,
            "parked": self._by_policy,
            "answered": self._answered,
            "approved": self._answered,
            "edited": self._edited,
            "extended": self._extended,
            "expired": self._expired,
            "redeemed": self._redeemed,
            "repeated": self._repeated,
        }

    def replay(self, lines: Iterable[Line]) -> AuditModel:
        """Take these lines of one partition, in order. Raises AuditBroken at the first that can't be."""
        self.halted.clear()
        for line in lines:
            try:
                self.take(line)
            except AuditBroken as broken:
                raise AuditBroken(f"{broken}: {dict(line)}") from None
        return self

    def take(self, line: Line) -> None:
        """One more line."""
        event, action_id = line["event"], line["id"]
        story = self.stories.get(action_id)
        if event in BESIDE:
            self._beside(line)
        elif event.endswith("refused"):
            if story is not None:
                story.refused += 1
        elif event == "assessed":
            _check(story is None, "assessed twice")
            digest = line["digest"]
            self.stories[action_id] = Story(action_id, line["fleet"], digest, asked=digest)
        else:
            _check(event in self._rules, "an event that nobody knows")
            _check(story is not None, "of an action that was never assessed")
            assert story is not None
            _check(line["fleet"] == story.fleet, "of another fleet")
            self._rules[event](story, line, json.loads(line.get("details") or "{}"))

    @property
    def states(self) -> dict[str, str]:
        return {action_id: story.state for action_id, story in self.stories.items()}

    def _beside(self, line: Line) -> None:
        self.beside.append(line)
        if line["event"] in ("halted", "resumed"):
            scope = json.loads(line["details"])["scope"]
            if line["event"] == "halted":
                self.halted.add(scope)
            else:
                _check(scope in self.halted, "resumed, though it was not halted")
                self.halted.remove(scope)

    def _may_run(self, line: Line) -> None:
        """Nothing is released or redeemed of what is halted."""
        names = [line["fleet"], line["agent"], line.get("conversation", "")]
        halts = self.halted & {" ".join(names[:count]) for count in (1, 2, 3)}
        _check(not halts, f"it may run, though {halts} is halted")

    def _by_policy(self, story: Story, line: Line, _details: dict[str, Any]) -> None:
        _check(story.state == "assessed", f"decided, though it is {story.state}")
        if line["event"] == "released":
            self._may_run(line)
        if "digest" in line:
            _same_digest(story, line)
        story.state = line["event"]

    def _rejected(self, story: Story, line: Line, details: dict[str, Any]) -> None:
        if story.state == "assessed":
            self._by_policy(story, line, details)
        elif "choice" in details:
            self._answered(story, line, details)
        else:  # halted, with what was parked
            _check(story.state == "parked", f"rejected, though it is {story.state}")
            _check(bool(details.get("halt")), "rejected by nobody")
            _same_digest(story, line)
            story.state = "rejected"

    def _answered(self, story: Story, line: Line, details: dict[str, Any]) -> None:
        """An answer counts: the line says whose it is, and the votes must come to what it says."""
        _check(story.state == "parked", f"answered, though it is {story.state}")
        _same_digest(story, line)
        _check(
            {"principal", "choice", "need"} <= details.keys(), "it doesn't say who, what and of how many"
        )
        story.need = details["need"]
        story.votes.pop(details["principal"], None)  # their later answer takes the place of the earlier
        story.votes[details["principal"]] = details["choice"]
        self._heed(story, details)
        outcome = story.count or "answered"
        _check(line["event"] == outcome, f"the votes {story.votes} of {story.need} come to {outcome}")
        if outcome != "answered":
            story.state = outcome
            story.decided_by = story.of(details["choice"])

    def _heed(self, story: Story, details: dict[str, Any]) -> None:
        """Nobody is counted who did not answer. Whose token was revoked is not counted any more."""
        counted = dict.fromkeys(details["approved_by"], "approve")
        counted |= dict.fromkeys(details["rejected_by"], "reject")
        _check(len(counted) == len(details["approved_by"]) + len(details["rejected_by"]), "counted twice")
        _check(counted.items() <= story.votes.items(), f"{counted} count, {story.votes} answered")
        story.votes = {name: chosen for name, chosen in story.votes.items() if name in counted}

    def _edited(self, story: Story, line: Line, details: dict[str, Any]) -> None:
        """It is another action from now on: of the votes only the editor's own may be about that one."""
        _check(story.state == "parked", f"edited, though it is {story.state}")
        _check(line["was"] == story.digest, "edited from what it is not")
        story.digest = line["digest"]
        story.need = details["need"]
        story.votes = dict.fromkeys(details["approved_by"], "approve")
        _check(story.votes.keys() <= {details["principal"]}, "votes of others for what they have not seen")

    def _extended(self, story: Story, line: Line, _details: dict[str, Any]) -> None:
        _check(story.state == "parked", f"extended, though it is {story.state}")
        _same_digest(story, line)
        _check(int(line["deadline"]) > int(line["was"]), "extended to an earlier time")
        _check(story.deadline in (None, int(line["was"])), "extended from what it was not")
        story.deadline = int(line["deadline"])

    def _expired(self, story: Story, line: Line, _details: dict[str, Any]) -> None:
        _check(story.state == "parked", f"expired, though it is {story.state}")
        _same_digest(story, line)
        story.state = "expired"

    def _redeemed(self, story: Story, line: Line, _details: dict[str, Any]) -> None:
        _check(story.state == "approved", f"redeemed, though it is {story.state}")
        self._may_run(line)
        _same_digest(story, line)
        story.state = "redeemed"

    def _repeated(self, story: Story, line: Line, _details: dict[str, Any]) -> None:
        _check(line["state"] == story.state, f"repeated as {line['state']}, though it is {story.state}")
        _check(line["digest"] in (story.digest, story.asked), "repeated as another action")


def _same_digest(story: Story, line: Line) -> None:
    _check(line["digest"] == story.digest, "about another digest")


def _check(holds: bool, broken: str) -> None:
    if not holds:
        raise AuditBroken(broken)
