"""guardtier doctor where something is broken: it names what is wrong, and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import NoPermissionError, RedisError

from cli.conftest import Terminal, Up
from guardtier.policy.halts import Halt, Scope
from guardtier.store.keys import STEWARD_ALIVE, TIER, Keys
from guardtier_workers.embedded import EmbeddedRedis
from guardtier_workers.steward import ALIVE_MS
from roleserver import PARTITIONS, serving_roles
from waiting import until_sync


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis() as server:
        yield server


@pytest.fixture
def redis(server: EmbeddedRedis) -> Iterator[Redis]:
    with Redis.from_url(server.url) as redis:
        redis.config_set("maxmemory", 0)
        redis.flushall()
        yield redis
        redis.config_set("maxmemory", 0)


@pytest.fixture
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    return Terminal(tmp_path_factory.mktemp("state"))


def found(terminal: Terminal, url: str, **env: str) -> tuple[int, dict[str, tuple[str, str]]]:
    done = terminal.run("doctor", "--json", "--redis-url", url, **env)
    return done.code, {one["what"]: (one["grade"], one["says"]) for one in done.json["checks"]}


def test_a_full_redis_is_not_told_as_workers_that_are_away(
    terminal: Terminal, server: EmbeddedRedis, redis: Redis
) -> None:
    redis.config_set("maxmemory", "100kb")

    code, checks = found(terminal, server.url)

    assert code == 1
    assert checks["memory"][0] == "failure"
    assert "Redis refuses writes" in checks["memory"][1]
    assert "start one" not in checks["policy workers"][1]


def test_other_partitions_than_the_tier_has(
    terminal: Terminal, server: EmbeddedRedis, redis: Redis
) -> None:
    redis.hset(TIER, "partitions", "4")

    code, checks = found(terminal, server.url, GUARDTIER_PARTITIONS="2")

    assert (code, checks["partitions"][0]) == (1, "failure")
    assert "set partitions = 4" in checks["partitions"][1]
    assert found(terminal, server.url)[1]["partitions"][0] == "warning"


def test_what_nobody_ends_at_its_deadline(terminal: Terminal, server: EmbeddedRedis, redis: Redis) -> None:
    assert terminal.run("fleet", "add", "web", "--redis-url", server.url).code == 0
    redis.zadd(Keys(0).parked, {"a1.0": 1.0})

    _, checks = found(terminal, server.url)

    assert checks["deadlines"][0] == "failure"
    assert "does a steward run" in checks["deadlines"][1]


def test_a_steward_that_no_longer_takes_its_jobs(
    terminal: Terminal, server: EmbeddedRedis, redis: Redis
) -> None:
    says = found(terminal, server.url)[1]["steward"]
    assert says[0] == "failure"
    assert "guardtier worker steward" in says[1]

    with terminal.running("worker", "steward", "--redis-url", server.url) as worker:
        until_sync(lambda: redis.exists(STEWARD_ALIVE))

    grade, says = found(terminal, server.url)[1]["steward"]
    assert (grade, str(worker.pid) in says) == ("ok", True)
    assert 0 < redis.pttl(STEWARD_ALIVE) <= ALIVE_MS  # nobody takes it away from one that was killed


def test_a_redis_of_arqs_own_that_is_away(terminal: Terminal, server: EmbeddedRedis, redis: Redis) -> None:
    _, checks = found(terminal, server.url, GUARDTIER_ARQ_URL="redis://:secret@127.0.0.1:1/0")

    assert checks["steward"][0] == "failure"
    assert "arq's Redis at redis://:***@127.0.0.1:1/0" in checks["steward"][1]

    _, checks = found(terminal, server.url, GUARDTIER_ARQ_URL="redis+cluster://127.0.0.1:1")

    assert checks["steward"][0] == "warning"
    assert "arq speaks no cluster protocol" in checks["steward"][1]


def test_a_wrong_password_is_a_line_of_the_report(terminal: Terminal, server: EmbeddedRedis) -> None:
    wrong = server.url.replace("@", "x@")

    code, checks = found(terminal, wrong)

    assert code == 2
    assert checks["redis"][0] == "failure"
    assert "check user and password" in checks["redis"][1]


def test_a_credential_that_may_not_look(terminal: Terminal, server: EmbeddedRedis, redis: Redis) -> None:
    redis.execute_command("ACL", "SETUSER", "weak", "on", ">weak", "~gt:*", "+get", "+ping")

    says = found(terminal, f"redis://weak:weak@{server.url.partition('@')[2]}")[1]["redis"][1]

    assert "(doctor: admin)" in says


def test_a_replica_takes_no_writes(terminal: Terminal, server: EmbeddedRedis, redis: Redis) -> None:
    assert "role" not in found(terminal, server.url)[1]
    redis.execute_command("REPLICAOF", "127.0.0.1", "1")

    code, checks = found(terminal, server.url)
    redis.execute_command("REPLICAOF", "NO", "ONE")

    assert (code, checks["role"][0]) == (1, "failure")
    assert "a replica of 127.0.0.1:1" in checks["role"][1]


def test_memory_without_a_limit_is_warned_of(
    terminal: Terminal, server: EmbeddedRedis, redis: Redis
) -> None:
    grade, says = found(terminal, server.url)[1]["memory"]

    assert (grade, "set maxmemory" in says) == ("warning", True)


def test_keys_that_the_tiers_own_workers_do_not_have(up: Up) -> None:
    other = up.terminal.state / "other.json"
    assert up.terminal.run("keys", "new", str(other)).code == 0

    done = up.terminal.run("doctor", "--json", GUARDTIER_SIGNING_KEY_FILE=str(other))

    told = [one for one in done.json["checks"] if one["what"] == "signatures"]
    assert (done.code, [one["grade"] for one in told]) == (1, ["failure"])
    assert "name that tier's file in signing_key_file" in told[0]["says"]


def test_what_is_wrong_stands_at_the_end(terminal: Terminal, server: EmbeddedRedis, redis: Redis) -> None:
    lines = terminal.run("doctor", "--redis-url", server.url).out.rstrip().splitlines()

    assert re.fullmatch(r"\d+ failures, \d+ warnings?", lines[-1])
    grades = [line.split()[0] for line in lines if line.split()[:1] in (["ok"], ["warning"], ["failure"])]
    assert grades == sorted(grades, key=("ok", "warning", "failure").index)


def test_a_default_user_by_whom_redis_would_not_read_its_own_file(terminal: Terminal) -> None:
    """Redis leaves out what scripts wrote, where its default user may not do it."""
    with EmbeddedRedis(options=["user admin on >admin ~* &* +@all"]) as server:
        url = f"redis://admin:admin@{server.url.partition('@')[2]}"
        assert "default user" not in found(terminal, url)[1]
        with Redis.from_url(url) as redis:
            redis.execute_command("ACL", "SETUSER", "default", "off", "resetkeys", "-@all")

        code, checks = found(terminal, url)

        assert (code, checks["default user"][0]) == (1, "failure")
        with Redis.from_url(url) as redis:
            redis.execute_command("ACL", "SETUSER", "default", "~*", "&*", "+@all")
        assert "default user" not in found(terminal, url)[1]


def test_an_export_that_is_set_and_has_not_begun(
    terminal: Terminal, server: EmbeddedRedis, redis: Redis
) -> None:
    assert "set audit_dir" in found(terminal, server.url)[1]["audit export"][1]

    grade, says = found(terminal, server.url, GUARDTIER_AUDIT_DIR="/srv/audit")[1]["audit export"]

    assert (grade, "nothing yet to /srv/audit" in says, "set audit_dir" in says) == ("warning", True, False)


def test_whom_redis_refuses_by_its_role(terminal: Terminal) -> None:
    """A role that was made for fewer partitions, or by an older version, ends its worker."""
    with serving_roles() as server:
        admin = server.url("admin")
        with Redis.from_url(server.url("analyzer")) as analyzer, pytest.raises(NoPermissionError):
            analyzer.xlen(Keys(PARTITIONS).audit)
        with Redis.from_url(f"unix://policy:x@{server.socket}") as policy, pytest.raises(RedisError):
            policy.ping()
        done = terminal.run("doctor", "--json", "--redis-url", admin)

    says = [one["says"] for one in done.json["checks"] if one["what"] == "roles"]
    assert len(says) == 2
    assert "the password of policy" in says[0]
    assert "refused analyzer the key gt:{2}:audit" in says[1]


def test_fleets_of_the_settings_that_nobody_registered(
    terminal: Terminal, server: EmbeddedRedis, redis: Redis
) -> None:
    assert terminal.run("fleet", "add", "web", "--redis-url", server.url).code == 0
    done = terminal.run(
        "doctor", "--json", "--redis-url", server.url, GUARDTIER_FLEETS='{"web": {}, "ops": {}}'
    )

    (says,) = [
        one["says"] for one in done.json["checks"] if one["grade"] == "warning" and one["what"] == "fleets"
    ]
    assert says.startswith("ops: ")


def test_approvers_of_whom_nobody_may_answer_or_halt(
    terminal: Terminal, server: EmbeddedRedis, tmp_path: Path
) -> None:
    file = tmp_path / "approvers.toml"
    file.touch(0o600)

    def warned() -> list[str]:
        url = ("--redis-url", server.url)
        done = terminal.run("doctor", "--json", *url, GUARDTIER_APPROVERS_FILE=str(file))
        return [
            one["says"].removeprefix(f"nobody in {file} may ").partition(":")[0]
            for one in done.json["checks"]
            if one["what"] == "approvers file" and one["grade"] == "warning"
        ]

    assert warned() == ["answer", "halt anything"]
    assert terminal.run("approver", "add", "alice", "--file", str(file)).code == 0
    assert warned() == ["halt anything"]
    assert terminal.run("approver", "add", "olga", "--may-configure", "--file", str(file)).code == 0
    assert warned() == []


def test_settings_without_approvers(terminal: Terminal, server: EmbeddedRedis, tmp_path: Path) -> None:
    file = tmp_path / "tier.toml"
    file.write_text("partitions = 1\n")

    done = terminal.run("doctor", "--json", "--redis-url", server.url, "--config", str(file))

    (found,) = [one for one in done.json["checks"] if one["what"] == "approvers file"]
    assert (found["grade"], "nobody may answer" in found["says"]) == ("warning", True)


def test_a_halt_is_one_whatever_the_number_of_partitions(
    terminal: Terminal, server: EmbeddedRedis, redis: Redis
) -> None:
    assert terminal.run("fleet", "add", "web", "--redis-url", server.url).code == 0
    redis.hset(TIER, "partitions", "2")
    scope = Scope(fleet="web")
    for partition, at in enumerate((1_000, 61_000)):
        halted = Halt(reason="a drill", by="olga", at=at, scope=scope.key)
        redis.hset(Keys(partition).halts, scope.key, halted.to_json())

    done = terminal.run("doctor", "--json", "--redis-url", server.url)
    listed = terminal.run("halts", "--redis-url", server.url)

    assert len([one for one in done.json["checks"] if one["what"] == "halted"]) == 1
    assert len(listed.out.splitlines()) == 1


def test_the_files_that_settings_name_are_looked_at(
    terminal: Terminal, server: EmbeddedRedis, redis: Redis, tmp_path: Path
) -> None:
    here = {"GUARDTIER_AUDIT_DIR": str(tmp_path), "GUARDTIER_AUDIT_SQL": "mysql://x/y"}
    both = {"GUARDTIER_CONSOLE__TLS_CERTIFICATE": "/none.crt", "GUARDTIER_CONSOLE__TLS_KEY": "/none.key"}

    code, checks = found(terminal, server.url, **here, **both)

    assert code == 1
    assert checks["audit folder"] == ("ok", str(tmp_path)) or checks["audit folder"][0] == "warning"
    assert checks["audit database"][0] == checks["console's TLS"][0] == "failure"
