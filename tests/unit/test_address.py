"""Where Redis is, as a URL says it; what can't be meant is refused by a message that says what to write."""

from __future__ import annotations

import pytest
from redis.exceptions import (
    ClusterDownError,
    OutOfMemoryError,
    RedisClusterException,
    ResponseError,
    WatchError,
)

from guardtier.errors import ConfigError
from guardtier.store.address import Kind, address_of
from guardtier.store.cluster import Cluster
from guardtier.store.connection import connect, is_away, pool_to, refuses_writes
from guardtier.store.slots import SlotMap, slot_of


@pytest.mark.parametrize("url", ["redis://h:1/0", "rediss://h", "unix:///run/redis.sock?db=1"])
def test_one_server_is_left_to_redis_py(url: str) -> None:
    assert address_of(url).kind is Kind.SINGLE


def test_a_cluster_has_nodes_user_and_password() -> None:
    found = address_of("redis+cluster://tier:p%40ss@a:7000,[::1]:7001,c")

    assert found.kind is Kind.CLUSTER
    assert found.hosts == (("a", 7000), ("::1", 7001), ("c", 6379))
    assert found.options == {"username": "tier", "password": "p@ss"}


def test_sentinels_have_a_service_a_database_and_a_password_of_their_own() -> None:
    url = "redis+sentinel://:pass@a,b:26380/my%2Dtier/2?sentinel_password=other&client_name=x"
    found = address_of(url)

    assert found.kind is Kind.SENTINEL
    assert found.hosts == (("a", 26379), ("b", 26380))
    assert found.service == "my-tier"
    assert found.options == {"password": "pass", "db": 2, "client_name": "x"}
    assert found.sentinel_options == {"password": "other"}


def test_tls_is_for_servers_and_sentinels() -> None:
    found = address_of("rediss+sentinel://a/tier?ssl_ca_certs=/etc/ca.pem")

    assert found.options == {"ssl": True, "ssl_ca_certs": "/etc/ca.pem"}
    assert found.sentinel_options == found.options


def test_no_password_is_shown() -> None:
    found = address_of("redis+sentinel://:hush@a/tier?sentinel_password=hush")

    assert "hush" not in repr(found)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis+cluster://a:1/3", "one database"),
        ("redis+cluster://a:1,,b", "no HOST:PORT"),
        ("redis+cluster://a:99999", "no HOST:PORT"),
        ("redis+sentinel://a:1", "name the service"),
        ("redis+sentinel://a:1/tier/x", "number"),
        ("redis+sentinel://a:1/tier/1/2", "name the service"),
        ("redis+sentinel://a:1/tier?sentinel_pasword=x", "sentinel_pasword is unknown"),
        ("redis+sentinal://a:1/tier", "redis\\+sentinel"),
        ("redis+cluster://u:p@x@a:1", "%40"),
        ("nothing", "redis_url"),
    ],
)
def test_what_can_not_be_meant_is_refused(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as refused:
        connect(url)

    assert refused.value.field == "redis_url"


def test_arq_has_no_pool_on_a_cluster() -> None:
    with pytest.raises(ConfigError):
        pool_to("redis+cluster://a:1")


def test_a_cluster_is_a_client_of_a_cluster() -> None:
    assert isinstance(connect("redis+cluster://a:1"), Cluster)


@pytest.mark.parametrize(
    "said",
    [
        "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
        "MOVED 1 127.0.0.1:7001",
        "ASK 1 127.0.0.1:7001",
        "TRYAGAIN Multiple keys request during rehashing of slot",
        "CLUSTERDOWN The cluster is down",
        "Command # 1 (INFO Server) of pipeline caused error: ('BUSY Redis is busy running a script.',)",
        "Command # 1 (INFO Server) of pipeline caused error: BUSY Redis is busy running a script.",
        "READONLY You can't write against a read only replica. script: f1, on @user_script:2.",
        "Error running script (call to f_1): @user_script:2: -READONLY You can't write against it",
    ],
)
def test_what_passes_by_itself_is_tried_again(said: str) -> None:
    assert is_away(ResponseError(said))
    assert not refuses_writes(ResponseError(said))


@pytest.mark.parametrize(
    "error",
    [
        OutOfMemoryError("command not allowed when used memory > 'maxmemory'."),
        ResponseError(
            "OOM command not allowed when used memory > 'maxmemory'. script: f1, on @user_script:2."
        ),
        ResponseError("MISCONF Errors writing to the AOF file: No space left on device"),
        ResponseError("NOREPLICAS Not enough good replicas to write."),
        ResponseError("Error running script (call to f_1): @user_script:2: -OOM command not allowed"),
    ],
)
def test_a_server_that_takes_no_writes_is_not_away(error: ResponseError) -> None:
    assert refuses_writes(error)
    assert not is_away(error)


@pytest.mark.parametrize("said", ["WRONGTYPE Operation", "NOPERM this user", "unknown command"])
def test_what_will_not_pass_is_neither(said: str) -> None:
    assert not is_away(ResponseError(said))
    assert not refuses_writes(ResponseError(said))


@pytest.mark.parametrize(
    "error",
    [
        ClusterDownError("down"),
        RedisClusterException("Redis Cluster cannot be connected."),
        WatchError("A ConnectionError occurred on while watching one or more keys"),
    ],
)
def test_what_redis_py_has_classes_for_is_away_too(error: Exception) -> None:
    assert is_away(error)


# -- slots ---------------------------------------------------------------------------------------


def test_a_command_goes_where_its_first_key_is() -> None:
    slot = slot_of(["XADD", "gt:{1}:answers", "*", "a", "b"])

    assert slot is not None
    assert slot_of(["EVALSHA", "sha", 2, "gt:{1}:audit", "gt:{1}:dead", "x"]) == slot
    assert slot_of(["XREAD", "COUNT", 1, "BLOCK", 5, "STREAMS", "gt:{1}:reply:a:b", b"0-0"]) == slot
    assert slot_of(["XREADGROUP", "GROUP", "g", "c", "STREAMS", b"gt:{1}:a", "gt:{1}:b", ">", ">"]) == slot
    assert slot_of(["EVALSHA", "sha", 0]) is None
    assert slot_of(["WAIT", 1, 100]) is None


def test_a_map_knows_owners_and_corrections() -> None:
    slots = SlotMap([("seed", 1)])
    assert slots.stale
    assert slots.known == [("seed", 1)]

    slots.learn(
        [[0, 99, [b"", 7000, b"id"], [b"b", 7001, b"id"]], [100, 200, [b"c", 7002, b"id"]]], ("a", 7000)
    )
    slots.moved(7, ("c", 7002))

    assert [slots.owner(slot) for slot in (0, 7, 99, 100, 201)] == [
        ("a", 7000), ("c", 7002), ("a", 7000), ("c", 7002), None,
    ]  # fmt: skip
    assert slots.known == [("a", 7000), ("b", 7001), ("c", 7002), ("seed", 1)]
    assert slots.stale
