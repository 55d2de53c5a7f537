"""Every error that guardtier raises, and its form on the wire.

An error says what was wrong, where (``field``), which limit was broken (``limit``), and what to do
next. A worker sends it to the sender as a :class:`Refusal`; the client raises the same type again.
"""

from __future__ import annotations

from typing import Any, ClassVar

import orjson


class GuardtierError(Exception):
    """The base of all. ``code`` is stable and is what crosses the wire."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, field: str | None = None, limit: int | str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.limit = limit

    def saying(self, message: str, *, field: str | None) -> GuardtierError:
        """The same error in other words, and with its field called like this."""
        if (message, field) == (self.message, self.field):
            return self
        return type(self)(message, field=field, limit=self.limit)

    def to_json(self) -> bytes:
        """The error as JSON: code, message, and field and limit where there are any."""
        return orjson.dumps(self._body())

    def _body(self) -> dict[str, Any]:
        body: dict[str, Any] = {"code": self.code, "message": self.message[:2000]}
        if self.field is not None:
            body["field"] = self.field[:256]
        if self.limit is not None:
            body["limit"] = self.limit
        return body

    @staticmethod
    def from_json(raw: bytes) -> GuardtierError:
        """The error that a worker sent; an unknown code becomes a plain GuardtierError."""
        try:
            body = orjson.loads(raw)
            kind = _BY_CODE.get(body["code"], GuardtierError)
            message, more = str(body["message"]), {}
            if issubclass(kind, TurnedAway):
                more["retry_after"] = after = seconds_in(body.get("retry_after"))
                message = message.replace("after retry_after seconds", f"after {after:.1f} s")
            return kind(message, field=body.get("field"), limit=body.get("limit"), **more)
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
            return GuardtierError("the tier sent an error that can't be read")


class InvalidAction(GuardtierError):
    """The action breaks the model: ``field`` is its path, ``limit`` the bound that it broke."""

    code = "invalid_action"


class InvalidAnswer(GuardtierError):
    """An answer that can't be read, or whose fields break their patterns."""

    code = "invalid_answer"


class ActionConflict(GuardtierError):
    """The id is known under another digest: it names another action."""

    code = "action_conflict"


class UnknownFleet(GuardtierError):
    """No such fleet is registered, or the stream belongs to another one."""

    code = "unknown_fleet"


class UnknownAction(GuardtierError):
    """No record has this id: it was never published, or it has passed its retention time."""

    code = "unknown_action"


class UnreadableRecord(GuardtierError, ValueError):
    """What Redis holds of an action is damaged: nothing is decided about it."""

    code = "unreadable_record"


class UnusableEntry(GuardtierError):
    """An entry of a work stream with which nothing can be done, now or later: it becomes a dead letter."""

    code = "unusable_entry"


class UnknownGrant(GuardtierError):
    """No grant of this id stands for the fleet: none was given, or it is revoked or over."""

    code = "unknown_grant"


class UnknownDeadLetter(GuardtierError):
    """No such dead letter is kept: it was tried again, or it has passed its retention time."""

    code = "unknown_dead_letter"


class WrongState(GuardtierError):
    """The action's state does not allow this; ``field`` is the state that stands."""

    code = "wrong_state"


class AlreadyRedeemed(WrongState):
    """A person's approval is used once, and this one has been used."""

    code = "already_redeemed"


class Halted(WrongState):
    """The fleet, the agent or the conversation is halted: an approval counts once it is resumed."""

    code = "halted"


class NotAuthorized(GuardtierError):
    """The answer does not prove an approver who may answer this action."""

    code = "not_authorized"


class DigestMismatch(GuardtierError):
    """The digest names another action than the one that was asked for."""

    code = "digest_mismatch"


class EditedAction(DigestMismatch):
    """An approver changed the arguments, and this client does not accept that: the tool must not run."""

    code = "edited_action"


class BadSignature(GuardtierError):
    """What the tier is said to have said is not signed by a key of its: the tool must not run."""

    code = "bad_signature"


class UnknownKey(BadSignature):
    """Signed by a key that was not given to this client, or that is retired. ``limit``: its id."""

    code = "unknown_key"


class StaleVerdict(GuardtierError):
    """A verdict that allows a run, and not now: its time is over, or a clock is wrong. ``field`` says
    which time is: ``valid_until`` is past, ``decided_at`` is to come.
    """

    code = "stale_verdict"


class EditRefused(GuardtierError):
    """An approver's edit did not take effect; the action is as it was.

    ``field``: ``terms`` (it may not be edited), ``accepts`` (its agent takes no edited arguments),
    ``policy`` (the edited action is not allowed), ``edit`` (another edit of it is being rated).
    """

    code = "edit_refused"


class PolicyNotEverywhere(GuardtierError):
    """A policy was set in some partitions and not in others: repeat it. ``limit`` counts the failed."""

    code = "policy_not_everywhere"


class HaltNotEverywhere(GuardtierError):
    """A halt was set, or lifted, in some partitions and not in others: repeat it. ``limit`` counts the
    failed.
    """

    code = "halt_not_everywhere"


class AnalysisFailed(GuardtierError):
    """The tier could not read or rate the action after several deliveries."""

    code = "analysis_failed"


class GuardTimeout(GuardtierError, TimeoutError):
    """No verdict in time. The tool must not run; the action may still be answered later."""

    code = "guard_timeout"


class TierUnavailable(GuardtierError):
    """Redis can't be reached or refuses writes. The tool must not run."""

    code = "tier_unavailable"


class TurnedAway(GuardtierError):
    """The tier has no room for this request now, and has not rated it: the tool must not run.

    ``retry_after``: seconds after which to ask again, 0 to 3600.
    """

    code = "turned_away"

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        limit: int | str | None = None,
        retry_after: float = 1.0,
    ) -> None:
        super().__init__(message, field=field, limit=limit)
        self.retry_after = retry_after

    def _body(self) -> dict[str, Any]:
        return super()._body() | {"retry_after": self.retry_after}

    def head(self) -> bytes:
        """Its JSON without ``retry_after`` and the last brace, for a script that adds these."""
        return orjson.dumps(super()._body())[:-1]


class QuotaExceeded(TurnedAway):
    """The fleet, or this agent, asks faster than its quota allows; ``field`` says which of the two."""

    code = "quota_exceeded"


class QueueFull(TurnedAway):
    """More requests of the fleet wait than its ``max_queue`` allows."""

    code = "queue_full"


class NoticeNotSent(GuardtierError):
    """A notice did not go out. ``again``: another try may help, after ``wait`` seconds where they said so.

    Its text is logged: it names no URL, which may hold a key.
    """

    code = "notice_not_sent"

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        limit: int | str | None = None,
        again: bool = False,
        wait: float | None = None,
    ) -> None:
        super().__init__(message, field=field, limit=limit)
        self.again = again
        self.wait = wait


class ConfigError(GuardtierError):
    """A setting is wrong: ``field`` names it."""

    code = "config_error"


class NoRedisServer(ConfigError):
    """No redis-server binary was found for the embedded default."""

    code = "no_redis_server"


def seconds_in(value: Any) -> float:
    """A time to wait as somebody else says it: 0 to 3600 s; 1 s where it is no number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:  # noqa: PLR0124 - NaN
        return 1.0
    return float(min(max(value, 0.0), 3600.0))


def _subclasses(base: type[GuardtierError]) -> list[type[GuardtierError]]:
    return [base, *(found for sub in base.__subclasses__() for found in _subclasses(sub))]


_BY_CODE: dict[str, type[GuardtierError]] = {kind.code: kind for kind in _subclasses(GuardtierError)}
