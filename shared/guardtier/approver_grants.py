"""ApproverGrants: an approver lists what is remembered, and revokes it."""

from __future__ import annotations

import re
from secrets import token_hex
from time import time
from typing import Any, TypeVar

from guardtier.action import is_name
from guardtier.approver_base import ApproverBase
from guardtier.errors import ConfigError
from guardtier.granted import granted_page
from guardtier.policy.grant_requests import GrantInUse, GrantsPage, GrantsRequest, RevokeRequest
from guardtier.policy.grants import GRANT_ID
from guardtier.policy.request import SignedRequest
from guardtier.store.grants import KeptGrants

PARTITION = 0  #: any would do: grants are kept for the fleet

_Request = TypeVar("_Request", bound=SignedRequest)


class ApproverGrants(ApproverBase):
    """The part of :class:`ApproverClient` that is about remembered approvals."""

    async def grants(self, fleet: str, *, timeout: float = 30.0) -> list[GrantInUse]:
        """The grants that stand for a fleet, those that end first before the others.

        With a token a policy worker shows them, to approvers of the fleet; without one they are read
        from Redis. What has expired or was revoked is left out, also what can't be read: it releases
        nothing. ``timeout`` is for each page of 100. Raises NotAuthorized, GuardTimeout.
        """
        found: list[GrantInUse] = []
        after: str | None = ""
        while after is not None:
            page = await self.grants_page(fleet, after, timeout=timeout)
            found += page.grants
            after = page.after
        return found

    async def grants_page(self, fleet: str, after: str = "", *, timeout: float = 30.0) -> GrantsPage:
        """At most 100 of them, behind the cursor that the page before gave. Raises as :meth:`grants`."""
        if self._signer is None:
            return await granted_page(
                KeptGrants(self._pipe), _fleet(fleet), after, now_ms=int(time() * 1000)
            )
        return GrantsPage.model_validate_json(
            await self._request(GrantsRequest, timeout, {"fleet": _fleet(fleet), "after": after})
        )

    async def revoke_grant(self, fleet: str, grant: str, *, timeout: float = 30.0) -> None:
        """End a grant: it releases nothing from now on.

        What it has released already is not called back. Raises UnknownGrant, NotAuthorized, GuardTimeout.
        """
        asked = {"fleet": _fleet(fleet), "grant": _grant(grant)}
        await self._request(RevokeRequest, timeout, asked)

    async def _request(self, kind: type[_Request], timeout: float, asked: dict[str, Any]) -> bytes:
        """Sign and send it; the body of the answer. Raises what it is refused with."""
        signer = self._credentials()
        async with self._within(timeout, "the grants again"):
            request = kind(
                id=f"{token_hex(12)}.{PARTITION}",
                client=self._client_id,
                approver=signer.name,
                at=int(time() * 1000),
                **asked,
            )
            fields = request.to_fields(signer.proof(request))
            reply = await self._replies.ask(self._wait(request.id, PARTITION, fields), PARTITION)
        return reply.body or b""


def _fleet(fleet: str) -> str:
    if not is_name(fleet):
        raise ConfigError("fleet must be 1 to 64 letters, digits, _ or -", field="fleet")
    return fleet


def _grant(grant: str) -> str:
    if re.fullmatch(GRANT_ID, grant) is None:
        raise ConfigError(f"{grant[:40]!r} is no grant: guardtier grants list shows them", field="grant")
    return grant
