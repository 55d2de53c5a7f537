"""ConsoleSettings: the table ``[console]``: where the ops console listens, and how people sign in."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    model_validator,
)

from guardtier.action import LABEL
from guardtier.channels import plain_url

PORT = 8470
HOST = r"^[A-Za-z0-9_.-]{1,253}$"

Network = IPv4Network | IPv6Network


class OidcSettings(BaseModel):
    """Signing in by OpenID Connect. Who somebody is to the tier, the approvers file says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: Annotated[str, AfterValidator(plain_url)]
    client_id: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    client_secret: SecretStr
    label: Annotated[str, StringConstraints(min_length=1, max_length=40)] = "single sign-on"


class ConsoleSettings(BaseModel):
    """Everything that the console alone is told. Times are in seconds.

    ``voucher`` is the console's own name in the approvers file (``may = ["vouch"]``), its token is in
    ``voucher_token_file``: signing in by ``oidc`` needs them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    host: Annotated[str, StringConstraints(min_length=1, max_length=253)] = "127.0.0.1"
    port: int = Field(default=PORT, ge=0, le=65535)  #: 0: any free one
    redis_url: SecretStr | None = None  #: with the rights of the role ``console``; else the workers'
    hosts: tuple[Annotated[str, StringConstraints(pattern=HOST)], ...] = ()  #: names it is called by
    proxies: tuple[Network, ...] = ()  #: whose X-Forwarded- headers are believed
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    session_seconds: float = Field(default=12 * 3600, gt=0)  #: from signing in
    idle_seconds: float = Field(default=2 * 3600, gt=0)  #: from the last request
    open_to_viewers: bool = False  #: whoever reaches it may look, without signing in; on loopback alone
    voucher: Annotated[str, StringConstraints(pattern=LABEL)] | None = None
    voucher_token_file: Path | None = None
    oidc: OidcSettings | None = None
    state_dir: Path | None = None  #: of ``guardtier up``, which sets it

    @model_validator(mode="after")
    def _parts_belong_together(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key: both, or neither")
        if (self.voucher is None) != (self.voucher_token_file is None):
            raise ValueError("voucher and voucher_token_file: both, or neither")
        if self.oidc is not None and self.voucher is None:
            raise ValueError("oidc needs voucher: the tier must know who signs for those who come by it")
        return self
