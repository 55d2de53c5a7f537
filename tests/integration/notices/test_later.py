"""Notices for later: steps, reminders, jobs that come late or that somebody made up; processes."""

from __future__ import annotations

from time import time
from typing import Any

import pytest

from guardtier import Outcome
from guardtier.policy.terms import Step, Terms
from guardtier.store.keys import notices_queue
from guardtier_workers.notices import jobs
from guardtier_workers.notices import queue as queue_module
from guardtier_workers.notices.plan import Notice, Planning, planned, posted
from guardtier_workers.notices.queue import NoticeQueue
from llmserver import Reply, Server
from noticed import NOW, SECRET, House, nothing_queued, webhook
from processes import Processes
from waiting import until

# -- time --------------------------------------------------------------------------------------


async def test_steps_and_reminders_are_jobs_for_later(house: Any, server: Server) -> None:
    made: House = await house(hook=webhook(server), boss=webhook(server))
    action = await made.parked(
        Terms(notify=("hook",), remind_every="1h", escalate=(Step(after="5m", notify=("boss",)),))
    )

    await made.tier.policy(notices=made.queue)
    await made.tier.idle()

    assert await made.due("hook") == {"parked:0": 0, "reminder:1": 3600}
    assert await made.due("boss") == {"escalated:1": 300, "reminder:1": 3900}
    assert action.id in (await made.tier.redis.zrange(notices_queue("boss"), 0, 0))[0].decode()


async def test_an_action_that_was_answered_is_nobodys_news(house: Any, server: Server) -> None:
    made: House = await house(hook=webhook(server))
    action = await made.parked(NOW)
    await made.desk.resolve(action, Outcome.REJECTED)

    for notice in planned(action.id, NOW, "parked", 1):
        assert await made.notifier.notify(notice) == "the action is rejected"
    assert await made.notifier.notify(Notice("gone.0", "hook", "parked", 0, 1, 1)) == "the action is gone"
    await Planning(made.tier.records, made.queue)(0, action.id, posted(NOW, "parked", 1)[0][1])

    assert server.requests == []
    assert await nothing_queued(made, "hook")


async def test_a_reminder_has_the_next_one_queued_even_where_it_can_not_be_sent(
    house: Any, server: Server
) -> None:
    made: House = await house(hook=webhook(server))
    server.says(Reply(500))
    terms = Terms(notify=("hook",), remind_every="1h")
    action = await made.parked(terms)
    now = int(time() * 1000)
    _, reminder = planned(action.id, terms, "parked", now - 3_000_000)

    for _ in range(2):
        with pytest.raises(jobs.NoticeNotSent):
            await made.notifier.notify(reminder)

    assert await made.due("hook") == {"reminder:2": 7200}


async def test_reminders_that_were_missed_do_not_come_all_at_once(house: Any, server: Server) -> None:
    made: House = await house(hook=webhook(server))
    terms = Terms(notify=("hook",), remind_every="1h")
    action = await made.parked(terms)
    days_ago = int((time() - 3 * 24 * 3600) * 1000)
    parked, reminder = planned(action.id, terms, "parked", days_ago)

    await made.queue(parked)
    await made.notifier.notify(reminder)

    due = await made.due("hook")
    assert set(due) == {"parked:0", "reminder:2"}
    assert due["reminder:2"] > 3 * 24 * 3600 + 3500


async def test_a_channel_that_is_not_there_keeps_nobody_else_from_being_told(
    house: Any, server: Server
) -> None:
    made: House = await house(hook=webhook(server))

    action = await made.told(Terms(notify=("nowhere", "hook")))

    assert await made.result(action) == "sent"
    await made.tier.idle()
    assert await nothing_queued(made, "nowhere")


@pytest.mark.parametrize(
    "args", [("a.0", "hook"), ("a.0", "hook", "party", 0, 1, 1), ("a.0", "other", "parked", 0, 1, 1)]
)
async def test_a_job_that_somebody_made_up_does_nothing(house: Any, server: Server, args: Any) -> None:
    made: House = await house(hook=webhook(server), other=webhook(server))
    ctx = {"notifier": made.notifier, "channel": "hook", "job_try": 1, "job_id": "x"}

    assert (await jobs.notify(ctx, *args)).startswith("it ")


async def test_where_arq_s_redis_is_away_a_notice_stays_to_be_queued(
    house: Any, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_module, "TRIES_FOR_SECONDS", 0.1)
    made: House = await house(hook=webhook(server))
    action = await made.parked(NOW)
    away = NoticeQueue(made.tier.settings.model_copy(update={"arq_url": "redis://127.0.0.1:1/0"}))

    with pytest.raises(TimeoutError):
        await Planning(made.tier.records, away)(0, action.id, posted(NOW, "parked", 1)[0][1])

    await away.close()


async def test_notices_that_can_not_be_read_are_put_aside(house: Any, server: Server) -> None:
    made: House = await house(hook=webhook(server))
    action = await made.parked(NOW)

    await Planning(made.tier.records, made.queue)(0, action.id, b'{"event":"party","at":1}')

    assert await nothing_queued(made, "hook")


# -- processes ---------------------------------------------------------------------------------


async def test_workers_as_processes_tell_a_channel(
    house: Any, server: Server, processes: Processes, tmp_path: Any
) -> None:
    made: House = await house(hook=webhook(server))
    env = made.tier.worker_env | {
        "GUARDTIER_CHANNEL__HOOK__KIND": "webhook",
        "GUARDTIER_CHANNEL__HOOK__URL": f"{server.url}/in",
        "GUARDTIER_CHANNEL__HOOK__SECRET": SECRET,
        "GUARDTIER_CHANNEL__HOOK__ALLOW_PRIVATE": "true",
    }
    policy = processes.worker("policy", made.tier.url, **env)
    steward = processes.worker("steward", made.tier.url, **env)

    action = await made.parked(NOW)

    await until(lambda: server.requests, 90.0)
    assert server.requests[0].json["action"]["id"] == action.id
    for process in (policy, steward):
        process.terminate()
    await until(lambda: policy.poll() == 0 and steward.poll() == 0)
