"""Visitor: who sent a request, and what of the tier they see."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import HTTPConnection

from guardtier import ApproverClient
from guardtier.errors import NotAuthorized
from guardtier.look import Me
from guardtier.signer import Signer
from guardtier_workers.console.access.sessions import Session
from guardtier_workers.console.console import console_of

#: Somebody who looks without signing in (``console.open_to_viewers``).
ANYBODY = Me(name="viewer", principal="viewer", fleets=("*",), may=("see",))


@dataclass(frozen=True, slots=True)
class Visitor:
    """``signer``: None for somebody who may look alone. ``session``: None for a program's request."""

    me: Me
    signer: Signer | None = None
    session: Session | None = None

    @property
    def role(self) -> str:
        """The strongest thing that they may do: viewer, approver, operator or admin."""
        may = set(self.me.may)
        ranks = (("configure", "admin"), ("halt", "operator"), ("answer", "approver"))
        return next((role for right, role in ranks if right in may), "viewer")

    @property
    def csrf(self) -> str:
        return self.session.csrf if self.session else ""


def visitor_of(connection: HTTPConnection) -> Visitor:
    """Who sent the request. Raises NotAuthorized where nobody has signed in."""
    found: Visitor | None = getattr(connection.state, "visitor", None)
    if found is None:
        raise NotAuthorized("sign in first", field="credentials")
    return found


def client_of(connection: HTTPConnection) -> ApproverClient:
    """The tier, in the visitor's name. Raises NotAuthorized for somebody who may look alone."""
    visitor = visitor_of(connection)
    if visitor.signer is None:
        raise NotAuthorized("whoever has not signed in may look, and nothing else", field="credentials")
    return console_of(connection).tier.acting(visitor.signer)
