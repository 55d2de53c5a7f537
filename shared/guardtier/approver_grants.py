"""ApproverGrants: an approver lists what is remembered, and revokes it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from secrets import token_hex
from time import time

from guardtier.action import is_name
from guardtier.answer import key_of
from guardtier.approver_base import ApproverBase
from guardtier.errors import ConfigError
from guardtier.policy.grants import GRANT_ID, Grant
from guardtier.policy.revoking import RevokeRequest
from guardtier.store.grants import KeptGrants


@dataclass(frozen=True, slots=True)
class GrantInUse:
    """A grant as it stands, and how many actions it has released."""

    grant: Grant
    uses: int

    @property
    def left(self) -> int:
        return max(0, self.grant.max_uses - self.uses)


class ApproverGrants(ApproverBase):
    """The part of :class:`ApproverClient` that is about remembered approvals."""

    async def grants(self, fleet: str) -> list[GrantInUse]:
        """The grants that stand for a fleet, those that end first before the others.

        No token is needed. What has expired or was revoked is left out, also what can't be read: it
        releases nothing.
        """
        kept = KeptGrants(self._pipe)
        raw = (await kept.of(_fleet(fleet))).grants
        now = int(time() * 1000)
        found = [grant for one in raw.values() if (grant := _read(one)) and grant.expires_at > now]
        uses = await kept.uses(fleet, [grant.id for grant in found])
        found.sort(key=lambda grant: grant.expires_at)
        return [GrantInUse(grant, uses[grant.id]) for grant in found]

    async def revoke_grant(self, fleet: str, grant: str, *, timeout: float = 30.0) -> None:
        """End a grant: it releases nothing from now on.

        What it has released already is not called back. Raises UnknownGrant, NotAuthorized, GuardTimeout.
        """
        approver, token = self._credentials()
        partition = 0  # any would do: grants are kept for the fleet
        async with self._within(timeout, "look at the grants again before you repeat it"):
            request = RevokeRequest(
                id=f"{token_hex(12)}.{partition}",
                client=self._client_id,
                approver=approver,
                fleet=_fleet(fleet),
                grant=_grant(grant),
                at=int(time() * 1000),
            )
            fields = request.to_fields(request.proof(key_of(token)))
            await self._replies.ask(self._wait(request.id, partition, fields), partition)


def _fleet(fleet: str) -> str:
    if not is_name(fleet):
        raise ConfigError("fleet must be 1 to 64 letters, digits, _ or -", field="fleet")
    return fleet


def _grant(grant: str) -> str:
    if re.fullmatch(GRANT_ID, grant) is None:
        raise ConfigError(f"{grant[:40]!r} is no grant: guardtier grants list shows them", field="grant")
    return grant


def _read(raw: bytes) -> Grant | None:
    try:
        return Grant.from_json(raw)
    except ValueError:
        return None
