"""Chats and mail: one text, one mail to everyone, again where it was not taken."""

from __future__ import annotations

from typing import Any

import pytest

from guardtier_workers.notices import jobs
from llmserver import Server
from noticed import NOW, House, mailbox
from smtpserver import SmtpServer


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
