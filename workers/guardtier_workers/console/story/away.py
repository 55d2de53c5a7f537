"""What reading Redis may end in, as an error that a visitor is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import NoPermissionError, RedisError

from guardtier.errors import TierUnavailable


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Raises TierUnavailable where Redis is away, or where the console's credential may not read it."""
    try:
        yield
    except NoPermissionError as error:
        raise TierUnavailable(
            f"the console's Redis credential may not read {what}: give it the role of docs/console.md",
            field="console.redis_url",
        ) from error
    except (RedisError, OSError) as error:
        raise TierUnavailable(f"{what} can't be read now ({type(error).__name__}): try again") from error
