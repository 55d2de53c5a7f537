"""axe-core, as vendored, on the page as it stands."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from playwright.async_api import Page

SOURCE = Path(__file__).with_name("vendor") / "axe.min.js"
SERIOUS = ("serious", "critical")

_RUN = """
async () => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  return violations.flatMap(({ id, impact, help, nodes }) => nodes.map((node) => (
    { id, impact, help, target: node.target.join(" "), failureSummary: node.failureSummary })));
}
"""


@cache
def _source() -> str:
    return SOURCE.read_text(encoding="utf-8")


async def violations(page: Page) -> list[str]:
    """Each serious or critical violation of WCAG 2 or good practice, with its element."""
    if not await page.evaluate("typeof axe === 'object'"):
        await page.evaluate(_source())
    found = await page.evaluate(_RUN)
    return [
        f"{one['id']} ({one['impact']}): {one['help']}: {one['target']}\n{one['failureSummary']}"
        for one in found
        if one["impact"] in SERIOUS
    ]
