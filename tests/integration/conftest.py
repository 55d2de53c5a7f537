"""The fixtures of tests with real parts; ``tests/fixtures.py`` has them."""

from fixtures import (
    any_redis_url,
    any_server,
    desk,
    own_server,
    processes,
    redis_url,
    shared_server,
    start_tier,
    tier,
)

__all__ = [
    "any_redis_url",
    "any_server",
    "desk",
    "own_server",
    "processes",
    "redis_url",
    "shared_server",
    "start_tier",
    "tier",
]
