"""What a halt could not stop: what was released or redeemed shortly before it, from the audit stream."""

from __future__ import annotations

from collections.abc import AsyncIterator

from guardtier.errors import GuardtierError
from guardtier.policy.halts import HaltReport, Unstopped
from guardtier.store.records import Records
from guardtier_workers.lane import Lane

LOOK_BACK_MS = 10 * 60_000  #: what was let go earlier is taken to be over
PAGE = 500  #: audit lines of one round trip
PAGES = 40  #: of one report
NAMED = 20  #: actions that are named, the newest; the others are counted
_LET_GO = (b"released", b"redeemed")

Line = tuple[bytes, dict[bytes, bytes]]


async def unstopped(lane: Lane, records: Records, report: HaltReport) -> HaltReport:
    """The report with what was let go before the halt, the newest first. The tier can't take it back.

    The halt is set by now, so nothing can be let go any more that is not on the audit stream here.
    """
    since, found, seen = await lane.ledger.clock() - LOOK_BACK_MS, 0, 0
    newest: list[Unstopped] = []
    oldest = since
    async for entry, line in _lines(lane, since):
        seen += 1
        oldest = _ms(entry)
        if not _is_let_go(report, line):
            continue
        found += 1
        if len(newest) < NAMED:
            newest.append(await _named(records, entry, line))
    complete = seen < PAGE * PAGES
    return report.model_copy(
        update={
            "unstopped": found,
            "newest": tuple(newest),
            "complete": complete,
            "since": since if complete else oldest,
        }
    )


async def _lines(lane: Lane, since: int) -> AsyncIterator[Line]:
    """The audit stream backwards, a bounded number of lines."""
    last = "+"
    for _ in range(PAGES):
        page: list[Line] = await lane.redis.xrevrange(lane.keys.audit, last, since, count=PAGE)
        for line in page:
            yield line
        if len(page) < PAGE:
            return
        last = f"({page[-1][0].decode()}"


def _is_let_go(report: HaltReport, line: dict[bytes, bytes]) -> bool:
    if line.get(b"event") not in _LET_GO:
        return False
    conversation = _text(line, b"conversation") or None
    return report.scope.covers(_text(line, b"fleet"), _text(line, b"agent"), conversation)


async def _named(records: Records, entry: bytes, line: dict[bytes, bytes]) -> Unstopped:
    action_id = _text(line, b"id")
    try:
        tool = (await records.get(action_id)).action.tool_name
    except GuardtierError:
        tool = ""  # its record is gone
    return Unstopped(
        id=action_id, event=_text(line, b"event"), agent=_text(line, b"agent"), tool=tool, at=_ms(entry)
    )


def _text(line: dict[bytes, bytes], name: bytes) -> str:
    return line.get(name, b"").decode(errors="backslashreplace")


def _ms(entry: bytes) -> int:
    return int(entry.partition(b"-")[0])
