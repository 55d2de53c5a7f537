"""guardtier review: one parked action after the other, each answered by a key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pydoc import pager
from typing import Annotated, TypeVar

import typer

from guardtier.answer import Choice
from guardtier.approver_answers import Draft
from guardtier.errors import GuardtierError, GuardTimeout, InvalidAction, TierUnavailable
from guardtier.policy.edit import Revised
from guardtier.policy.tally import Counted
from guardtier.risk import SecurityRisk
from guardtier.state import State
from guardtier.verdict import Verdict
from guardtier_workers.changed import MOST_LINES, changes
from guardtier_workers.cli import keyboard
from guardtier_workers.cli.desk import Desk, Found
from guardtier_workers.cli.edit import arguments_of
from guardtier_workers.cli.exits import Exit, UsageError
from guardtier_workers.cli.options import ApproverName, Config, RedisUrl, Seconds, TokenFile
from guardtier_workers.cli.output import RISK_STYLES, cell, console, note, say
from guardtier_workers.cli.sheet import sheet
from guardtier_workers.console.answering.before import Offer
from guardtier_workers.console.answering.editable import shown_json

Came = TypeVar("Came")

LOOK_SECONDS = 2.0  #: between looks, where nothing waited
KEYS = "[a]pprove  [r]eject  [e]dit  [s]kip  [v]iew all of it  [q]uit: "
ELSEWHERE = "for a program: guardtier pending --json, then guardtier approve ID or reject ID"


def review(
    fleet: Annotated[str | None, typer.Option(metavar="FLEET", help="Of this fleet alone.")] = None,
    agent: Annotated[str | None, typer.Option(metavar="AGENT", help="Of this agent alone.")] = None,
    risk: Annotated[
        list[SecurityRisk] | None, typer.Option(help="Rated so. Repeat for more.", case_sensitive=False)
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Where nothing waits, wait for the next one, until q.")
    ] = False,
    name: ApproverName = None,
    token_file: TokenFile = None,
    timeout: Seconds = 60.0,
    redis_url: RedisUrl = None,
    config: Config = None,
) -> int:
    """Answer what waits at a terminal, one action after the other, the nearest deadline first."""
    keyboard.check_terminal(ELSEWHERE)
    desk = Desk(redis_url, config, name, token_file, timeout, fleet, agent, tuple(risk or ()))
    return Review(desk, waits=wait).run()


def _lay_out(found: Found) -> None:
    first, *rest = sheet(found.record, found.before).lines
    say()
    console().print(cell(first, RISK_STYLES.get(found.record.assessment.risk.value, "")))
    for line in rest:
        say(line)


def _nothing(others: int) -> str:
    return "Nothing waits for you" + (f"; {others} wait for others." if others else ".")


class Review:
    """A sitting. What is sent names the digest of what was shown; nothing is sent without Enter."""

    def __init__(self, desk: Desk, *, waits: bool) -> None:
        self._desk, self._waits = desk, waits
        self._done: Counter[str] = Counter()
        self._keys: Mapping[str, Callable[[Found], bool]] = {
            "a": self._approve,
            "r": self._reject,
            "e": self._edit,
            "s": self._skip,
            "v": self._view,
        }

    def run(self) -> Exit:
        try:
            while self._one():
                pass
        finally:
            say(", ".join(f"{number} {what}" for what, number in self._done.items()) or "nothing was sent")
        return Exit.DONE

    def _one(self) -> bool:
        """The next action; False where the sitting is over."""
        turn = self._tried(self._desk.next)
        if turn.found is None:
            return self._goes_on(turn.others)
        _lay_out(turn.found)
        while (pressed := keyboard.key(KEYS)) != "q":
            if pressed not in self._keys:
                say("None of these keys. Nothing was sent.")
            elif self._keys[pressed](turn.found):
                return True
        return False

    def _goes_on(self, others: int) -> bool:
        """Whether there is more to come where nothing waits for this approver."""
        aside = len(self._desk.aside)
        said = f"Nothing else waits for you. You put {aside} aside." if aside else _nothing(others)
        if not aside and not self._waits:
            say(said)
            return False
        asks = f"{said}{' Waiting.' if self._waits else ''}{' [b]ack to them ' if aside else ''} [q]uit: "
        prompt = asks
        while (pressed := keyboard.key(prompt, seconds=LOOK_SECONDS if self._waits else None)) != "q":
            prompt = asks if pressed else ""
            if pressed == "b" and aside:
                self._desk.aside.clear()
                return True
            if not pressed and self._tried(self._desk.next).found is not None:
                say()
                return True
        return False

    # -- what the keys do: True where the next action is to be shown ----------------------------------

    def _approve(self, found: Found) -> bool:
        return self._answered(found, Choice.APPROVE, found.before.approve)

    def _reject(self, found: Found) -> bool:
        return self._answered(found, Choice.REJECT, found.before.reject)

    def _skip(self, found: Found) -> bool:
        self._desk.aside.add((found.record.id, found.record.digest))
        return True

    def _view(self, found: Found) -> bool:
        pager("\n".join(sheet(found.record, found.before, whole=True).lines))
        return False

    def _answered(self, found: Found, choice: Choice, offer: Offer) -> bool:
        if not self._may(offer):
            return False
        if not self._stands(found):
            return True
        if choice is Choice.APPROVE and (rows := sheet(found.record, found.before).left_out):
            say(f"{rows} rows of it were not shown here.")
        needed = choice is Choice.REJECT or found.before.reason_required
        reason = self._reason(f"{choice.value}, because", needed=needed)
        if reason is None:
            return False
        record = found.record
        draft = Draft(record.id, choice, record.digest, reason, shown=record.shown)
        self._sent(lambda: self._desk.answer(draft))
        return True

    def _edit(self, found: Found) -> bool:
        if not self._may(found.before.edit):
            return False
        arguments = found.record.action.arguments
        made = self._made_of(shown_json(arguments))
        if made is None:
            return False
        lines = list(changes(arguments, made))
        if not lines:
            say("Nothing changes, so nothing was sent.")
            return False
        for line in lines[:MOST_LINES]:
            say(line)
        if len(lines) > MOST_LINES:
            say(f"… and {len(lines) - MOST_LINES} more lines")
        if not self._stands(found):
            return True
        reason = self._reason("edit and approve, because", needed=found.before.reason_required)
        if reason is None:
            return False
        self._sent(lambda: self._desk.edit(found.record, made, reason))
        return True

    def _made_of(self, text: str) -> dict[str, object] | None:
        """The arguments that somebody makes of these in their editor; None where they leave it."""
        while True:
            try:
                text = keyboard.edited(text, ".json")
                return arguments_of(text.encode(errors="surrogateescape"))
            except UsageError as error:
                say(error.message)
                return None
            except InvalidAction as error:
                say(error.message)
                if keyboard.key("[e]dit it further, any other key leaves it: ") != "e":
                    return None

    # -- what they have in common ----------------------------------------------------------------------

    def _may(self, offer: Offer) -> bool:
        if not offer.can:
            say(offer.why_not)
        return offer.can

    def _stands(self, found: Found) -> bool:
        """Whether it is still what was shown. Says what became of it, and that others have answered."""
        try:
            now = self._tried(lambda: self._desk.look(found.record.id))
        except GuardtierError as error:
            say(error.message)
            return False
        if now.record.state is not State.PARKED:
            say(now.before.ended)
            return False
        if (now.record.digest, now.record.shown) != (found.record.digest, found.record.shown):
            say("Somebody has changed it while you looked; nothing of yours was sent. It comes again.")
            for line in list(changes(found.record.action.arguments, now.record.action.arguments))[
                :MOST_LINES
            ]:
                say(line)
            return False
        if now.before.approve.words != found.before.approve.words:
            say("Somebody has answered it meanwhile.")
            for words in now.before.approve.words:
                say(f"  {words}")
        return True

    def _reason(self, prompt: str, *, needed: bool) -> str | None:
        """None where they think better of it. The agent's model reads it."""
        say(
            f"Enter sends it, with your reason{'' if needed else ' if you give one'}; Ctrl-C sends nothing."
        )
        reason = keyboard.line(f"{prompt}: ")
        if reason == "" and needed:
            say("Say why: the agent's model reads it. Nothing was sent.")
            return None
        if reason is None:
            say("Nothing was sent.")
        return reason

    def _sent(self, send: Callable[[], Verdict | Counted | Revised]) -> None:
        """Sends it, once, and says what came of it."""
        try:
            came = send()
        except (TierUnavailable, GuardTimeout) as error:
            self._done["sent, and not known to count"] += 1
            say(f"{error.message}. It may count: it comes again if it does not.")
            return
        except GuardtierError as error:
            self._done["refused"] += 1
            say(f"It does not count: {error.message}")
            return
        what = came.outcome.value if isinstance(came, Verdict) else "counted"
        self._done[what] += 1
        say(
            f"{what} by {', '.join(came.decided_by)}"
            if isinstance(came, Verdict)
            else f"counted: {came.in_words}"
        )

    def _tried(self, step: Callable[[], Came]) -> Came:
        """What the tier says, tried again as long as somebody wants where it does not answer."""
        while True:
            try:
                return step()
            except (TierUnavailable, GuardTimeout) as error:
                note(f"guardtier: {error.message}")
                if keyboard.key("[t]ry again  [q]uit: ") == "q":
                    raise
