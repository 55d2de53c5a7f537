"""Credentials: what a deployment gives each part: its role in Redis, and keys to sign and to verify by.

The roles are lines of redis.conf, so that a server which starts again has them; who may do everything is
its default user, which is on here (as deployed: ``integration/test_roles_restart.py``). Everybody's
password is their role's name.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from functools import cache
from pathlib import Path

from guardtier.store.roles import acl_file
from guardtier_workers import keyring
from guardtier_workers.embedded import EmbeddedRedis, find_redis_server
from roleserver import hashed, version_of

FLEETS = ("web", "ops")
PARTITIONS = 10  #: that the roles are for; fewer are among them
NONE = "no roles: Redis 7.0 is needed"


@cache
def roles_hold() -> bool:
    """Whether the redis-server that all scenarios run is new enough for roles."""
    return version_of(find_redis_server()) >= (7, 0)


def role_lines() -> tuple[str, ...]:
    """Lines of redis.conf: every role, as ``guardtier acl file`` has it."""
    if not roles_hold():
        return ()
    lines = acl_file(PARTITIONS, FLEETS, hashed).splitlines()
    return tuple(line for line in lines if not line.startswith("user default "))


def embedded(appendfsync: str = "always") -> EmbeddedRedis:
    """A redis-server with the roles."""
    return EmbeddedRedis(appendfsync=appendfsync, options=role_lines())


def as_role(url: str, role: str) -> str:
    """The same Redis, as this role; as it was where no roles hold."""
    if not roles_hold():
        return url
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{role}:{role}@{rest.rpartition('@')[2]}"


def role_of(kind: str) -> str:
    """The role of a worker: ``pool second`` is a ``pool``."""
    return kind.partition(" ")[0]


class Keys:
    """The tier's signing keys, the agents' public ones, and every public key that there has been."""

    def __init__(self, folder: Path) -> None:
        self.signing, self.public = folder / "signing.json", folder / "verdict-keys.json"
        self.known: dict[str, bytes] = {}
        keyring.make(self.signing)
        keyring.publish(self.signing, self.public)
        self.look()

    def look(self) -> dict[str, bytes]:
        """The public keys that agents have now, by their ids."""
        listed = json.loads(self.public.read_text(encoding="utf-8"))["keys"]
        found = {one["id"]: urlsafe_b64decode(one["public"] + "=") for one in listed}
        self.known |= found
        return found
