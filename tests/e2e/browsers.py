"""The Chromium that this machine has, driven by Playwright, which downloads none."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, async_playwright

#: The first two are the same engine without a browser's windows and profiles: a new person at a new page
#: takes 0.24 s of CPU there, and 0.75 s in a whole Chromium.
NAMES = (
    "chromium-headless-shell",
    "chrome-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)
OVERRIDE = "CHROMIUM"
CLOSE_SECONDS = 60
MISSING = (
    "the browser tests need a Chromium: `apt-get install chromium-headless-shell` (or chromium), or name "
    f"its program in the environment variable {OVERRIDE}"
)

#: It asks no other machine anything: no name resolves, nothing is fetched in the background.
OFFLINE = (
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-sync",
    "--no-first-run",
    "--disable-gpu",
    "--force-color-profile=srgb",
)


class NoBrowser(Exception):
    """There is no Chromium here. The message says how to get one."""


def program() -> str:
    """The path of a Chromium. Raises NoBrowser."""
    named = os.environ.get(OVERRIDE)
    found = shutil.which(named) if named else next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise NoBrowser(f"{named!r} is no program: {MISSING}" if named else MISSING)
    return found


@asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    """A browser without a window, until the block ends. It has no sandbox: root can't make one."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program(), chromium_sandbox=False, args=OFFLINE
        )
        try:
            yield browser
        finally:
            async with asyncio.timeout(CLOSE_SECONDS):  # Playwright's own has none
                await browser.close()
