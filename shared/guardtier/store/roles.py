"""Roles: which commands on which keys each part of the tier needs of Redis; acl.py makes its ACL of them.

A script runs with its caller's rights, each of its commands and keys. So a role has the commands of its
scripts, each on those kinds of keys alone on which they use it; in Redis 7.0 and newer by selectors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from guardtier.store.acl import READ, WRITE, Allow, Role, acl_line

_WORK = (
    "xreadgroup xack xdel xpending xclaim xrange xtrim exists xgroup|create xgroup|createconsumer "
    "xgroup|delconsumer xinfo|groups xinfo|consumers del type"
)  #: what a worker does with a stream of its own; del: one that was used up is made anew (trim.lua)
_TELL = "xadd xtrim pttl pexpire"  #: what tell() of prelude.lua does
_QUEUES = "actions strays edits assessed answers outbox"
_ARQ_JOBS = (
    "watch get set setex psetex exists mget del pexpire expire incr incrby zadd zrem zscore zcard zincrby "
    "zrangebyscore zrange"
)  #: what arq does, whose worker this role runs


#: For everybody: on a cluster, redis-py asks which commands there are and who has which slot, and for
#: what is on its way to another node. None of it tells or changes anything that is stored.
_ASKS: Final = "ping command cluster|slots asking"
_SCRIPTS: Final = f"{_ASKS} time script|load"
#: arq runs its jobs in transactions.
_ARQ: Final = "multi exec unwatch"

_PREPARE = (
    Allow("hget hsetnx", "tier"),
    Allow("smembers sadd sismember", "fleets"),
    Allow("xgroup|create", "actions strays edits assessed answers outbox", WRITE),
)
_AUDIT = (Allow("xadd", "audit", WRITE), Allow("get set", "chain"))

ANALYZER: Final = Role(
    "analyzer",
    "rates what agents ask, keeps histories, tells agents",
    f"{_SCRIPTS} {_ARQ}",
    (
        Allow(
            "evalsha",
            "actions strays edits assessed audit chain dead action reply open halts turned listings",
        ),
        Allow("evalsha", "history entries found past seen"),
        Allow("evalsha get set", "quota quotas polls polls_of"),
        Allow("hmget hset hdel pexpire persist", "turned"),
        Allow("xlen", "audit", READ),
        *_PREPARE,
        *_AUDIT,
        Allow(f"{_WORK} xlen xrevrange", "actions strays edits"),
        Allow("xadd", "assessed dead", WRITE),
        Allow("xlen", "dead", READ),
        Allow("hget hmget hset hdel pexpire", "action"),
        Allow(f"{_TELL} xdel xlen", "reply"),
        Allow("rpush llen lpop pexpire", "listings"),
        Allow("zadd zrem zrange", "open"),
        Allow("hmget", "halts", READ),
        Allow("get set exists del", "analyzers"),
        Allow(
            "hget hmget hgetall hset hsetnx hdel hincrby exists hexists pttl pexpire", "history found past"
        ),
        Allow("lpush lrange ltrim pexpire", "entries"),
        Allow("zadd zscore zrevrange zremrangebyscore zremrangebyrank", "seen"),
        Allow("unlink", "history entries found", WRITE),
        Allow("get set", "fingerprint"),
        Allow("xread xrevrange", "votes", READ),
        Allow("watch exists psetex zadd zrem mget del", "arq"),
    ),
)

POLICY: Final = Role(
    "policy",
    "decides, and lets answers take effect",
    f"{_SCRIPTS} {_ARQ}",
    (
        Allow(
            "evalsha",
            "assessed answers outbox action parked audit chain dead policies policytext open halts block "
            "pace reply told shown edits asked lifted fleets",
        ),
        Allow("evalsha", "grants uses"),
        *_PREPARE,
        *_AUDIT,
        Allow("xrevrange", "audit", READ),
        Allow(f"{_WORK} xadd", "assessed answers outbox"),
        Allow("xadd", "edits", WRITE),
        Allow("xadd xrange xdel xlen", "dead"),
        Allow("hget hmget hset hdel pexpire", "action"),
        Allow("zadd zrem zcard zrange zscan", "parked"),
        Allow("zadd zrem zremrangebyscore pttl pexpire", "open"),
        Allow("hget hmget hset", "policies"),
        Allow("get set getrange pexpire", "policytext"),
        Allow("hget hmget hgetall hset hdel hexists hlen", "halts"),
        Allow("get set exists pttl", "block asked lifted"),
        Allow("hget hmget hset hdel hincrby exists del pttl pexpire", "pace"),
        Allow(f"{_TELL} xdel xlen", "reply told"),
        Allow("rpush llen lpop pexpire", "shown"),
        Allow("hget hgetall hset hdel hlen pttl pexpireat", "grants"),
        Allow("sadd scard sismember pexpireat", "uses"),
        Allow("get set exists del", "deciders"),
        Allow("get set", "fingerprint"),
        Allow("watch exists psetex zadd", "arq"),
    ),
)

STEWARD: Final = Role(
    "steward",
    "ends what nobody answered, sends notices, tidies up, exports the audit stream",
    f"{_SCRIPTS} {_ARQ} info dbsize",
    (
        Allow("evalsha", "action parked audit chain exported open halts outbox reply"),
        Allow("evalsha", "actions strays edits assessed answers dead"),
        Allow("evalsha", "answers audit chain turned"),
        Allow("hget", "tier", READ),
        Allow("smembers", "fleets", READ),
        *_AUDIT,
        Allow("xrange xrevrange xread xlen xtrim xinfo|stream", "audit dead"),
        Allow("hget hgetall hvals hset hdel del", "exported"),
        Allow("hget hmget hset pexpire", "action"),
        Allow("zadd zrem zrangebyscore", "parked"),
        Allow("zadd zrem zremrangebyscore pttl pexpire", "open"),
        Allow("hget hmget hset hexists hlen", "halts"),
        Allow("get exists", "block", READ),
        Allow("xadd", "outbox", WRITE),
        Allow(_TELL, "reply told"),
        Allow("xlen xrevrange xack xdel", "answers"),
        Allow("hmget hset hdel pexpire persist", "turned"),
        Allow("exists xrange xtrim xpending xinfo|groups xinfo|consumers xgroup|delconsumer", _QUEUES),
        Allow("del xgroup|create", _QUEUES, WRITE),
        Allow(_ARQ_JOBS, "arq"),
    ),
)

POOL: Final = Role(
    "pool",
    "rates for analyzer workers, apart from them",
    f"ping {_ARQ} info dbsize",
    (Allow(_ARQ_JOBS, "arq"), Allow("xadd expire", "votes")),
)

APPROVER: Final = Role(
    "approver",
    "asks the tier what waits, and answers",
    _ASKS,
    (
        Allow("hget", "tier", READ),
        Allow("xadd", "answers", WRITE),
        Allow("xread xrevrange", "told", READ),
    ),
)

OPERATOR: Final = Role(
    "operator",
    "as an approver; and sees policies, halts and grants",
    _ASKS,
    (
        *APPROVER.allows,
        Allow("smembers", "fleets", READ),
        Allow("hget", "policies", READ),
        Allow("getrange", "policytext", READ),
        Allow("hget hgetall", "halts", READ),
        Allow("hget hgetall", "grants", READ),
        Allow("scard", "uses", READ),
    ),
)

DASHBOARD: Final = Role(
    "dashboard",
    "reads the confirmation set, and nothing else",
    _ASKS,
    (
        Allow("hget", "tier", READ),
        Allow("zcard zcount zrange zscore", "parked", READ),
        Allow("hget hmget", "action", READ),
    ),
)

AUDITOR: Final = Role(
    "auditor",
    "reads the audit stream, and nothing else",
    f"{_ASKS} time",
    (
        Allow("hget", "tier", READ),
        Allow("xrange xread xrevrange xlen xinfo|stream", "audit", READ),
        Allow("get", "chain", READ),
        Allow("hget hgetall", "exported", READ),
    ),
)

CONSOLE: Final = Role(
    "console",
    "the page on which people answer: reads what it shows, and writes requests alone",
    f"{_ASKS} time",
    (
        *OPERATOR.allows,
        *DASHBOARD.allows,
        *AUDITOR.allows,
        Allow("xrange xrevrange xlen", "dead", READ),
        Allow("xlen xrange xpending xinfo|groups xinfo|consumers xinfo|stream", _QUEUES, READ),
        Allow("get pttl", "analyzers deciders", READ),
        Allow("get", "arq", READ),
        Allow("hget hgetall", "history", READ),
        Allow("lrange", "entries", READ),
    ),
)

#: Those that are there once; each fleet's agents have one of their own beside these.
ROLES: Final = (
    ANALYZER,
    POLICY,
    STEWARD,
    POOL,
    APPROVER,
    OPERATOR,
    DASHBOARD,
    AUDITOR,
    CONSOLE,
)


def agents_of(fleet: str) -> Role:
    """What the agents of one fleet need: they ask by their fleet's stream, and read their own replies.

    With ``replicas`` they look a reply up once more, publish where nobody reads, and wait (replication.py).
    """
    return Role(
        f"agent-{fleet}",
        f"the agents of fleet {fleet}",
        f"{_ASKS} wait",
        (
            Allow("hget", "tier", READ),
            Allow("xadd", f"actions:{fleet} strays", WRITE),
            Allow("xread xrevrange xrange", f"reply:{fleet}", READ),
            Allow("publish spublish", channels="replicated"),
        ),
    )


#: Who may do everything: for the deployment itself, and for nobody at work.
ADMIN: Final = "admin"

#: Nobody signs in as the default user: it is off, and has no password. It may do everything all the same:
#: as it, Redis reads its append-only file, and leaves out each transaction that it may not do, which every
#: script's writes are, without a word to anybody (seen with 7.0.15; mended late in 2025:
#: redis/redis#14541, valkey-io/valkey#3983).
DEFAULT: Final = "user default off ~* &* +@all"


def acl_file(partitions: int, fleets: Iterable[str], hash_of: Callable[[str], str] = lambda _: "") -> str:
    """The whole ACL file. ``hash_of`` gives the SHA-256 of a user's password, "" for none."""
    everything = f"user {ADMIN} on ~* &* +@all" + (f" #{hash_of(ADMIN)}" if hash_of(ADMIN) else "")
    roles = (*ROLES, *map(agents_of, fleets))
    lines = [acl_line(role, partitions, hash_of(role.name)) for role in roles]
    return "\n".join([DEFAULT, everything, *lines]) + "\n"
