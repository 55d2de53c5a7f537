"""Noticed: a tier, its steward, and the channels that are told."""

from __future__ import annotations

from time import time
from typing import Any

import orjson
from arq.jobs import Job

from desk import Desk
from guardtier import ActionEvent
from guardtier.policy.terms import Terms
from guardtier.store.keys import notices_queue
from guardtier.store.ledger import Decision
from guardtier_workers.notices import jobs
from guardtier_workers.notices.jobs import Notifier
from guardtier_workers.notices.plan import posted
from guardtier_workers.notices.queue import NoticeQueue
from llmserver import Server
from smtpserver import SmtpServer
from tier import Tier
from waiting import until

SECRET = "0123456789abcdef"

NOW = Terms(notify=("hook",))


def webhook(server: Server, **more: Any) -> dict[str, Any]:
    known = {"kind": "webhook", "url": f"{server.url}/in", "secret": SECRET, "allow_private": True}
    return known | more


def mailbox(smtp: SmtpServer, **more: Any) -> dict[str, Any]:
    known = {"kind": "email", "host": "127.0.0.1", "port": smtp.port, "sender": "guard@example.org"}
    return known | {"to": ["a@example.org", "b@example.org"], "tls": "none"} | more


class House:
    """A tier whose desk is worked by hand, with what sends notices beside it."""

    def __init__(self, tier: Tier, desk: Desk, notifier: Notifier, queue: NoticeQueue) -> None:
        self.tier = tier
        self.desk = desk
        self.notifier = notifier
        self.queue = queue

    async def parked(self, terms: Terms, command: str = "rm -rf ~/.ssh") -> ActionEvent:
        """A parked action, and its notices on the outbox, as a policy worker parks it."""
        action = self.desk.action(arguments={"command": command})
        await self.desk.assess(action)
        now = int(time() * 1000)
        left = posted(terms, "parked", now)
        decision = Decision("parked", "test:1", park_ms=60_000, terms=terms.to_json(), outbox=left)
        await self.desk.decided(action, decision)
        return action

    async def told(self, terms: Terms) -> ActionEvent:
        """The same, with policy worker and senders at work."""
        action = await self.parked(terms)
        await self.tier.policy(notices=self.queue)
        await self.send()
        return action

    async def send(self) -> None:
        for channel in self.tier.settings.channel:
            await self.tier.run_arq(jobs.arq_worker(self.tier.settings, self.notifier, channel))

    async def result(self, action: ActionEvent, channel: str = "hook") -> str:
        """What became of the one notice of an action."""
        (entry,) = await until(lambda: self._results(action, channel))
        job = Job(entry, self.queue._pool, _queue_name=notices_queue(channel), _deserializer=orjson.loads)
        return str(await job.result(timeout=60, poll_delay=0.01))

    async def _results(self, action: ActionEvent, channel: str) -> list[str]:
        found = await self.tier.redis.keys(f"arq:result:notice:{action.id}:*:{channel}")
        return [name.decode().removeprefix("arq:result:") for name in found]

    async def due(self, channel: str) -> dict[str, float]:
        """What is queued for a channel, and in how many seconds from when it was parked."""
        found = await self.tier.redis.zrange(notices_queue(channel), 0, -1, withscores=True)
        parts = {name.decode(): score for name, score in found}
        return {
            ":".join(name.split(":")[3:5]): (score - int(name.split(":")[2])) / 1000
            for name, score in parts.items()
        }


async def nothing_queued(made: House, channel: str) -> bool:
    return not await made.tier.redis.zcard(notices_queue(channel))
