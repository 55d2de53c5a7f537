"""The tier's signing keys as an operator tends them: made, rotated, published, looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

from guardtier.errors import ConfigError
from guardtier.keyfile import MAX_KEYS, Key, clock_text, ms_of, private_json, public_json, read_private
from guardtier.verifying import Verifier
from guardtier_workers.filelock import held, write_whole

_HAND_OUT = "hand out what guardtier keys public prints"
SOON = timedelta(days=14)  #: a key that ends so soon, and has no successor, is worth a warning


def make(file: Path, *, until: datetime | None = None) -> Key:
    """A file with one new key in it, which signs at once. Raises ConfigError where there is one already."""
    key = Key.new(until=until)
    with held(file):
        if file.exists():
            raise ConfigError(
                f"{file} is there already: guardtier keys rotate adds a key to it", field="file"
            )
        write_whole(file, private_json([key]), 0o600)
    return key


def rotate(
    file: Path,
    *,
    starts_in: timedelta,
    keep: timedelta,
    until: datetime | None = None,
    revoke: bool = False,
    public: Path | None = None,
) -> list[Key]:
    """Add a key that signs once ``starts_in`` is over; the others are believed for ``keep`` longer.

    So agents have until then to be given the new public key, and what the old one has signed can be
    redeemed meanwhile. ``revoke`` is for a key that was stolen: the others go at once. ``public``: the
    agents' file, which is written first: what a worker signs in the next moment must not be refused.
    Returns all keys. Rotations at the same time come one after the other.
    """
    read_private(file, tending=True)  # what is wrong with it is told before a lock is made beside it
    with held(file):
        now = datetime.now(UTC)
        since = now if revoke else now + starts_in
        known = [key for key in read_private(file, tending=True) if not _over(key, now)]
        kept = [] if revoke else [_ended(key, since + keep) for key in known]
        alone = not kept and (revoke or not starts_in)  # it signs at once, also by a clock that is behind
        keys = [*kept, Key.new(since=None if alone else since, until=until)]
        if len(keys) > MAX_KEYS:
            raise ConfigError(
                f"{file} has {len(kept)} keys that still count: wait until some end", field="file"
            )
        with held(public) if public else nullcontext():  # else somebody could publish the old ones between
            if public is not None:
                write_whole(public, public_json(keys), 0o644)
            write_whole(file, private_json(keys), 0o600, like=file.stat())
    return keys


def publish(file: Path, public: Path) -> None:
    """Write the public keys of a signing file, for every agent to read; all of them or nothing.

    It is read under the lock of ``public``: of several at once, the last to write has read the newest.
    """
    with held(public):
        write_whole(public, public_json(read_private(file, tending=True)), 0o644)


def newest(keys: Sequence[Key], now_ms: int) -> Key | None:
    """The key that signs at this moment."""
    return max((key for key in keys if key.signs_at(now_ms)), key=lambda key: key.since_ms, default=None)


def complaints(keys: Sequence[Key], published: Verifier | None) -> Iterator[tuple[bool, str]]:
    """What is wrong with the keys of a tier: whether that fails it, and what to do."""
    now = datetime.now(UTC)
    signs = newest(keys, ms_of(now))
    if signs is None:
        yield True, "no key is valid now, so nothing can be decided: guardtier keys rotate --now"
    elif signs.until is not None and signs.until - now < SOON and not _followed(signs, keys):
        yield False, f"key {signs.id} ends at {clock_text(ms_of(signs.until))}: guardtier keys rotate"
    if published is None:
        return
    known = {key.id: key for key in published.keys}
    for key in keys:
        if _over(key, now):
            continue
        told = known.get(key.id)
        if told is None:
            yield True, f"agents are not given key {key.id}: {_HAND_OUT}"
        elif (told.since_ms, told.until_ms) != (key.since_ms, key.until_ms):
            yield False, f"agents know other times of key {key.id}: {_HAND_OUT}"


def _followed(key: Key, keys: Sequence[Key]) -> bool:
    """Whether another key signs once this one has ended."""
    return key.until_ms is not None and any(other.signs_at(key.until_ms) for other in keys)


def _over(key: Key, now: datetime) -> bool:
    return key.until is not None and key.until <= now


def _ended(key: Key, until: datetime) -> Key:
    ends = until if key.until is None else min(key.until, until)
    if key.since is not None:  # one that was to sign later ends after it begins
        ends = max(ends, key.since + timedelta(seconds=1))
    return key.model_copy(update={"until": ends})
