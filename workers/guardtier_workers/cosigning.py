"""Cosigning: who joins a tier signs with its keys, or agents would refuse the half of its verdicts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from time import monotonic

from guardtier.errors import ConfigError
from guardtier.store.connection import AnyRedis
from guardtier.store.heartbeats import Heartbeat, deciders
from guardtier.verifying import Verifier

#: Until then a worker that was killed is no longer believed to live (3.5 s), and one that lives has seen
#: that its file was rotated, and said so (2 s).
PATIENCE_SECONDS = 4.5
LOOK_SECONDS = 0.25
MOST_NAMED = 3  #: workers, in one complaint


async def check(redis: AnyRedis, keys: Callable[[], Sequence[str]], *, name: str = "") -> None:
    """Look whether one of these keys is one that the policy workers sign with; none live: all is well.

    ``name``: the worker that asks, whose own heartbeat does not count. Raises ConfigError after
    PATIENCE_SECONDS, and what Redis raises.
    """
    ends = monotonic() + PATIENCE_SECONDS
    while wrong := _wrong(keys(), await _others(redis, name)):
        if monotonic() >= ends:
            raise ConfigError(wrong, field="signing_key_file")
        await asyncio.sleep(LOOK_SECONDS)


def stranger(mine: Sequence[str], deciding: Sequence[Heartbeat]) -> str:
    """Why a worker with these keys would not be let in among those that decide; empty where it would be."""
    return _wrong(mine, [one for one in deciding if one.keys])


def complaints(deciding: Sequence[Heartbeat], published: Verifier | None) -> Iterator[tuple[bool, str]]:
    """What is wrong with the keys of the policy workers that live: whether that fails, and what to do.

    ``published``: the keys that agents here are given.
    """
    signing = [one for one in deciding if one.keys]
    if spent := [one.name for one in deciding if one.spent]:
        says = f"every signing key of {_names(spent)} is over, so nothing can be decided and all is parked"
        yield True, f"{says}: guardtier keys rotate --now, on their file"
    if signing and (unsigned := [one.name for one in deciding if one.keys == () and not one.spent]):
        yield True, f"{_names(unsigned)} sign nothing, others do: set signing_key_file there too"
    by = {key: [one.name for one in signing if one.signs == key] for key in {one.signs for one in signing}}
    if any(key and key not in (one.keys or ()) for key in by for one in signing):
        common = set.intersection(*(set(one.keys or ()) for one in signing))
        listed = "; ".join(f"{key or 'none'} by {_names(names)}" for key, names in sorted(by.items()))
        yield not common, f"workers sign with different keys, {listed}: give all the same signing_key_file"
    if published is not None:
        for key in sorted(by.keys() - {"", *(known.id for known in published.keys)}):
            yield True, f"agents are not given key {key}, which signs: guardtier keys public prints it"


async def _others(redis: AnyRedis, name: str) -> list[Heartbeat]:
    return [one for one in await deciders(redis) if one.keys and one.name != name]


def _names(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _wrong(mine: Sequence[str], others: Sequence[Heartbeat]) -> str:
    """What is wrong, and what to do; empty where nothing is."""
    if not others or any(key in mine for one in others for key in one.keys or ()):
        return ""
    known = others[0]
    theirs = f"the tier that lives there ({known.name}) signs with {known.signs}"
    if mine:
        what = f"this signs with key {mine[0]}, and {theirs}: agents have the keys of one of them"
    else:
        what = f"this signs nothing, and {theirs}: agents with keys refuse what is not signed"
    return f"{what}; name that tier's file in signing_key_file, or end its policy workers first"
