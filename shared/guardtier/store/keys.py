"""Every Redis key, spelled once.

All keys of an action carry the hash tag of its partition, ``{p}``, so that one script may touch them
on a Redis Cluster, and one Redis serves any number of partitions.
"""

from __future__ import annotations

from functools import lru_cache
from zlib import crc32

ANALYZERS = "analyzers"  #: the consumer group of the analyzer workers, on actions
POLICIES = "policies"  #: the consumer group of the policy workers, on assessed and answers

#: The steward's arq queue. arq puts keys of its own (``arq:job:…``) beside it.
ARQ_QUEUE = "gt:arq"
_NOTICES = "gt:arq:notices:"  #: the notices of one channel, likewise
STEWARD_ALIVE = "gt:arq:steward"  #: STRING with a time to live: the steward that took a job last
_POOL = "gt:arq:pool:"  #: pools live where arq does, and have no partitions
TIER = "gt:tier"  #: HASH: what every worker must agree on (the number of partitions)


class Keys:
    """The keys of one partition. ``glob``: patterns for those of several, in place of its number."""

    def __init__(self, partition: int, *, glob: str | None = None) -> None:
        self.partition = partition
        self._slot = f"gt:{{{partition if glob is None else glob}}}:"
        self.assessed = f"{self._slot}assessed"  #: STREAM: rated actions, for the policy workers
        self.answers = f"{self._slot}answers"  #: STREAM: what approvers answered
        self.parked = f"{self._slot}parked"  #: ZSET: the confirmation set, id → deadline (ms)
        self.audit = f"{self._slot}audit"  #: STREAM: every transition and every refusal
        self.chain = f"{self._slot}chain"  #: STRING: the end of the audit stream's chain, "n hash entry"
        self.exported = f"{self._slot}exported"  #: HASH: an export's id → how far it has got
        self.dead = f"{self._slot}dead"  #: STREAM: copies of what could not be handled
        self.fleets = f"{self._slot}fleets"  #: SET: the registered fleets
        self.strays = f"{self._slot}strays"  #: STREAM: what was sent to fleets that don't exist
        #: HASH: fleet → the policy set at run time (JSON); ``*`` → which policy file stands
        self.policies = f"{self._slot}policies"
        self.halts = f"{self._slot}halts"  #: HASH: "fleet[ agent[ conversation]]" → what is stopped (JSON)
        self.outbox = f"{self._slot}outbox"  #: STREAM: what is to be done outside of this partition
        self.edits = f"{self._slot}edits"  #: STREAM: edited actions, to be rated once more
        self.replicated = f"{self._slot}replicated"  #: a channel that nobody reads (replication.py)

    def action(self, action_id: str) -> str:
        """HASH: the record of truth of one action."""
        return f"{self._slot}action:{action_id}"

    def block(self, digest: str) -> str:
        """STRING with a time to live: why an action of this digest is refused at once (JSON)."""
        return f"{self._slot}block:{digest}"

    def asked(self, request: str) -> str:
        """STRING with a time to live: the halt that a request to halt or to resume was about."""
        return f"{self._slot}asked:{request}"

    def lifted(self, scope: str) -> str:
        """STRING with a time to live: when (ms) a halt of this scope was lifted last."""
        return f"{self._slot}lifted:{scope}"

    def policy_text(self, digest: str) -> str:
        """STRING: the text of a policy file, by its SHA-256."""
        return f"{self._slot}policytext:{digest}"

    def pace(self, fleet: str, agent: str) -> str:
        """HASH with a time to live: how many actions, and rejections in a row, an agent has."""
        return f"{self._slot}pace:{fleet}:{agent}"

    def actions(self, fleet: str) -> str:
        """STREAM: what the agents of one fleet ask."""
        return f"{self._slot}actions:{fleet}"

    def open(self, fleet: str, agent: str) -> str:
        """ZSET: what one agent has asked and not yet finished, id → when it may be forgotten (ms)."""
        return f"{self._slot}open:{fleet}:{agent}"

    def turned(self, fleet: str) -> str:
        """HASH: what of a fleet was turned away unrated since the last audit line about it."""
        return f"{self._slot}turned:{fleet}"

    def reply(self, fleet: str, client: str) -> str:
        """STREAM: what one client of one fleet is told."""
        return f"{self._slot}reply:{fleet}:{client}"

    def listings(self, fleet: str) -> str:
        """LIST with a time to live: the replies to one fleet that are listings, block by block."""
        return f"{self._slot}listings:{fleet}"

    def told(self, approver_client: str) -> str:
        """STREAM: what one approver's client is told."""
        return f"{self._slot}told:{approver_client}"

    def shown(self, approver_client: str) -> str:
        """LIST with a time to live: which entries of ``told`` hold records; the oldest of them go."""
        return f"{self._slot}shown:{approver_client}"

    def kind_of(self, stream: str) -> tuple[str, str | None]:
        """What the key of a work stream names: ``actions``, ``assessed`` …, and the fleet, where one."""
        kind, _, fleet = stream.removeprefix(self._slot).partition(":")
        return kind, fleet or None

    def alive(self, group: str, consumer: str) -> str:
        """STRING with a time to live: a worker's heartbeat."""
        return f"{self._slot}alive:{group}:{consumer}"


def notices_queue(channel: str) -> str:
    """ZSET (arq's): the notices that are to go to one channel."""
    return f"{_NOTICES}{channel}"


def pool_queue(pool: str) -> str:
    """ZSET (arq's): the votes that are asked of one pool."""
    return f"{_POOL}{pool}"


def pool_alive(pool: str) -> str:
    """STRING with a time to live: the heartbeat of a pool's workers, the name of the last that beat."""
    return f"{_POOL}{pool}:alive"


def pool_seen(pool: str) -> str:
    """STRING, kept for a week: when a worker of the pool was last alive (ms since 1970)."""
    return f"{_POOL}{pool}:seen"


def votes(worker: str) -> str:
    """STREAM: the votes of pools for one analyzer worker."""
    return f"gt:votes:{worker}"


def partition_for(client: str, partitions: int) -> int:
    """The partition in which a client lives, so that it reads one reply stream."""
    return crc32(client.encode()) % partitions


@lru_cache(1024)
def keys_of(partition: int) -> Keys:
    """The same object for whoever asks again: to spell them all takes 3 µs."""
    return Keys(partition)


def all_keys(partitions: int) -> list[Keys]:
    return [Keys(partition) for partition in range(partitions)]


class HistoryKeys:
    """The keys of one fleet's histories.

    Their slot is the fleet's, so that one script may touch a conversation, its agent and the list of the
    fleet's conversations. No agent has rights to them.
    """

    def __init__(self, fleet: str) -> None:
        self._slot = f"gt:{{h:{fleet}}}:"
        self.seen = f"{self._slot}seen"  #: ZSET: conversations that had a history, by when (ms) last

    def history(self, conversation: str) -> str:
        """HASH: labels and counters of one conversation."""
        return f"{self._slot}history:{conversation}"

    def entries(self, conversation: str) -> str:
        """LIST: the last actions of one conversation, the newest first."""
        return f"{self._slot}entries:{conversation}"

    def found(self, conversation: str) -> str:
        """HASH: files that one conversation downloaded, and fingerprints of secrets that it read."""
        return f"{self._slot}found:{conversation}"

    def all_of(self, conversation: str) -> tuple[str, str, str]:
        """Everything that is kept of one conversation, but its place on the fleet's list."""
        return self.history(conversation), self.entries(conversation), self.found(conversation)

    def agent(self, agent: str) -> str:
        """HASH: the labels that one agent set lately, for its next conversation."""
        return f"{self._slot}agent:{agent}"


class GrantKeys:
    """The keys of one fleet's grants. Their slot is the fleet's: a use is counted in one place."""

    def __init__(self, fleet: str) -> None:
        self._slot = f"gt:{{g:{fleet}}}:"
        self.grants = f"{self._slot}grants"  #: HASH: a grant's id → the grant (JSON)

    def uses(self, grant: str) -> str:
        """SET with a time to live: the actions that a grant has released."""
        return f"{self._slot}uses:{grant}"


class QuotaKeys:
    """The keys of one fleet's quota. Their slot is the fleet's: it counts for all partitions together."""

    def __init__(self, fleet: str, *, polls: bool = False) -> None:
        #: STRING with a time to live: when (µs since 1970) the fleet's bucket of tokens is full again;
        #: what asks after earlier actions (``polls``) draws on another one
        self.quota = f"gt:{{q:{fleet}}}:{'polls' if polls else 'quota'}"

    def of_agent(self, agent: str) -> str:
        """STRING with a time to live: the same of one agent."""
        return f"{self.quota}:{agent}"


#: STRING: the key of the fingerprints of secrets, where the settings give none.
HISTORY_KEY = "gt:history:key"

#: What arq keeps, as patterns: its queues, the heartbeats beside them, and its jobs, which it names itself.
ARQ_PATTERNS = ("gt:arq", "gt:arq:*", "arq:*")
