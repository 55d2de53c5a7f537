"""ChannelSettings: the table ``[channel.NAME]``: where notices of parked actions go."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    model_validator,
)

#: One address of a mail, as plain as they come: no name beside it, nothing that could end a header.
_ADDRESS = r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}$"
_HOST = r"^[A-Za-z0-9.:_-]{1,253}$"

Address = Annotated[str, StringConstraints(pattern=_ADDRESS)]
Timeout = Annotated[float, Field(gt=0, le=60, allow_inf_nan=False)]


def plain_url(url: str) -> str:
    """This URL. Raises ValueError for one that is no plain http:// or https:// address."""
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        sound = False
    if not sound or "@" in parts.netloc or parts.fragment or re.search(r"[^!-~]", url):
        raise ValueError("it must be a plain http:// or https:// address, without a user in it")
    return url


def _secret_url(url: SecretStr) -> SecretStr:
    plain_url(url.get_secret_value())
    return url


#: Whoever knows the address of a hook may post to it, so none is ever printed.
SecretUrl = Annotated[SecretStr, AfterValidator(_secret_url)]


class _Channel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    timeout: Timeout = 10.0  #: seconds for one try, from the look-up of the name to the answer


class WebhookChannel(_Channel):
    """A program that takes JSON, signed with ``secret``.

    ``allow_private``: it may be on this machine or in a private network. Link-local addresses, where
    clouds keep their metadata, are refused even then.
    """

    kind: Literal["webhook"] = "webhook"
    url: SecretUrl
    secret: SecretStr = Field(min_length=16)
    allow_private: bool = False


class SlackChannel(_Channel):
    """An incoming webhook of Slack, or of what takes the same (Mattermost, Rocket.Chat, Zulip)."""

    kind: Literal["slack"] = "slack"
    url: SecretUrl
    allow_private: bool = False


class EmailChannel(_Channel):
    """A mail to each address of ``to``, by the SMTP server at ``host``.

    ``tls``: ``starttls`` (refused where the server has none), ``implicit`` (from the first byte on), or
    ``none``, which no password is sent over.
    """

    kind: Literal["email"] = "email"
    host: Annotated[str, StringConstraints(pattern=_HOST)]
    port: int = Field(default=587, ge=1, le=65_535)
    sender: Address
    to: tuple[Address, ...] = Field(min_length=1, max_length=50)
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    user: str | None = Field(default=None, min_length=1, max_length=256)
    password: SecretStr | None = None

    @model_validator(mode="after")
    def _a_login_is_whole_and_not_overheard(self) -> Self:
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password come together")
        if self.user is not None and self.tls == "none":
            raise ValueError('a password is not sent without TLS: set tls to "starttls" or "implicit"')
        return self


ChannelSettings = Annotated[WebhookChannel | SlackChannel | EmailChannel, Field(discriminator="kind")]
