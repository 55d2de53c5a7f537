"""guardtier acl, and guardtier audit fingerprint."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import NoPermissionError

from cli.conftest import Terminal, Up
from guardtier.redacted import Fingerprinter
from guardtier.store.keys import HISTORY_KEY, Keys
from guardtier.store.roles import acl_file
from roleserver import RoleServer, serving_roles

KEY = "a key for tests of fingerprints"


@pytest.fixture(scope="module")
def server() -> Iterator[RoleServer]:
    with serving_roles() as made:
        yield made


@pytest.fixture
def cli(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path)


def test_the_file_is_printed_for_the_partitions_and_fleets_of_the_settings(cli: Terminal) -> None:
    done = cli.run("acl", "file", GUARDTIER_PARTITIONS="20", GUARDTIER_FLEETS='{"web": {}, "ops": {}}')

    assert (done.code, done.out) == (0, acl_file(20, ["web", "ops"]))
    assert cli.run("acl", "file", "--fleet", "no name").code == 2


def test_a_credential_for_a_fleet_works_at_once_and_for_that_fleet_alone(
    cli: Terminal, server: RoleServer
) -> None:
    done = cli.run("acl", "agents", "shop", "--set", "--json", "--redis-url", server.url("admin"))

    made = done.json
    assert (done.code, made["user"], made["saved"]) == (0, "agent-shop", True)
    assert sha256(made["password"].encode()).hexdigest() in made["line"]
    with Redis(
        unix_socket_path=str(server.socket), username="agent-shop", password=made["password"]
    ) as redis:
        assert redis.xadd(Keys(0).actions("shop"), {"op": "submit"})
        with pytest.raises(NoPermissionError):
            redis.xadd(Keys(0).actions("web"), {"op": "submit"})


def test_a_credential_that_is_set_is_for_all_partitions_of_the_tier(
    cli: Terminal, server: RoleServer
) -> None:
    """Also where nobody says how many there are: in the others its clients would be refused."""
    with Redis.from_url(server.url("admin")) as redis:
        redis.hset("gt:tier", "partitions", 2)
        done = cli.run("acl", "agents", "shop", "--set", "--json", "--redis-url", server.url("admin"))
        redis.delete("gt:tier")

    with Redis(
        unix_socket_path=str(server.socket), username="agent-shop", password=done.json["password"]
    ) as redis:
        assert redis.xadd(Keys(1).actions("shop"), {"op": "submit"})


def test_the_line_alone_goes_into_the_file(cli: Terminal) -> None:
    done = cli.run("acl", "agents", "shop")

    (line,) = done.out.splitlines()
    password = done.err.split()[-1]
    assert line.startswith("user agent-shop on ")
    assert line.endswith(f"#{sha256(password.encode()).hexdigest()}")


def test_watch_says_which_role_may_read_the_audit_stream(cli: Terminal, server: RoleServer) -> None:
    done = cli.run("watch", "--redis-url", server.url("approver"))

    assert done.code == 4
    assert "the role auditor may" in done.err


def test_a_secret_is_found_again_by_its_fingerprint(cli: Terminal, server: RoleServer) -> None:
    url = server.url("admin")
    with Redis.from_url(url) as redis:
        redis.delete(HISTORY_KEY)
        redis.hset("gt:tier", "partitions", 1)
        redis.sadd(Keys(0).fleets, "web")
        unmade = cli.run("audit", "fingerprint", "--redis-url", url, stdin=b"hunter22x\n")
        redis.set(HISTORY_KEY, KEY)

    done = cli.run("audit", "fingerprint", "--redis-url", url, "--json", stdin=b"hunter22x\n")

    assert done.json == {"fingerprints": {"web": Fingerprinter(KEY.encode()).of("web", "hunter22x")}}
    assert "hunter22x" not in done.out
    assert (unmade.code, "made no key" in unmade.err) == (2, True)


def test_both_find_the_tier_that_up_runs(up: Up) -> None:
    """As every command does: no URL is named."""
    with Redis.from_url(up.terminal.run("url").out.strip()) as redis:
        made = up.terminal.run("acl", "agents", "shop", "--set", "--json")
        assert (made.code, made.json["saved"]) == (0, False), "it has no file to save it to"
        assert "agent-shop" in str(redis.acl_users())
        redis.acl_deluser("agent-shop")
        redis.set(HISTORY_KEY, KEY, nx=True)

    done = up.terminal.run("audit", "fingerprint", "--fleet", "default", stdin=b"hunter22x\n")

    assert (done.code, done.out.startswith("default: redacted:")) == (0, True)
