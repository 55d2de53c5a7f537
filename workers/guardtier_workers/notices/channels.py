"""Channels: a notice in the form that each kind of channel takes, and on its way."""

from __future__ import annotations

from importlib.util import find_spec
from time import time

import orjson

from guardtier.channels import ChannelSettings, EmailChannel, SlackChannel, WebhookChannel
from guardtier.errors import ConfigError
from guardtier.settings import Settings
from guardtier_workers.notices.http import Poster, Target
from guardtier_workers.notices.mail import mail
from guardtier_workers.notices.rendering import Shown, text_of
from guardtier_workers.notices.signing import DELIVERY, SIGNATURE, signature

_NEEDS = {"webhook": "httpx", "slack": "httpx", "email": "aiosmtplib"}


class Channels:
    """Every channel of the settings, by its name."""

    def __init__(self, settings: Settings) -> None:
        """Raises ConfigError where a library is missing."""
        self._settings = settings.channel
        self._poster = Poster()
        for name, channel in settings.channel.items():
            if find_spec(_NEEDS[channel.kind]) is None:
                raise ConfigError(
                    f"channel {name} needs {_NEEDS[channel.kind]}: pip install 'guardtier[notices]'",
                    field=f"channel.{name}",
                )

    async def send(self, name: str, shown: Shown) -> None:
        """Raises NoticeNotSent."""
        channel: ChannelSettings = self._settings[name]
        match channel:
            case WebhookChannel():
                await self._webhook(channel, shown)
            case SlackChannel():
                body = orjson.dumps({"text": slack_text(shown)})
                await self._poster.post(_target(channel), body, {})
            case EmailChannel():
                await mail(channel, shown)

    async def _webhook(self, channel: WebhookChannel, shown: Shown) -> None:
        body = webhook_body(shown)
        headers = {
            DELIVERY: shown.notice.id,
            SIGNATURE: signature(channel.secret.get_secret_value(), body, int(time())),
        }
        await self._poster.post(_target(channel), body, headers)


def webhook_body(shown: Shown) -> bytes:
    """The JSON of a generic webhook. docs/notices.md is its description."""
    notice = shown.notice
    return orjson.dumps(
        {
            "version": 1,
            "delivery": notice.id,
            "event": notice.what,
            "number": notice.number,
            "title": shown.title,
            "link": shown.link,
            "action": {
                "id": notice.action_id,
                "fleet": shown.fleet,
                "agent": shown.agent,
                "conversation": shown.conversation,
                "tool": shown.tool,
                "summary": shown.summary,
                "call": shown.call,
                "call_cut": shown.call_cut,
                "digest": shown.digest,
                "risk": shown.risk,
                "findings": [
                    {"risk": risk, "id": name, "message": message} for risk, name, message in shown.findings
                ],
            },
            "needs": shown.needs,
            "deadline": shown.deadline,
            "on_timeout": shown.on_timeout,
        }
    )


def slack_text(shown: Shown) -> str:
    """The text of a Slack-compatible webhook.

    What others wrote stands in a block of code that it can't end, where nobody is mentioned and nothing is
    a link; ``&``, ``<`` and ``>`` are escaped, as Slack wants it.
    """
    quoted = "\n".join(text_of(shown)).replace("`", "\\x60")
    for char, escape in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        quoted = quoted.replace(char, escape)
    where = shown.link or f"guardtier show {shown.notice.action_id}"
    return f"{shown.title}: {where}\n```\n{quoted}\n```"


def _target(channel: WebhookChannel | SlackChannel) -> Target:
    return Target(channel.url.get_secret_value(), channel.timeout, channel.allow_private)
