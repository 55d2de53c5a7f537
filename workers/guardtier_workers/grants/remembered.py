"""Remembered: whether grants cover what would be parked, and the keeping of new ones."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence

import orjson
from redis.exceptions import RedisError

from guardtier.action import ActionEvent
from guardtier.assessment import Assessment
from guardtier.errors import GuardtierError
from guardtier.granted import granted_page
from guardtier.policy.covering import covering
from guardtier.policy.grant_requests import GrantsPage
from guardtier.policy.grants import Grant, Pattern, digest_of_call, saw
from guardtier.policy.ruling import Effect, Ruling
from guardtier.policy.standing import UNREADABLE
from guardtier.settings import Settings
from guardtier.store.connection import connect
from guardtier.store.delivery import Delivery
from guardtier.store.grants import KeptGrants
from guardtier.store.ledger import Circumstances
from guardtier.store.pipe import CommandPipe
from guardtier.store.records import Records
from guardtier_workers.approvers import Approvers
from guardtier_workers.clock import now_ms
from guardtier_workers.facts import check_same
from guardtier_workers.grants.vouched import vouched_for
from guardtier_workers.outbox import Says

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0  #: Redis may take so long to say whether a grant covers an action; then it is parked
MOST_TRIES = 8  #: grants that are found exhausted, or gone, before an action is parked
MOST_FLEETS = 1_000  #: whose grants are remembered here; beyond them each is read anew


class Remembered:
    """Looks grants up, and keeps those that an approval has left. Whatever fails here parks."""

    def __init__(self, settings: Settings, records: Records, approvers: Approvers) -> None:
        self._redis = connect(settings.redis_url)
        self.pipe = CommandPipe(self._redis, insist=False)
        self._kept = KeptGrants(self.pipe)
        self._records = records
        self._approvers = approvers
        self._seen: dict[str, tuple[bytes, tuple[Grant, ...]]] = {}

    async def covering(
        self,
        delivery: Delivery,
        assessment: Assessment,
        ruling: Ruling,
        circumstances: Circumstances,
        *,
        labels: Collection[str] = (),
    ) -> tuple[Grant, ...]:
        """The grants that release an action which would be parked; their use is counted. () for none.

        Never where it was rejected, could not be analyzed, is halted or blocked, or where the policy can't
        be read. ``labels`` are those that its approver must have seen. Never raises.
        """
        if ruling.effect is not Effect.PARK or assessment.failed or UNREADABLE in ruling.version:
            return ()
        if circumstances.halt or circumstances.block or b"!" in circumstances:
            return ()
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                return await self._covering(delivery, assessment, ruling, frozenset(labels))
        except (GuardtierError, RedisError, TimeoutError, OSError) as error:
            log.warning("%s is parked: its grants can't be looked up: %r", delivery.id, error)
        except Exception:
            log.exception("%s is parked: its grants can't be looked up", delivery.id)
        return ()

    async def keep(self, partition: int, action_id: str, body: bytes) -> Says:
        """Keep what an approval has left. Raises ValueError for what is no grant, or no policy worker's."""
        body = vouched_for(body, self._approvers)
        grant = Grant.from_json(body)
        done = await self._kept.keep(grant.fleet, grant.id, body, expires_at=grant.expires_at)
        if done in ("full", "expired"):
            why = f"fleet {grant.fleet} has too many grants: revoke some"
            if done == "expired":  # it was done late, or tried again by somebody
                why = "the grant had ended before it was kept: it covers nothing"
            error = GuardtierError(why, field="grant")
            log.error("%s: %s", action_id, error.message)
            said: list[str | bytes] = ["refused", "by", " ".join(grant.by), "error", error.to_json()]
            return [*said, "fleet", grant.fleet]
        if done == "revoked":  # delivered once more: what was said of it stands
            return None
        details = {"grant": grant.id, "words": grant.words[:1000], "expires_at": grant.expires_at}
        return [
            "granted", "fleet", grant.fleet, "by", " ".join(grant.by), "details", orjson.dumps(details),
        ]  # fmt: skip

    async def revoke(self, fleet: str, grant: str, request: str) -> str:
        """End a grant: ``revoked``, ``gone`` (by another request) or ``unknown``."""
        return await self._kept.revoke(fleet, grant, request)

    async def page(self, fleet: str, after: str) -> GrantsPage:
        """Some of the grants that stand. Raises InvalidAnswer for a cursor that no page has given."""
        return await granted_page(self._kept, fleet, after, now_ms=now_ms())

    async def close(self) -> None:
        await self.pipe.close()
        await self._redis.aclose()

    async def _covering(
        self, delivery: Delivery, assessment: Assessment, ruling: Ruling, labels: frozenset[str]
    ) -> tuple[Grant, ...]:
        fleet, agent = delivery.text(b"fleet"), delivery.text(b"agent")
        tool, conversation = delivery.text(b"tool"), delivery.text(b"conversation") or None
        now = now_ms()
        candidates = [
            grant
            for grant in await self._of(fleet)
            if grant.is_for(tool=tool, agent=agent, conversation=conversation, now_ms=now)
            and grant.is_enough_for(ruling.terms)
            and labels <= frozenset(grant.labels)
            and self._still_may(grant, agent)
        ]
        if not candidates:
            return ()
        action = (await self._records.get(delivery.id)).action
        check_same(delivery, action)
        use = f"{delivery.id} {delivery.entry}"  # an id may come anew once its record is forgotten
        for _ in range(MOST_TRIES):
            found = fitting(candidates, action, assessment)
            if not found or await self._is_stopped(delivery):
                return ()
            done, which = await self._kept.use(fleet, [grant.id for grant in found], use)
            if done == "used":
                return found
            candidates = [grant for grant in candidates if grant.id != which]
        return ()

    async def _is_stopped(self, delivery: Delivery) -> bool:
        """Whether it would come to nothing: a decision is tried first as if no halt or block stood."""
        return await self._records.is_stopped(
            delivery.partition,
            delivery.text(b"fleet"),
            delivery.text(b"agent"),
            delivery.text(b"conversation"),
            delivery.text(b"digest"),
        )

    async def _of(self, fleet: str) -> tuple[Grant, ...]:
        """What is kept for a fleet; read anew where it has changed."""
        version = await self._kept.version(fleet)
        seen = self._seen.get(fleet)
        if seen is not None and seen[0] == version:
            return seen[1]
        if not version:
            self._seen.pop(fleet, None)
            return ()
        kept = await self._kept.of(fleet)
        found = tuple(grant for name, raw in kept.grants.items() if (grant := _read(fleet, name, raw)))
        if len(self._seen) >= MOST_FLEETS:
            self._seen.clear()
        self._seen[fleet] = kept.version, found
        return found

    def _still_may(self, grant: Grant, agent: str) -> bool:
        """Whether all who gave it may still answer for the fleet, and none of them is the agent itself."""
        known = [self._approvers.named(name) for name in grant.by]
        return all(
            one is not None
            and one.may_answer(grant.fleet)
            and one.has_role(grant.roles)
            and self._approvers.can_sign(one)
            and not self._approvers.is_own(one, grant.fleet, agent)
            for one in known
        )


def named(grants: Sequence[Grant]) -> str | None:
    """How a verdict names the grants that released it: their ids with a comma between; None for none."""
    return ",".join(grant.id for grant in grants) or None


def fitting(grants: Sequence[Grant], action: ActionEvent, assessment: Assessment) -> tuple[Grant, ...]:
    """Those of the grants that together cover this action, as it was rated; () for none."""
    whole = digest_of_call(action.tool_name, action.arguments)
    for grant in grants:
        covers = grant.pattern is Pattern.TOOL or (
            grant.pattern is Pattern.EXACT and grant.arguments == whole
        )
        if covers and saw((grant,), assessment):
            return (grant,)
    commands = [grant for grant in grants if grant.pattern is Pattern.COMMAND]
    if not commands:
        return ()
    from guardtier_workers.grants.reading import line_of  # it loads what rates commands

    line = line_of(action)
    if line is None:
        return ()
    commands = [one for one in commands if (one.key, one.arguments) == (line.key, line.rest)]
    found = covering(commands, line.commands) or ()
    return found if saw(found, assessment) else ()


def _read(fleet: str, name: str, raw: bytes) -> Grant | None:
    """A grant as it is kept; None where it is none, or another fleet's."""
    try:
        grant = Grant.from_json(raw)
    except ValueError:
        log.warning("fleet %s: grant %s can't be read, so it covers nothing", fleet, name)
        return None
    return grant if (grant.fleet, grant.id) == (fleet, name) else None
