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

ENTRY = "@"  #: where a line keeps its id in the stream; ``entry`` may be a field of its own
ENDED = frozenset({"released", "rejected", "expired", "redeemed"})
#: Lines that are about no single action's state, or change none.
BESIDE = frozenset(
    {"configured", "halted", "resumed", "granted", "revoked", "blocked", "retried", "turned_away"}
)
#: Whatever came of it: a request, or an entry, that changed nothing.
REFUSED = ("refused", "given_up")


class AuditBroken(AssertionError):
    """A line that can't follow those before it. ``kind`` names the rule that it breaks."""

    def __init__(self, kind: str, broken: str) -> None:
        super().__init__(broken)
        self.kind = kind


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
    path: list[str] = field(default_factory=lambda: ["assessed"])  #: the states that it has been in
    said: list[tuple[str, str, str]] = field(default_factory=list)  #: principal, choice or "edit", digest
    at: dict[str, int] = field(default_factory=dict)  #: state → when (ms) it came to be in it

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
        #: in the partition that is replayed: "fleet[ agent[ conversation]]", and which of them reject
        self.halted: set[str] = set()
        self.rejecting: set[str] = set()
        self.file = ""  #: what was set for all fleets there: "file@7", "settings@8" after a reset
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
        self.begin()
        for line in lines:
            try:
                self.take(line)
            except AuditBroken as broken:
                raise AuditBroken(broken.kind, f"{broken}: {dict(line)}") from None
        return self

    def begin(self) -> None:
        """The lines of another partition follow."""
        self.halted.clear()
        self.rejecting.clear()
        self.file = ""

    def take(self, line: Line) -> None:
        """One more line."""
        event, action_id = line["event"], line["id"]
        story = self.stories.get(action_id)
        if event in BESIDE:
            self._beside(line)
        elif event.endswith(REFUSED):
            if story is not None:
                story.refused += 1
        elif event == "assessed":
            _check(story is None, "assessed-twice", "assessed twice")
            _check(bool(line.get("risk")), "unrated", "assessed without a risk")
            digest = line["digest"]
            self.stories[action_id] = Story(action_id, line["fleet"], digest, asked=digest)
        else:
            _check(event in self._rules, "unknown-event", "an event that nobody knows")
            _check(story is not None, "never-assessed", "of an action that was never assessed")
            assert story is not None
            _check(line["fleet"] == story.fleet, "another-fleet", "of another fleet")
            self._rules[event](story, line, json.loads(line.get("details") or "{}"))
            if story.state != story.path[-1]:
                story.path.append(story.state)
                story.at[story.state] = int(line.get(ENTRY, "0").partition("-")[0])

    @property
    def known(self) -> set[str]:
        """The events that change an action's state, and repeats."""
        return {"assessed", *self._rules}

    @property
    def states(self) -> dict[str, str]:
        return {action_id: story.state for action_id, story in self.stories.items()}

    @property
    def standing(self) -> set[str]:
        """What was ordered in the partition that is replayed, and counts: halts, and the policy file."""
        return self.halted | ({self.file} if self.file else set())

    def _beside(self, line: Line) -> None:
        self.beside.append(line)
        if line["event"] in ("halted", "resumed"):
            halt = json.loads(line["details"])
            scope = halt["scope"]
            self.rejecting.discard(scope)
            if line["event"] == "halted":
                self.halted.add(scope)
                self.rejecting |= {scope} if halt.get("then") == "reject" else set()
            else:
                _check(scope in self.halted, "resumed-unhalted", "resumed, though it was not halted")
                self.halted.remove(scope)
        elif line["event"] == "configured" and line["fleet"] == "*":
            self.file = line["policy"]

    def _may_run(self, line: Line) -> None:
        """Nothing is released or redeemed of what is halted."""
        names = [line["fleet"], line["agent"], line.get("conversation", "")]
        halts = self.halted & {" ".join(names[:count]) for count in (1, 2, 3)}
        _check(not halts, "runs-halted", f"it may run, though {halts} is halted")

    def _by_policy(self, story: Story, line: Line, _details: dict[str, Any]) -> None:
        _check_is("assessed", story, "decided")
        _check(bool(line.get("policy")), "no-policy", "decided by no policy")
        if line["event"] == "released":
            self._may_run(line)
        if line["event"] == "parked":
            _check(story.fleet not in self.rejecting, "parked-halted", "parked, though its halt rejects")
        self._by_what_stands(line)
        if "digest" in line:
            _same_digest(story, line)
        story.state = line["event"]

    def _by_what_stands(self, line: Line) -> None:
        """No decision is made under another policy file; what parks whatever stands may name none."""
        said = {part for part in line["policy"].split(", ") if part.startswith("file@")}
        stands = {self.file} if self.file.startswith("file@") else set()
        parks = line["event"] == "parked" and not said
        _check(parks or said == stands, "decided-outdated", f"under {said}, though {stands} stands")

    def _rejected(self, story: Story, line: Line, details: dict[str, Any]) -> None:
        if story.state == "assessed":
            self._by_policy(story, line, details)
        elif "choice" in details:
            self._answered(story, line, details)
        else:  # halted, with what was parked
            _check_is("parked", story, "rejected")
            _check(bool(details.get("halt")), "by-nobody", "rejected by nobody")
            _same_digest(story, line)
            story.state = "rejected"

    def _answered(self, story: Story, line: Line, details: dict[str, Any]) -> None:
        """An answer counts: the line says whose it is, and the votes must come to what it says."""
        _check_is("parked", story, "answered")
        _same_digest(story, line)
        said = {"principal", "choice", "need"} <= details.keys()
        _check(said, "by-nobody", "it doesn't say who, what and of how many")
        story.need = details["need"]
        story.said.append((details["principal"], details["choice"], line["digest"]))
        story.votes.pop(details["principal"], None)  # their later answer takes the place of the earlier
        story.votes[details["principal"]] = details["choice"]
        self._heed(story, details)
        outcome = story.count or "answered"
        told = f"the votes {story.votes} of {story.need} come to {outcome}"
        _check(line["event"] == outcome, "miscounted", told)
        if outcome != "answered":
            story.state = outcome
            story.decided_by = story.of(details["choice"])

    def _heed(self, story: Story, details: dict[str, Any]) -> None:
        """Nobody is counted who did not answer. Whose token was revoked is not counted any more."""
        counted = dict.fromkeys(details["approved_by"], "approve")
        counted |= dict.fromkeys(details["rejected_by"], "reject")
        many = len(details["approved_by"]) + len(details["rejected_by"])
        _check(len(counted) == many, "counted-twice", "counted twice")
        answered = counted.items() <= story.votes.items()
        _check(answered, "voted-for-others", f"{counted} count, {story.votes} answered")
        story.votes = {name: chosen for name, chosen in story.votes.items() if name in counted}

    def _edited(self, story: Story, line: Line, details: dict[str, Any]) -> None:
        """It is another action from now on: of the votes only the editor's own may be about that one."""
        _check_is("parked", story, "edited")
        _check(line["was"] == story.digest, "edited-another", "edited from what it is not")
        story.said.append((details["principal"], "edit", line["digest"]))
        story.digest = line["digest"]
        story.need = details["need"]
        story.votes = dict.fromkeys(details["approved_by"], "approve")
        unseen = story.votes.keys() - {details["principal"]}
        _check(not unseen, "voted-unseen", f"votes of {unseen} for what they have not seen")

    def _extended(self, story: Story, line: Line, _details: dict[str, Any]) -> None:
        _check_is("parked", story, "extended")
        _same_digest(story, line)
        was, deadline = int(line["was"]), int(line["deadline"])
        _check(deadline > was, "extended-back", "extended to an earlier time")
        _check(story.deadline in (None, was), "extended-another", "extended from what it was not")
        story.deadline = deadline

    def _expired(self, story: Story, line: Line, _details: dict[str, Any]) -> None:
        _check_is("parked", story, "expired")
        _same_digest(story, line)
        story.state = "expired"

    def _redeemed(self, story: Story, line: Line, _details: dict[str, Any]) -> None:
        _check_is("approved", story, "redeemed")
        self._may_run(line)
        _same_digest(story, line)
        story.state = "redeemed"

    def _repeated(self, story: Story, line: Line, _details: dict[str, Any]) -> None:
        told = f"repeated as {line['state']}, though it is {story.state}"
        _check(line["state"] == story.state, "repeated-otherwise", told)
        same = line["digest"] in (story.digest, story.asked)
        _check(same, "another-digest", "repeated as another action")


def _same_digest(story: Story, line: Line) -> None:
    _check(line["digest"] == story.digest, "another-digest", "about another digest")


def _check_is(state: str, story: Story, what: str) -> None:
    """Nothing but this state allows it: what has ended once must not end again."""
    kind = "ended-twice" if story.ended else f"{what}-from-{story.state}"
    _check(story.state == state, kind, f"{what}, though it is {story.state}")


def _check(holds: bool, kind: str, broken: str) -> None:
    if not holds:
        raise AuditBroken(kind, broken)
