"""What each role may do: every command that Redis has, on every kind of key, against a table."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, ResponseError

from guardtier.store.acl import kinds
from guardtier.store.keys import ANALYZERS, POLICIES, GrantKeys, HistoryKeys, Keys, QuotaKeys, votes
from guardtier.store.roles import DEFAULT, ROLES, acl_file, agents_of
from roleserver import RoleServer, hashed, serving_roles

FILE = Path(__file__).parents[2] / "deploy" / "redis" / "users.acl"
KEYS, GRANTS, HISTORY, QUOTA = Keys(0), GrantKeys("web"), HistoryKeys("web"), QuotaKeys("web")
POLLS = QuotaKeys("web", polls=True)
STREAMS_AND_SUCH = (
    "assessed answers parked audit chain exported dead fleets strays policies halts outbox edits"
)
#: One key of each kind, and of what is no kind of ours.
ONE: dict[str, str] = {
    **{name: getattr(KEYS, name) for name in STREAMS_AND_SUCH.split()},
    "tier": "gt:tier",
    "action": KEYS.action("a1.0"),
    "block": KEYS.block("0" * 64),
    "asked": KEYS.asked("r1.0"),
    "lifted": KEYS.lifted("web"),
    "policytext": KEYS.policy_text("0" * 64),
    "pace": KEYS.pace("web", "agent-1"),
    "actions": KEYS.actions("web"),
    "actions of another fleet": KEYS.actions("ops"),
    "open": KEYS.open("web", "agent-1"),
    "reply": KEYS.reply("web", "c1"),
    "reply of another fleet": KEYS.reply("ops", "c1"),
    "listings": KEYS.listings("web"),
    "told": KEYS.told("c1"),
    "shown": KEYS.shown("c1"),
    "turned": KEYS.turned("web"),
    "analyzers": KEYS.alive(ANALYZERS, "w1"),
    "deciders": KEYS.alive(POLICIES, "w1"),
    "history": HISTORY.history("c1"),
    "entries": HISTORY.entries("c1"),
    "found": HISTORY.found("c1"),
    "past": HISTORY.agent("agent-1"),
    "seen": HISTORY.seen,
    "grants": GRANTS.grants,
    "uses": GRANTS.uses("g1"),
    "quota": QUOTA.quota,
    "quotas": QUOTA.of_agent("agent-1"),
    "polls": POLLS.quota,
    "polls_of": POLLS.of_agent("agent-1"),
    "fingerprint": "gt:history:key",
    "votes": votes("w1"),
    "arq": "gt:arq",
    "arq's": "arq:job:expire:0:1",
    "foreign": "theirs",
    "a partition that is none": "gt:{0}x:audit",
    "open, of an agent with a forger's name": KEYS.open("ops", "}:actions:web"),
}
FLEETS_OWN = {
    "actions of another fleet": "actions",
    "reply of another fleet": "reply",
    "open, of an agent with a forger's name": "open",
    "arq's": "arq",
}
NOBODYS = ("foreign", "a partition that is none")

#: What a role may read, and write, by kinds.
READS: dict[str, str] = {
    "analyzer": "tier fleets actions strays edits action open halts analyzers history found past entries "
    "dead seen fingerprint votes arq chain audit reply turned quota quotas polls polls_of listings",
    "policy": "tier fleets assessed answers outbox action parked audit chain dead policies policytext "
    "open halts block pace told shown asked lifted grants uses deciders fingerprint arq reply",
    "steward": "tier fleets audit chain exported action parked open halts block outbox reply actions "
    "strays edits assessed answers dead arq told turned",
    "pool": "arq",
    "approver": "tier told",
    "operator": "tier fleets told policies policytext halts grants uses",
    "dashboard": "tier parked action",
    "auditor": "tier audit chain exported",
    "console": "tier told policies policytext halts grants uses parked action audit chain exported "
    "fleets dead actions strays edits assessed answers outbox analyzers deciders arq history "
    "entries",
    "agent-web": "tier reply",
}
WRITES: dict[str, str] = {
    "analyzer": "tier fleets actions strays edits assessed answers outbox audit chain dead action reply "
    "open analyzers history found past entries seen fingerprint arq turned quota quotas polls polls_of "
    "listings",
    "policy": "tier fleets actions strays edits assessed answers outbox audit chain dead action parked "
    "policies policytext open halts block pace told shown asked lifted reply grants uses "
    "deciders fingerprint arq",
    "steward": "audit chain exported action parked open halts outbox reply actions strays edits assessed "
    "answers dead arq told turned",
    "pool": "votes arq",
    "approver": "answers",
    "operator": "answers",
    "dashboard": "",
    "auditor": "",
    "console": "answers",
    "agent-web": "actions strays",
}
#: The only commands that write to these, for whoever may: what they hold can be added to, not changed.
ADDED_TO: dict[tuple[str, str], set[str]] = {
    ("analyzer", "audit"): {"xadd"},
    ("policy", "audit"): {"xadd"},
    ("steward", "audit"): {"xadd", "xtrim"},
    ("analyzer", "assessed"): {"xadd", "xgroup|create"},
    ("analyzer", "answers"): {"xgroup|create"},
    ("approver", "answers"): {"xadd"},
    ("operator", "answers"): {"xadd"},
    ("console", "answers"): {"xadd"},
    ("agent-web", "actions"): {"xadd"},
    ("agent-web", "strays"): {"xadd"},
}
#: What works without a key: for everybody, and besides.
PLAIN = {
    *("ping", "auth", "hello", "quit", "reset", "cluster|slots", "asking"),
    *(f"command|{name}" for name in ("count", "docs", "getkeys", "help", "info", "list")),
    "command|getkeysandflags",
}
PLAIN_OF: dict[str, set[str]] = {
    "analyzer": {"time", "script|load", "multi", "exec", "unwatch"},
    "policy": {"time", "script|load", "multi", "exec", "unwatch"},
    "steward": {"time", "script|load", "multi", "exec", "unwatch", "info", "dbsize"},
    "pool": {"multi", "exec", "unwatch", "info", "dbsize"},
    "console": {"time"},
    "auditor": {"time"},
    "agent-web": {"wait"},
}
#: Commands whose keys stand elsewhere: how each is asked about one.
FORMS: dict[str, list[str]] = {
    "xread": ["XREAD", "STREAMS", "KEY", "0"],
    "xreadgroup": ["XREADGROUP", "GROUP", "g", "c", "STREAMS", "KEY", ">"],
    "eval": ["EVAL", "return 1", "1", "KEY"],
    "eval_ro": ["EVAL_RO", "return 1", "1", "KEY"],
    "evalsha": ["EVALSHA", "0" * 40, "1", "KEY"],
    "evalsha_ro": ["EVALSHA_RO", "0" * 40, "1", "KEY"],
    "fcall": ["FCALL", "f", "1", "KEY"],
    "fcall_ro": ["FCALL_RO", "f", "1", "KEY"],
    "migrate": ["MIGRATE", "h", "1", "KEY", "0", "1"],
    "zunionstore": ["ZUNIONSTORE", "KEY", "1", "KEY"],
    "zinterstore": ["ZINTERSTORE", "KEY", "1", "KEY"],
    "zdiffstore": ["ZDIFFSTORE", "KEY", "1", "KEY"],
    **{name: [name, "1", "KEY"] for name in ("zunion", "zinter", "zdiff", "zintercard", "sintercard")},
    **{name: [name, "1", "KEY", "LEFT"] for name in ("lmpop",)},
    **{name: [name, "0", "1", "KEY", "LEFT"] for name in ("blmpop",)},
    "zmpop": ["ZMPOP", "1", "KEY", "MIN"],
    "bzmpop": ["BZMPOP", "0", "1", "KEY", "MIN"],
    "object": ["OBJECT", "ENCODING", "KEY"],
}
REFUSED = r"permission|can't (access|run)|not allowed"
SCRIPTS = {"eval", "eval_ro", "evalsha", "evalsha_ro", "fcall", "fcall_ro"}


@pytest.fixture(scope="module")
def server() -> Iterator[RoleServer]:
    with serving_roles(acl_file(10, ["web", "ops"], hashed)) as made:
        yield made


@pytest.fixture
async def admin(server: RoleServer) -> AsyncIterator[Redis]:
    async with Redis.from_url(server.url("admin")) as redis:
        yield redis


class Command:
    """One command of the server: its name, its flags, and how it is asked about a key."""

    def __init__(self, said: list[Any]) -> None:
        self.name = said[0].decode().lower()
        self.arity, self.first = int(said[1]), int(said[3])
        self.flags = {flag.decode() for flag in said[2]}

    def about(self, key: str) -> list[str] | None:
        if self.name in FORMS:
            return [key if word == "KEY" else word for word in FORMS[self.name]]
        if self.first <= 0:
            return None
        words = [*self.name.split("|"), *["x"] * max(abs(self.arity), self.first + 1)]
        words = words[: max(abs(self.arity), self.first + 1)]
        words[self.first] = key
        return words

    def plainly(self) -> list[str]:
        words = [*self.name.split("|"), *["x"] * abs(self.arity)]
        return words[: max(abs(self.arity), len(self.name.split("|")))]


async def commands(redis: Redis) -> list[Command]:
    """All of them, a container's own included."""
    found: list[Command] = []
    for said in await _raw(redis):
        inner = said[9] if len(said) > 9 else []
        found += [Command(one) for one in inner] if inner else [Command(said)]
    return found


async def _raw(redis: Redis) -> list[Any]:
    redis.response_callbacks.pop("COMMAND", None)
    return list(await redis.execute_command("COMMAND"))


async def allowed(redis: Redis, user: str, asked: list[tuple[Any, list[str]]]) -> list[Any]:
    """Those of these that the user may; the first of each pair."""
    pipeline = redis.pipeline(transaction=False)
    for _, words in asked:
        pipeline.execute_command("ACL", "DRYRUN", user, *words)
    said = await pipeline.execute(raise_on_error=False)
    wrong = [
        (words, one) for (_, words), one in zip(asked, said, strict=True) if isinstance(one, Exception)
    ]
    assert wrong == []
    return [what for (what, _), one in zip(asked, said, strict=True) if one == b"OK"]


@pytest.mark.parametrize("user", [*(role.name for role in ROLES), "agent-web"])
async def test_a_role_may_do_what_its_work_is_and_nothing_else(admin: Redis, user: str) -> None:
    every = await commands(admin)
    asked = [
        ((kind, one), words)
        for kind, key in ONE.items()
        for one in every
        if one.name not in SCRIPTS and (words := one.about(key))
    ]
    reads: dict[str, set[str]] = {}
    writes: dict[str, set[str]] = {}
    for kind, one in await allowed(admin, user, asked):
        told = writes if "write" in one.flags else reads
        told.setdefault(kind, set()).add(one.name)

    assert not {*reads, *writes} & {*NOBODYS}
    assert _own(user, reads) == set(READS[user].split())
    assert _own(user, writes) == set(WRITES[user].split())
    for (role, kind), only in ADDED_TO.items():
        if role == user:
            assert writes[kind] == only


def _own(user: str, kinds_told: dict[str, set[str]]) -> set[str]:
    if user.startswith("agent-"):
        assert not kinds_told.keys() & FLEETS_OWN.keys()
    return {FLEETS_OWN.get(kind, kind) for kind in kinds_told}


@pytest.mark.parametrize("user", [*(role.name for role in ROLES), "agent-web"])
async def test_without_a_key_a_role_may_hardly_anything(admin: Redis, user: str) -> None:
    every = await commands(admin)
    asked = [(one.name, one.plainly()) for one in every if one.about("k") is None]

    found = set(await allowed(admin, user, asked))

    assert found <= PLAIN | PLAIN_OF.get(user, set())
    assert found >= PLAIN_OF.get(user, set())


@pytest.mark.parametrize("user", [*(role.name for role in ROLES), "agent-web"])
async def test_agents_alone_publish_and_where_nobody_reads(admin: Redis, user: str) -> None:
    elsewhere = [*ONE.values(), "gt:{0}x:replicated", "gt:{[0-9]}:replicated", "x"]
    asked = [
        (channel, [command, channel, ""])
        for command in ("PUBLISH", "SPUBLISH", "SUBSCRIBE", "SSUBSCRIBE", "PSUBSCRIBE")
        for channel in (KEYS.replicated, *elsewhere)
    ]

    found = await allowed(admin, user, asked)

    assert found == ([KEYS.replicated] * 2 if user == "agent-web" else [])


async def test_every_kind_of_key_is_in_the_table() -> None:
    assert set(kinds("0")) == set(ONE) - {*FLEETS_OWN, *NOBODYS}


async def test_a_role_names_one_partition_at_least_and_no_other_thing(server: RoleServer) -> None:
    for number, fits in (("0", True), ("9", True), ("10", False), ("0}:x:{1", False)):
        key = f"gt:{{{number}}}:audit"
        async with Redis.from_url(server.url("admin")) as admin:
            said = await admin.execute_command("ACL", "DRYRUN", "auditor", "XRANGE", key, "-", "+")
        assert (said == b"OK") is fits


async def test_a_script_may_no_more_than_who_calls_it(server: RoleServer) -> None:
    """An analyzer's credential may load any script, and run it: with its own rights, key by key."""
    record, audit, parked = KEYS.action("a1.0"), KEYS.audit, KEYS.parked
    forbidden = [
        (f"return redis.call('XTRIM', '{audit}', 'MAXLEN', 0)", [audit]),
        (f"return redis.call('XDEL', '{audit}', '1-1')", [audit]),
        (f"return redis.call('DEL', '{record}')", [record]),
        (f"return redis.call('ZREM', '{parked}', 'a1.0')", []),
        (f"return redis.call('HSET', '{KEYS.policies}', 'web', '{{}}')", []),
        (f"return redis.call('HSET', '{KEYS.halts}', 'web', '{{}}')", [KEYS.halts]),
        (f"return redis.call('XRANGE', '{KEYS.answers}', '-', '+')", []),
        ("return redis.call('CONFIG', 'GET', '*')", []),
        ("return redis.call('KEYS', '*')", []),
    ]
    async with Redis.from_url(server.url("analyzer")) as redis:
        for source, keys in forbidden:
            sha = await redis.script_load(source)
            with pytest.raises((NoPermissionError, ResponseError), match=REFUSED):
                await redis.evalsha(sha, len(keys), *keys)
        with pytest.raises(NoPermissionError):  # nor may it name a key that is none of its own
            await redis.evalsha(await redis.script_load("return 1"), 1, parked)


async def test_what_an_analyzers_credential_could_do_is_known(server: RoleServer) -> None:
    """It writes records, since it makes them: docs/roles.md says so, and what stands against it."""
    async with Redis.from_url(server.url("analyzer")) as redis:
        assert await redis.hset(KEYS.action("forged.0"), "state", "approved") == 1
        with pytest.raises(NoPermissionError):
            await redis.zadd(KEYS.parked, {"forged.0": 1})
    async with Redis.from_url(server.url("admin")) as admin:
        await admin.delete(KEYS.action("forged.0"))


def test_the_file_in_deploy_is_the_one_that_is_made() -> None:
    assert FILE.read_text() == acl_file(10, ["web"]), "guardtier acl file --fleet web, with partitions = 10"


def test_nobody_has_a_password_before_one_is_given() -> None:
    for line in FILE.read_text().splitlines():
        rules = line.split()[2:]
        assert line.startswith("user ")
        assert not [rule for rule in rules if rule == "nopass" or rule[0] in ">#"], line
    assert DEFAULT in FILE.read_text().splitlines()
    assert DEFAULT.split()[:3] == ["user", "default", "off"]
    assert agents_of("web").name in FILE.read_text()
