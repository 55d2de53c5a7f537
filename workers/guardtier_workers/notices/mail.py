"""Mail: a notice by SMTP, as plain text."""

from __future__ import annotations

import asyncio
import logging
from email.message import EmailMessage
from hashlib import sha256

from guardtier.channels import EmailChannel
from guardtier.errors import NoticeNotSent
from guardtier_workers.cli.safe_text import shortened
from guardtier_workers.notices.rendering import Shown, text_of

log = logging.getLogger(__name__)

_MOST_SUBJECT = 150  #: characters


async def mail(channel: EmailChannel, shown: Shown) -> None:
    """Raises NoticeNotSent."""
    import aiosmtplib

    password = channel.password.get_secret_value() if channel.password else None
    try:
        async with asyncio.timeout(channel.timeout):
            refused, _ = await aiosmtplib.send(
                message_of(channel, shown),
                hostname=channel.host,
                port=channel.port,
                use_tls=channel.tls == "implicit",
                start_tls=channel.tls == "starttls",
                username=channel.user,
                password=password,
                timeout=channel.timeout,
            )
        for address in refused:  # the others have it: sending it again would be a second mail to them
            log.warning("%s: no mail for %s", channel.host, address)
    except (aiosmtplib.SMTPRecipientsRefused, aiosmtplib.SMTPResponseException) as error:
        code = _code(error)
        raise NoticeNotSent(f"{channel.host} refused the mail ({code})", again=code < 500) from error
    except (TimeoutError, OSError) as error:
        raise NoticeNotSent(
            f"{channel.host} can't be reached ({type(error).__name__})", again=True
        ) from error
    except (aiosmtplib.SMTPException, ValueError) as error:
        raise NoticeNotSent(f"{channel.host} can't take the mail: {str(error)[:120]}") from error


def message_of(channel: EmailChannel, shown: Shown) -> EmailMessage:
    """The mail. Its id is the notice's, so that one which comes twice can be told."""
    name = sha256(shown.notice.id.encode()).hexdigest()[:32]
    message = EmailMessage()
    message["From"] = channel.sender
    message["To"] = ", ".join(channel.to)
    subject = f"[guardtier] {shown.risk}: {shown.agent} of {shown.fleet}: {shown.title}"
    # An encoded word (RFC 2047) would be decoded: a line break in one ends the header, and begins another.
    message["Subject"] = shortened(subject, _MOST_SUBJECT).replace("=?", "=\\x3f")
    message["Message-ID"] = f"<{name}@{channel.sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    where = shown.link or f"guardtier show {shown.notice.action_id}"
    message.set_content("\n".join([f"{shown.title}: {where}", "", *text_of(shown), ""]))
    return message


def _code(error: Exception) -> int:
    """The server's answer; of several the mildest, since one that may pass is worth another try."""
    refused = getattr(error, "recipients", None)
    codes = [one.code for one in refused] if refused else [getattr(error, "code", 500)]
    return int(min(codes))
