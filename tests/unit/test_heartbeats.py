"""What workers say of themselves: of every age, in every partition, and where it can't be read."""

from __future__ import annotations

import pytest

from guardtier.assessment import ChildVote
from guardtier.risk import SecurityRisk
from guardtier.store.heartbeats import Heartbeat
from guardtier.store.keys import ANALYZERS, POLICIES
from guardtier.store.queues import Queue
from guardtier_workers.rating import ChildTimes


def test_an_older_worker_says_less() -> None:
    beat = Heartbeat.read("w", POLICIES, b'{"consumer":"w","handled":7,"in_work":1}', 3000)

    assert (beat.kind, beat.handled, beat.in_work, beat.started, beat.children) == ("policy", 7, 1, 0, {})


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"\xff", b'{"handled":-1}', b'{"handled":"x"}', b'{"children":1}']
)
def test_what_can_not_be_read_is_a_worker_that_lives(raw: bytes) -> None:
    beat = Heartbeat.read("w", ANALYZERS, raw, -2)

    assert (beat.name, beat.kind, beat.handled, beat.lasts) == ("w", "analyzer", 0, 0)


def test_a_worker_is_one_in_all_partitions() -> None:
    said = b'{"kind":"analyzer","handled":%d,"failed":1,"in_work":2,"started":5,"children":{"llm":[%d,90]}}'
    one = Heartbeat.read("w", ANALYZERS, said % (3, 4), 3000)
    other = Heartbeat.read("w", ANALYZERS, said % (4, 5), 2000)

    both = one.beside(other)

    assert (both.handled, both.failed, both.in_work, both.lasts, both.partitions) == (7, 2, 4, 2000, 2)
    assert both.children == {"llm": (5, 90)}  # each partition tells those of all


def test_who_was_skipped_took_no_time() -> None:
    times = ChildTimes()
    times.add([ChildVote(child="shell", risk=SecurityRisk.LOW, us=40)])
    times.add(
        [
            ChildVote(child="shell", risk=SecurityRisk.LOW, us=60),
            ChildVote(child="judge", risk=SecurityRisk.UNKNOWN, us=0, skipped=True),
        ]
    )

    assert times.by_child == {"shell": [2, 100]}


def test_the_oldest_of_a_queue_is_that_of_all_partitions() -> None:
    one = Queue("actions", "web", length=3, pending=1, unread=2, oldest=50)
    other = Queue("actions", "web", length=1, unread=1, is_exact=False, oldest=40)

    assert one.beside(other) == Queue("actions", "web", 4, 1, 3, is_exact=False, oldest=40)
    assert one.beside(Queue("actions", "web", missing=1)).oldest == 50
