"""Hours: windows over midnight, days, zones and their summer time."""

from __future__ import annotations

from datetime import datetime

import pytest

from guardtier.policy.hours import Hours

NIGHT = {"days": "mon-fri", "from": "18:00", "to": "08:00", "zone": "Europe/Berlin"}


def holds(hours: dict[str, object], at: str) -> bool:
    return Hours.model_validate(hours).hold(int(datetime.fromisoformat(at).timestamp() * 1000))


@pytest.mark.parametrize(
    ("at", "within"),
    [
        ("2026-01-05T17:59:59+01:00", False),  # a Monday
        ("2026-01-05T18:00:00+01:00", True),
        ("2026-01-06T07:59:59+01:00", True),
        ("2026-01-06T08:00:00+01:00", False),
        ("2026-01-10T03:00:00+01:00", True),  # Saturday morning belongs to Friday's night
        ("2026-01-10T19:00:00+01:00", False),
        ("2026-01-05T03:00:00+01:00", False),  # and Monday morning to Sunday's
        ("2026-07-06T16:30:00+00:00", True),  # 18:30 in summer
        ("2026-01-05T16:30:00+00:00", False),  # 17:30 in winter
    ],
)
def test_a_night_belongs_to_the_day_that_it_begins_on(at: str, within: bool):
    assert holds(NIGHT, at) is within


def test_both_ways_through_the_hour_that_comes_twice_count():
    hours = {"from": "02:00", "to": "03:00", "zone": "Europe/Berlin"}

    assert holds(hours, "2026-10-25T00:30:00+00:00")
    assert holds(hours, "2026-10-25T01:30:00+00:00")
    assert not holds(hours, "2026-10-25T02:30:00+00:00")


def test_days_may_run_over_the_end_of_the_week():
    hours = {"days": ["sat-mon", "wed"]}

    assert [day for day in range(5, 12) if holds(hours, f"2026-01-{day:02}T12:00:00+00:00")] == [
        5,
        7,
        10,
        11,
    ]


def test_to_midnight_is_2400():
    hours = {"from": "22:00"}

    assert holds(hours, "2026-01-05T23:59:59+00:00")
    assert not holds(hours, "2026-01-06T00:00:00+00:00")
