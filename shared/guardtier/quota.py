"""Quota: how fast a fleet, or one agent of it, may ask, as a token bucket."""

from __future__ import annotations

from math import ceil

from pydantic import BaseModel, ConfigDict, Field

LONGEST_SECONDS = 3600.0  #: until an empty bucket is full again
MOST = 1_000_000
POLLS = 10  #: polls, lists and reports for each action: they cost the tier about a third of one


class Quota(BaseModel):
    """So many actions a second in the long run, and ``burst`` of them at once.

    ``rate``: 0.001 to 1,000,000 a second. ``burst``: 1 to 1,000,000; left out, what one second gives. What
    is beyond is refused with QuotaExceeded, which says when to ask again; nothing is rated for it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    rate: float = Field(ge=0.001, le=MOST)
    burst: int | None = Field(default=None, ge=1, le=MOST)

    @property
    def at_once(self) -> int:
        """The most that an idle bucket holds. It fills up within an hour, whatever ``burst`` says."""
        return min(self.burst or max(1, ceil(self.rate)), max(1, int(self.rate * LONGEST_SECONDS)))

    @property
    def of_polls(self) -> Quota:
        """The bound of what asks after earlier actions (polls, lists, reports): ten for each action."""
        return Quota(rate=min(self.rate * POLLS, MOST), burst=min(self.at_once * POLLS, MOST))

    @property
    def words(self) -> str:
        return f"{self.rate:g} a second, {self.at_once} at once"
