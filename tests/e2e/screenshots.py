"""Makes docs/images/: the console's pages with the demo's data. Run it by ``make screenshots``."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.async_api import Browser, Page, expect

from e2e.browsers import launched
from guardtier.approver import ApproverClient
from guardtier.client import GuardClient
from guardtier_workers.cli.stack import Plan, Stack, stack
from guardtier_workers.cli.state import Operator, StateDir
from guardtier_workers.demo.run import POLICY, SECOND
from guardtier_workers.demo.script import Call, calls
from waiting import until

IMAGES = Path(__file__).parents[2] / "docs" / "images"
FLEETS: dict[str, dict[str, Any]] = {"web": {"park_seconds": 1800}, "data": {"park_seconds": 3600}}
SIZES = {1280: 800, 390: 844}
COLOURS = ("light", "dark")


async def main() -> None:
    with TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as free:
        os.environ["GUARDTIER_CONSOLE__PORT"] = str(port := free.getsockname()[1])
        free.close()
        plan = Plan(fleets=FLEETS, policy_file=POLICY, approvers=(SECOND,))
        async with stack(plan, StateDir(Path(folder) / "state")) as running, launched() as browser:
            await _play(running)
            await until(lambda: _answers(port), 90.0)
            await _take_all(browser, running, f"http://127.0.0.1:{port}")


# -- what has happened -------------------------------------------------------------------------


async def _play(running: Stack) -> None:
    """Everything that the demo's agents ask; its approvers answer what they are quick with, twice."""
    script = calls()
    async with AsyncExitStack() as parts:
        where = running.running
        guards = {
            fleet: await parts.enter_async_context(
                GuardClient(where.redis_url, fleet=fleet, partitions=where.partitions, accept_edits=True)
            )
            for fleet in FLEETS
        }
        first = Operator(approver=str(where.approver), token=str(where.token))
        people = [
            await parts.enter_async_context(_client(running, who)) for who in (first, *running.approvers)
        ]
        for call in script:
            await _ask(guards[call.fleet], call, people)
        for call in script:
            if call.answer.do == "approve" or call.answer.people > 1:
                await guards[call.fleet].submit(call.to_action())


async def _ask(guard: GuardClient, call: Call, people: list[ApproverClient]) -> None:
    """One call. Those of whom two are wanted have one approval, and what is left or edited waits."""
    status = await guard.submit(call.to_action())
    if not status.is_waiting:
        return
    answer, who = call.answer, people[-1 if call.answer.people > 1 else 0]
    if answer.do == "approve":
        await who.approve(status.id, reason=answer.reason, remember=answer.remember)
    elif answer.do == "reject":
        await who.reject(status.id, reason=answer.reason)


def _client(running: Stack, who: Operator) -> ApproverClient:
    where = running.running
    return ApproverClient(
        where.redis_url, approver=who.approver, token=who.token, partitions=where.partitions
    )


async def _answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


# -- what it looks like ------------------------------------------------------------------------


async def _take_all(browser: Browser, running: Stack, url: str) -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    for colours in COLOURS:
        for width, height in SIZES.items():
            async with _signed_in(browser, running, url, colours, width, height) as page:
                for name in ("inbox", "detail", "history", "workers"):
                    await _SHOW[name](page)
                    await page.screenshot(
                        path=IMAGES / f"{name}-{colours}-{width}.png", animations="disabled", caret="hide"
                    )


@asynccontextmanager
async def _signed_in(
    browser: Browser, running: Stack, url: str, colours: Any, width: int, height: int
) -> AsyncIterator[Page]:
    context = await browser.new_context(
        base_url=url,
        color_scheme=colours,
        viewport={"width": width, "height": height},
        locale="en-GB",
        timezone_id="UTC",
    )
    async with context:
        page = await context.new_page()
        await page.goto("/login")
        await page.get_by_label("Name", exact=True).fill(str(running.running.approver))
        await page.get_by_label("Token", exact=True).fill(str(running.running.token))
        await page.get_by_role("button", name="Sign in", exact=True).click()
        await page.wait_for_url("**/")
        yield page


async def _inbox(page: Page) -> None:
    await page.goto("/")
    await expect(page.locator("#live")).to_have_attribute("data-state", "live")
    await expect(page.locator("#rows .row").first).to_be_visible()


async def _detail(page: Page) -> None:
    await _inbox(page)
    row = page.locator("#rows .row", has_text="DROP TABLE").first
    chosen = await row.get_attribute("data-id")
    await row.locator(".row-open").click()
    await expect(page.locator("#detail")).to_have_attribute("data-id", str(chosen))
    await expect(page.locator("#live")).to_have_attribute("data-state", "live")


async def _history(page: Page) -> None:
    await page.goto("/history")
    await expect(page.locator("main")).to_contain_text("rejected")


async def _workers(page: Page) -> None:
    await page.goto("/workers")
    await expect(page.locator("main")).to_contain_text("analyzer")


_SHOW = {"inbox": _inbox, "detail": _detail, "history": _history, "workers": _workers}


if __name__ == "__main__":
    asyncio.run(main())
