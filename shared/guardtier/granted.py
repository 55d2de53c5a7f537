"""Granted: the grants that stand for a fleet, a page at a time, those that end first before the others."""

from __future__ import annotations

import re

from guardtier.errors import InvalidAnswer
from guardtier.policy.grant_requests import GrantInUse, GrantsPage
from guardtier.policy.grants import Grant
from guardtier.store.grants import KeptGrants

PAGE = 100  #: grants of one page
PAGE_BYTES = 128 * 1024  #: of them; a page that has reached them ends there

#: Where the next page begins: the end of the last grant, and its id.
_CURSOR = re.compile(r"(\d{1,16}):(g[0-9a-f]{12})")


async def granted_page(kept: KeptGrants, fleet: str, after: str, *, now_ms: int) -> GrantsPage:
    """One page. What has expired, was revoked or can't be read is left out: it releases nothing.

    Raises InvalidAnswer for a cursor that no page has given.
    """
    begins = _place(after)
    page: list[Grant] = []
    room, cursor = PAGE_BYTES, None
    for grant, size in _standing((await kept.of(fleet)).grants, now_ms):
        if (grant.expires_at, grant.id) <= begins:
            continue
        if len(page) == PAGE or room <= 0:
            cursor = f"{page[-1].expires_at}:{page[-1].id}"
            break
        page.append(grant)
        room -= size
    uses = await kept.uses(fleet, [grant.id for grant in page])
    return GrantsPage(
        grants=tuple(GrantInUse(grant=grant, uses=uses[grant.id]) for grant in page), after=cursor
    )


def _standing(raw: dict[str, bytes], now_ms: int) -> list[tuple[Grant, int]]:
    found = [(grant, len(body)) for body in raw.values() if (grant := _read(body)) is not None]
    found = [(grant, size) for grant, size in found if grant.expires_at > now_ms]
    return sorted(found, key=lambda one: (one[0].expires_at, one[0].id))


def _place(after: str) -> tuple[int, str]:
    if not after:
        return 0, ""
    cursor = _CURSOR.fullmatch(after)
    if cursor is None:
        raise InvalidAnswer("after must be what the page before it gave", field="after")
    return int(cursor[1]), cursor[2]


def _read(raw: bytes) -> Grant | None:
    try:
        return Grant.from_json(raw)
    except ValueError:
        return None
