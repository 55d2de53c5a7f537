"""What doctor says of the keys that the policy workers of a tier sign with."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from guardtier.keyfile import Key
from guardtier.store.heartbeats import Heartbeat
from guardtier.verifying import Verifier
from guardtier_workers.cosigning import complaints

ONE, TWO = Key.new(), Key.new()


def worker(name: str, signs: Key | None, *more: Key) -> Heartbeat:
    keys = tuple(key.id for key in (signs, *more) if key)
    return Heartbeat(name=name, kind="policy", signs=signs.id if signs else "", keys=keys)


OLDER = Heartbeat(name="older", kind="policy")


def said(*workers: Heartbeat, agents: Sequence[Key] = ()) -> list[tuple[bool, str]]:
    return list(complaints(workers, Verifier(agents) if agents else None))


def test_the_same_keys_are_well_also_in_the_second_of_a_rotation() -> None:
    assert said(worker("a", ONE), worker("b", ONE), OLDER, agents=[ONE]) == []
    assert said(worker("a", ONE, TWO), worker("b", TWO, ONE), agents=[ONE, TWO]) == []
    assert said(worker("a", None), OLDER) == []


def test_different_keys_fail_and_each_is_named() -> None:
    ((fails, says),) = said(worker("a", ONE), worker("b", TWO), worker("c", TWO))

    assert fails
    assert f"{ONE.id} by a" in says
    assert f"{TWO.id} by b, c" in says


def test_a_rotated_file_that_has_not_come_everywhere_is_a_warning() -> None:
    ((fails, says),) = said(worker("a", ONE), worker("b", TWO, ONE))

    assert not fails
    assert "the same signing_key_file" in says


@pytest.mark.parametrize("count", [1, 5])
def test_who_signs_nothing_beside_others_fails(count: int) -> None:
    ((fails, says),) = said(worker("a", ONE), *(worker(f"w{number}", None) for number in range(count)))

    assert fails
    assert says.startswith("w0")
    assert ("and 2 more" in says) is (count == 5)


def test_agents_without_the_key_that_signs_fail() -> None:
    ((fails, says),) = said(worker("a", ONE, TWO), agents=[TWO])

    assert fails
    assert f"not given key {ONE.id}" in says


def test_a_worker_whose_keys_are_all_over_is_not_taken_for_one_without() -> None:
    over = Heartbeat(name="a", kind="policy", keys=(), spent=True)

    ((fails, says),) = said(over)

    assert fails
    assert "every signing key of a is over" in says
    assert "guardtier keys rotate --now" in says
