"""A webhook is told once, signed, and only where it may lead."""

from __future__ import annotations

import asyncio
from pathlib import Path
from shutil import which
from socket import AF_INET, SOCK_STREAM
from ssl import PROTOCOL_TLS_SERVER, SSLContext
from subprocess import run
from time import time
from typing import Any

import pytest

from guardtier.policy.terms import Terms
from guardtier_workers.notices import jobs
from guardtier_workers.notices.plan import Planning, posted
from guardtier_workers.notices.signing import is_signed
from llmserver import Reply, Server, serving
from noticed import NOW, SECRET, House, nothing_queued, webhook
from waiting import until


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
