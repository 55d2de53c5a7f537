"""Hours: the time of day and the days of the week at which a rule counts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CLOCK = r"^([01]\d|2[0-3]):[0-5]\d$|^24:00$"
_WHOLE_DAY = 24 * 60

Clock = Annotated[str, StringConstraints(pattern=_CLOCK)]


def days_in(value: Any) -> Any:
    """``"mon-fri"``, ``["sat", "sun"]`` or ``"fri-mon"`` as the names of days. Raises ValueError."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple):
        return value
    found: list[str] = []
    for text in texts:
        first, dash, last = str(text).lower().strip().partition("-")
        last = last if dash else first
        if first not in DAYS or last not in DAYS:
            raise ValueError(f"{str(text)[:40]!r} names no days: write 'mon', 'mon-fri' or ['sat', 'sun']")
        start, count = DAYS.index(first), (DAYS.index(last) - DAYS.index(first)) % 7 + 1
        found += [DAYS[(start + step) % 7] for step in range(count)]
    return tuple(day for day in DAYS if day in found)


class Hours(BaseModel):
    """From when to when, by the clock of a zone. A window over midnight belongs to the day it begins on.

    ``from`` counts, ``to`` does not. Without them it is the whole day, without ``days`` every day.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    days: Annotated[tuple[str, ...], BeforeValidator(days_in)] = DAYS
    start: Clock = Field(default="00:00", alias="from")
    end: Clock = Field(default="24:00", alias="to")
    zone: str = "UTC"

    @model_validator(mode="after")
    def _can_hold(self) -> Self:
        if not self.days:
            raise ValueError("days is empty: the rule can never match; leave it out for every day")
        if self.start in (self.end, "24:00"):
            raise ValueError("from and to leave no time between them: the rule can never match")
        if not re.fullmatch(r"[A-Za-z0-9_+/-]{1,64}", self.zone):
            raise ValueError(f"zone: {self.zone[:40]!r} is no time zone; write 'UTC' or 'Europe/Berlin'")
        try:
            ZoneInfo(self.zone)
        except (ValueError, OSError, KeyError) as error:
            raise ValueError(
                f"zone: no time zone {self.zone!r} is known here; write 'UTC' or 'Europe/Berlin' "
                "(or pip install tzdata)"
            ) from error
        return self

    def hold(self, now_ms: int) -> bool:
        """Whether this time (milliseconds since 1970) is within them."""
        now = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(ZoneInfo(self.zone))
        minute = now.hour * 60 + now.minute
        start, end = _minutes(self.start), _minutes(self.end)
        if start < end:
            return start <= minute < end and DAYS[now.weekday()] in self.days
        if minute >= start:
            return DAYS[now.weekday()] in self.days
        return minute < end and DAYS[(now - timedelta(days=1)).weekday()] in self.days


class Timetable:
    """The masks of many rules' hours, worked out once a minute: no zone's offset changes within one."""

    def __init__(self, rows: Sequence[tuple[Hours | None, int]]) -> None:
        self._always = 0
        self._rows: dict[Hours, int] = {}
        for hours, bit in rows:
            if hours is None:
                self._always |= bit
            else:
                self._rows[hours] = self._rows.get(hours, 0) | bit
        self._seen: tuple[int, int] = (-1, 0)

    def mask(self, now_ms: int) -> int:
        """The rules that count at this time, one bit each."""
        if not self._rows:
            return self._always
        minute = now_ms // 60_000
        seen = self._seen
        if seen[0] != minute:
            holding = [bit for hours, bit in self._rows.items() if hours.hold(now_ms)]
            seen = self._seen = (minute, self._always | sum(holding))
        return seen[1]


def _minutes(clock: str) -> int:
    hour, _, minute = clock.partition(":")
    return int(hour) * 60 + int(minute) if clock != "24:00" else _WHOLE_DAY
