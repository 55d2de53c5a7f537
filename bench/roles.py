"""The credentials of the bench's workers and agents where each has those of its role."""

from __future__ import annotations

import os
from hashlib import sha256
from urllib.parse import urlsplit

from redis import Redis

from guardtier.store.acl import Role, acl_line
from guardtier.store.roles import ANALYZER, POLICY, agents_of

_VARIABLE = "BENCH_URL_"


def credentials(url: str, fleet: str) -> dict[str, str]:
    """Make a user for each role (Redis 7.0 or newer); what processes have in their environment then."""
    env = {}
    port = urlsplit(url).port
    with Redis.from_url(url) as redis:
        for part, role in {"analyzer": ANALYZER, "policy": POLICY, "agents": agents_of(fleet)}.items():
            redis.execute_command("ACL", "SETUSER", *_user(role))
            env[f"{_VARIABLE}{part.upper()}"] = f"redis://{role.name}:{role.name}@127.0.0.1:{port}/0"
    return env


def url_of(part: str, otherwise: str) -> str:
    """Where this part of the tier finds Redis, and as whom."""
    return os.environ.get(f"{_VARIABLE}{part.upper()}", otherwise)


def _user(role: Role) -> list[str]:
    _, *rules = acl_line(role, 1, sha256(role.name.encode()).hexdigest()).split()
    return rules
