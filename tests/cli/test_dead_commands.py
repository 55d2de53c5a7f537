"""guardtier dead list, dead retry: against the tier that ``guardtier up`` runs."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from redis import Redis

from cli.conftest import Up
from cli.test_halt_commands import Here
from guardtier.store.keys import Keys
from waiting import until_sync

KEYS = Keys(0)


@pytest.fixture
def cli(up: Up, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    for name, value in up.terminal.env.items():
        if name.startswith("GUARDTIER_"):
            monkeypatch.setenv(name, value)
    return Here(capsys, monkeypatch)


@pytest.fixture
def redis(cli: Here) -> Iterator[Redis]:
    with Redis.from_url(cli.run("url").out.strip()) as redis:
        redis.delete(KEYS.dead)
        yield redis
        redis.delete(KEYS.dead)


def bury(redis: Redis, **fields: str) -> str:
    known = {
        "id": "a.0",
        "why": "delivered 5 times",
        "stream": KEYS.outbox,
        "op": "notice",
        "payload": "{}",
    }
    return redis.xadd(KEYS.dead, known | fields).decode() + ".0"


def test_none_is_said_to_be_none(cli: Here, redis: Redis) -> None:
    done = cli.run("dead", "list")

    assert (done.code, done.out) == (0, "no dead letters\n")


def test_they_are_listed_with_what_can_be_tried_again(cli: Here, redis: Redis) -> None:
    name = bury(redis, why="it \x1b[31mfailed")
    bury(redis, stream=KEYS.answers, op="approve")

    done = cli.run("dead", "list")

    assert name in done.out
    assert "can be tried again" in done.out
    assert "it has to be sent again" in done.out
    assert "\x1b" not in done.out
    (_, first) = json.loads(cli.run("dead", "list", "--json").out)["dead"]
    assert (first["letter"], first["retry"], first["op"]) == (name, True, "notice")


def test_one_is_tried_again(cli: Here, redis: Redis) -> None:
    name = bury(redis)

    done = cli.run("dead", "retry", name, "--reason", "mended")

    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"{name} is work again")
    until_sync(lambda: name not in cli.run("dead", "list").out)
    assert cli.run("dead", "retry", name).code == 1


def test_what_can_not_be_tried_again_says_why(cli: Here, redis: Redis) -> None:
    name = bury(redis, stream=KEYS.answers)

    done = cli.run("dead", "retry", name)

    assert done.code == 1
    assert "has to be sent again" in done.err
    assert cli.run("dead", "retry", "x").code == 2
