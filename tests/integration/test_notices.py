"""Notices go out: by jobs of a real arq, to loopback servers that hang, fail, redirect and refuse."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from shutil import which
from socket import AF_INET, SOCK_STREAM
from ssl import PROTOCOL_TLS_SERVER, SSLContext
from subprocess import run
from time import time
from typing import Any

import orjson
import pytest
from arq.jobs import Job
from redis.asyncio import Redis

from desk import Desk
from guardtier import ActionEvent, Outcome
from guardtier.policy.terms import Step, Terms
from guardtier.store.keys import notices_queue
from guardtier.store.ledger import Decision
from guardtier_workers.notices import jobs
from guardtier_workers.notices import queue as queue_module
from guardtier_workers.notices.jobs import Notifier
from guardtier_workers.notices.plan import Notice, Planning, planned, posted
from guardtier_workers.notices.queue import NoticeQueue
from guardtier_workers.notices.signing import is_signed
from llmserver import Reply, Server, serving
from processes import Processes
from smtpserver import SmtpServer, smtp_serving
from tier import StartTier, Tier
from waiting import until

SECRET = "0123456789abcdef"
NOW = Terms(notify=("hook",))


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as made:
        made.says(Reply())
        yield made


@pytest.fixture
async def smtp() -> AsyncIterator[SmtpServer]:
    async with smtp_serving() as made:
        yield made


@pytest.fixture(autouse=True)
def _tries_come_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(jobs, "POLL_SECONDS", 0.02)


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


@pytest.fixture
async def house(start_tier: StartTier, redis_url: str) -> AsyncIterator[Any]:
    """Makes the house for the channels that a test wants."""
    async with AsyncExitStack() as parts:

        async def build(**channels: Any) -> House:
            settings = {"channel": channels, "console_url": "https://guard.example"}
            tier = await start_tier(analyzers=0, policies=0, **settings)
            redis = await parts.enter_async_context(Redis.from_url(redis_url))
            desk = Desk(redis)
            await desk.open()
            parts.push_async_callback(desk.close)
            notifier, queue = Notifier(tier.settings), NoticeQueue(tier.settings)
            parts.push_async_callback(notifier.close)
            parts.push_async_callback(queue.close)
            return House(tier, desk, notifier, queue)

        yield build


# -- webhooks ----------------------------------------------------------------------------------


async def test_a_webhook_is_told_once_signed_and_with_a_link(house: Any, server: Server) -> None:
    made: House = await house(hook=webhook(server))

    action = await made.told(NOW)

    assert await made.result(action) == "sent"
    (request,) = server.requests
    assert request.path == "/in"
    assert is_signed(SECRET, request.headers["guardtier-signature"], request.body, time())
    assert request.headers["guardtier-delivery"] == request.json["delivery"]
    assert request.headers["host"] == server.url.removeprefix("http://")
    assert request.json["link"] == f"https://guard.example/actions/{action.id}"
    assert request.json["action"]["call"] == "rm -rf ~/.ssh"
    assert request.json["action"]["digest"] == action.digest


async def test_what_is_left_to_be_done_twice_is_told_once(house: Any, server: Server) -> None:
    made: House = await house(hook=webhook(server))
    action = await made.told(NOW)
    await made.result(action)
    (body,) = [fields[b"body"] for _, fields in await made.desk.redis.xrange(made.desk.keys.outbox)] or [
        posted(NOW, "parked", 0)[0][1]
    ]
    before = len(server.requests)

    for _ in range(3):
        await Planning(made.tier.records, made.queue)(0, action.id, body)
    await until(lambda: nothing_queued(made, "hook"))

    assert len(server.requests) == before


async def nothing_queued(made: House, channel: str) -> bool:
    return not await made.tier.redis.zcard(notices_queue(channel))


async def test_a_webhook_that_fails_is_told_again_as_the_same_delivery(house: Any, server: Server) -> None:
    server.says(Reply(500), Reply(429, headers={"retry-after": "0"}), Reply(breaks=True), Reply(204, b""))
    made: House = await house(hook=webhook(server))

    action = await made.told(NOW)

    assert await made.result(action) == "sent"
    assert len(server.requests) == 4
    assert len({request.headers["guardtier-delivery"] for request in server.requests}) == 1


async def test_one_that_hangs_is_left_and_holds_up_no_other(house: Any, server: Server) -> None:
    gate = asyncio.Event()
    server.by = lambda request: Reply(released=gate if request.path == "/hangs" else None)
    hangs = webhook(server, url=f"{server.url}/hangs", timeout=0.1)
    made: House = await house(slow=hangs, hook=webhook(server))

    action = await made.told(Terms(notify=("slow", "hook")))

    assert await made.result(action) == "sent"
    await until(lambda: sum(request.path == "/hangs" for request in server.requests) >= 3)
    server.by = lambda request: Reply()
    assert await made.result(action, "slow") == "sent"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed_wherever_it_leads(
    house: Any, server: Server, status: int
) -> None:
    server.says(Reply(status, headers={"location": "http://169.254.169.254/latest/meta-data/"}))
    made: House = await house(hook=webhook(server))

    action = await made.told(NOW)

    assert "a redirect, and none is followed" in await made.result(action)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [400, 401, 404, 410])
async def test_one_that_does_not_want_it_is_asked_no_more(house: Any, server: Server, status: int) -> None:
    server.says(Reply(status))
    made: House = await house(hook=webhook(server))

    action = await made.told(NOW)

    assert await made.result(action) == f"given up: 127.0.0.1 answered {status}"
    assert len(server.requests) == 1


async def test_a_private_address_is_not_even_connected_to(house: Any, server: Server) -> None:
    by_name = webhook(server, url=server.url.replace("127.0.0.1", "localhost"), allow_private=False)
    made: House = await house(hook=by_name)

    action = await made.told(NOW)

    assert "allow_private" in await made.result(action)
    assert server.requests == []


async def test_a_metadata_address_is_refused_whatever_is_allowed(house: Any, server: Server) -> None:
    made: House = await house(hook=webhook(server, url="http://169.254.169.254/latest", timeout=1))

    action = await made.told(NOW)

    assert "no notice goes there" in await made.result(action)


class Names:
    """A name server: ``hook.test`` has what is said in turn, the last again and again."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> None:
        self.asked = 0
        self._answers = list(answers)
        self._others = asyncio.BaseEventLoop.getaddrinfo
        monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", self._in_place_of_it())

    def _in_place_of_it(self) -> Any:
        async def getaddrinfo(loop: Any, host: Any, port: Any, **options: Any) -> Any:
            if host != "hook.test":
                return await self._others(loop, host, port, **options)
            self.asked += 1
            found = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
            return [(AF_INET, SOCK_STREAM, 6, "", (address, port)) for address in found]

        return getaddrinfo


async def test_a_name_that_changes_its_address_is_looked_up_once(
    house: Any, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = Names(monkeypatch, ["127.0.0.1"], ["169.254.169.254"])
    made: House = await house(hook=webhook(server, url=server.url.replace("127.0.0.1", "hook.test")))

    action = await made.told(NOW)

    assert await made.result(action) == "sent"
    assert names.asked == 1
    assert server.requests[0].headers["host"] == server.url.replace("http://127.0.0.1", "hook.test")


async def test_where_one_address_can_not_be_reached_the_next_is_tried(
    house: Any, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    Names(monkeypatch, ["127.0.0.2", "127.0.0.1"])
    made: House = await house(hook=webhook(server, url=server.url.replace("127.0.0.1", "hook.test")))

    action = await made.told(NOW)

    assert await made.result(action) == "sent"
    assert len(server.requests) == 1


async def test_one_that_never_comes_back_is_given_up_at_last(
    house: Any, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "TRIES", 3)
    server.says(Reply(503))
    made: House = await house(hook=webhook(server))

    action = await made.told(NOW)

    assert await made.result(action) == "given up: 127.0.0.1 answered 503"
    assert len(server.requests) == 3


async def test_an_answer_without_an_end_is_not_read(house: Any, server: Server) -> None:
    server.says(Reply(200, b"x" * 1000, headers={"content-length": "1000000000000"}))
    made: House = await house(hook=webhook(server, timeout=5))

    action = await made.told(NOW)

    assert await made.result(action) == "sent"


@pytest.mark.skipif(which("openssl") is None, reason="makes its certificate with openssl")
@pytest.mark.parametrize(("name", "result"), [("localhost", "sent"), ("other.example", "certificate")])
async def test_the_certificate_must_be_that_of_the_name_though_an_address_is_connected_to(
    house: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, result: str
) -> None:
    monkeypatch.setattr(jobs, "TRIES", 1)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    async with serving(tls=certificate(tmp_path, name)) as server:
        server.says(Reply())
        hook = webhook(server, url=server.url.replace("http://127.0.0.1", "https://localhost"))
        made: House = await house(hook=hook)

        action = await made.told(NOW)

        assert result in await made.result(action)
        assert len(server.requests) == (result == "sent")


def certificate(folder: Path, name: str) -> SSLContext:
    """A server's context with a certificate of its own making for this name."""
    key, cert = folder / "key.pem", folder / "cert.pem"
    of = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    made = "openssl req -x509 -newkey rsa:2048 -nodes -days 2"
    run([*made.split(), *of, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    context = SSLContext(PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context


def test_tries_come_further_and_further_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "FIRST_PAUSE", 5.0)

    assert [jobs.pause_before(attempt) for attempt in range(2, 13)] == [
        *(5, 10, 20, 40, 80, 160, 320),
        *(600, 600, 600, 600),
    ]


# -- chat and mail -----------------------------------------------------------------------------


async def test_a_chat_is_told_in_one_text(house: Any, server: Server) -> None:
    chat = {"kind": "slack", "url": f"{server.url}/services/T/B/x", "allow_private": True}
    made: House = await house(hook=chat)

    action = await made.told(NOW)

    assert await made.result(action) == "sent"
    (request,) = server.requests
    assert list(request.json) == ["text"]
    assert "rm -rf ~/.ssh" in request.json["text"]
    assert f"https://guard.example/actions/{action.id}" in request.json["text"]


async def test_a_mail_goes_to_everyone_of_the_channel(house: Any, smtp: SmtpServer) -> None:
    made: House = await house(hook=mailbox(smtp))

    action = await made.told(NOW)

    assert await made.result(action) == "sent"
    (mail,), (recipients,) = smtp.mails, smtp.recipients
    assert recipients == ["a@example.org", "b@example.org"]
    assert mail["From"] == "guard@example.org"
    assert "rm -rf ~/.ssh" in mail.get_content()
    assert f"https://guard.example/actions/{action.id}" in mail.get_content()


async def test_a_mail_that_is_not_taken_now_is_sent_again_under_its_id(
    house: Any, smtp: SmtpServer
) -> None:
    smtp.answers = ["451 later", "452 later"]
    made: House = await house(hook=mailbox(smtp))

    action = await made.told(NOW)

    assert await made.result(action) == "sent"
    assert len(smtp.mails) == 1
    assert smtp.lines.count("DATA") == 3


async def test_a_mail_that_is_refused_is_given_up(house: Any, smtp: SmtpServer) -> None:
    smtp.refused = {"a@example.org": "550 nobody", "b@example.org": "550 nobody"}
    made: House = await house(hook=mailbox(smtp))

    action = await made.told(NOW)

    assert await made.result(action) == "given up: 127.0.0.1 refused the mail (550)"


async def test_a_mail_that_only_some_may_get_is_not_sent_twice(house: Any, smtp: SmtpServer) -> None:
    smtp.refused = {"a@example.org": "550 nobody"}
    made: House = await house(hook=mailbox(smtp))

    action = await made.told(NOW)

    assert await made.result(action) == "sent"
    assert smtp.recipients == [["b@example.org"]]


async def test_without_the_tls_that_is_wanted_no_mail_is_sent(house: Any, smtp: SmtpServer) -> None:
    made: House = await house(hook=mailbox(smtp, tls="starttls", user="u", password="a password"))

    action = await made.told(NOW)

    assert (await made.result(action)).startswith("given up: 127.0.0.1 can't take the mail")
    assert smtp.mails == []
    assert not any("AUTH" in line for line in smtp.lines)


async def test_a_mail_server_that_says_nothing_is_left(
    house: Any, smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "TRIES", 2)
    smtp.silent = True
    made: House = await house(hook=mailbox(smtp, timeout=0.2))

    action = await made.told(NOW)

    assert "can't be reached" in await made.result(action)


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
