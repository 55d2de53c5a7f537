"""SignOn: signings in by an identity provider that are under way, and what they end with."""

from __future__ import annotations

import secrets
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from time import monotonic
from typing import TYPE_CHECKING

from guardtier.errors import ConfigError
from guardtier.settings import Settings
from guardtier.signer import Signer
from guardtier_workers.console.access.problems import SignOnFailed

if TYPE_CHECKING:
    from guardtier_workers.console.access.provider import Provider

MOST = 1_000  #: under way; the oldest goes first
LASTS_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Begun:
    """One signing in, between leaving for the provider and coming back."""

    next: str
    back: str
    since: float
    seat: str = field(default="", repr=False)  #: the digest of what its browser keeps (forgery.py)
    state: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48), repr=False)


class SignOn:
    """``voucher`` signs for those who come this way: the console's own entry in the approvers file."""

    def __init__(self, provider: Provider, voucher: Signer, clock: Callable[[], float] = monotonic) -> None:
        self.provider, self.voucher, self._clock = provider, voucher, clock
        self._begun: dict[str, Begun] = {}

    def begin(self, wanted: str, back: str, seat: str = "") -> tuple[str, Begun]:
        """A signing in that leads to the page ``wanted``, and the name that its browser keeps."""
        name = secrets.token_urlsafe(32)
        while len(self._begun) >= MOST:
            del self._begun[next(iter(self._begun))]
        begun = self._begun[_digest(name)] = Begun(wanted, back, self._clock(), seat)
        return name, begun

    async def where_to(self, begun: Begun) -> str:
        """Where its browser goes. Raises ProviderAway."""
        return await self.provider.where_to(
            back=begun.back, state=begun.state, nonce=begun.nonce, verifier=begun.verifier
        )

    def taken(self, name: str, state: str) -> Begun:
        """The signing in that this browser began; it is used up. Raises SignOnFailed."""
        begun = self._begun.pop(_digest(name), None)
        fresh = begun is not None and self._clock() - begun.since <= LASTS_SECONDS
        if begun is None or not fresh or not secrets.compare_digest(_digest(begun.state), _digest(state)):
            raise SignOnFailed(
                "this signing in was not begun here, or took too long: begin it again", field="state"
            )
        return begun

    async def subject(self, begun: Begun, given: Mapping[str, str]) -> str:
        """Who came back, as the approvers file calls them. Raises SignOnFailed, ProviderAway."""
        return await self.provider.subject(
            given, back=begun.back, nonce=begun.nonce, verifier=begun.verifier
        )

    def signer_for(self, name: str) -> Signer:
        """What an approver says is signed by the console: they have no key here."""
        return Signer(name, self.voucher.key, self.voucher.name)


def make_sign_on(settings: Settings) -> SignOn | None:
    """None where no provider is set. Raises ConfigError."""
    own = settings.console
    if own.oidc is None or own.voucher is None or own.voucher_token_file is None:
        return None
    try:
        from guardtier_workers.console.access.provider import Provider
    except ImportError as error:
        raise ConfigError(
            f"console.oidc needs {error.name}: pip install 'guardtier[oidc]'", field="console.oidc"
        ) from error
    try:
        if own.voucher_token_file.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH):
            raise ConfigError(
                "everybody on this machine can read the voucher's token, and so answer for all that it "
                f"vouches for: chmod 600 {own.voucher_token_file}",
                field="console.voucher_token_file",
            )
        token = own.voucher_token_file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"the voucher's token can't be read: {error}", field="console.voucher_token_file"
        ) from error
    return SignOn(Provider(own.oidc), Signer.with_token(own.voucher, token))


def _digest(text: str) -> str:
    return sha256(text.encode(errors="replace")).hexdigest()
