"""Quotas in the settings, and refusals that say when to ask again."""

from __future__ import annotations

import orjson
import pytest
from pydantic import ValidationError

from guardtier.errors import ConfigError, GuardtierError, QueueFull, QuotaExceeded, TurnedAway
from guardtier.quota import Quota
from guardtier.settings import Settings


@pytest.mark.parametrize(
    ("given", "at_once"),
    [
        ({"rate": 50}, 50),
        ({"rate": 0.5}, 1),
        ({"rate": 2.5}, 3),
        ({"rate": 1, "burst": 10}, 10),
        ({"rate": 1, "burst": 1_000_000}, 3600),  # full again within an hour
        ({"rate": 0.001, "burst": 100}, 3),
    ],
)
def test_what_an_idle_bucket_holds(given: dict[str, float], at_once: int) -> None:
    assert Quota(**given).at_once == at_once


@pytest.mark.parametrize(
    "wrong",
    [{}, {"rate": 0}, {"rate": -1}, {"rate": float("inf")}, {"rate": float("nan")}, {"rate": 1, "burst": 0},
     {"rate": 1, "per": "minute"}],
)  # fmt: skip
def test_a_quota_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Quota.model_validate(wrong)


def test_a_fleets_own_stands_above_the_tiers() -> None:
    settings = Settings.load(
        quota={"rate": 1},
        agent_quota={"rate": 2},
        max_queue=100,
        fleets={"web": {"quota": {"rate": 10}, "max_queue": 5}, "data": {}},
    )

    assert settings.quotas_of("web") == (Quota(rate=10), Quota(rate=2))
    assert (
        settings.quotas_of("data")
        == settings.quotas_of("set-at-run-time")
        == (Quota(rate=1), Quota(rate=2))
    )
    assert [settings.max_queue_of(fleet) for fleet in ("web", "data", None)] == [5, 100, 100]


def test_without_settings_there_is_no_quota_and_a_queues_limit() -> None:
    assert Settings.load().quotas_of("default") == (None, None)
    assert Settings.load().max_queue_of("default") == 10_000


def test_a_wrong_quota_is_named() -> None:
    with pytest.raises(ConfigError) as wrong:
        Settings.load(fleets={"web": {"quota": {"rate": 0}}})
    assert wrong.value.field == "fleets.web.quota.rate"


@pytest.mark.parametrize("kind", [TurnedAway, QuotaExceeded, QueueFull])
def test_it_crosses_the_wire_with_its_time(kind: type[TurnedAway]) -> None:
    told = GuardtierError.from_json(kind("later", field="quota", limit=3, retry_after=2.5).to_json())

    assert type(told) is kind
    assert isinstance(told, TurnedAway)
    assert (told.message, told.field, told.limit, told.retry_after) == ("later", "quota", 3, 2.5)


@pytest.mark.parametrize(
    ("said", "taken"),
    [(None, 1), ("5", 1), (True, 1), ([], 1), (-4, 0), (1e300, 3600), (0, 0), (12, 12)],
)
def test_whatever_is_said_of_the_time_it_is_bounded(said: object, taken: float) -> None:
    told = GuardtierError.from_json(
        orjson.dumps({"code": "queue_full", "message": "m", "retry_after": said})
    )

    assert isinstance(told, QueueFull)
    assert told.retry_after == taken


def test_a_script_can_add_the_time() -> None:
    head = QueueFull("full", field="max_queue", limit=5).head()

    assert (
        GuardtierError.from_json(head + b',"retry_after":7.0}').to_json()
        == QueueFull("full", field="max_queue", limit=5, retry_after=7.0).to_json()
    )
