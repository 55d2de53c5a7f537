"""Trap: says whether anything that was stored came to life in a page."""

from __future__ import annotations

from typing import Any, Final

from playwright.async_api import BrowserContext, Page

#: Before any script of the page: what payloads call, and what the content security policy stopped.
SET: Final = """
(() => {
  const caught = [];
  Object.defineProperty(window, "caught", { value: caught });
  Object.defineProperty(window, "ran", { value: (n) => caught.push(`payload ${n} ran`) });
  document.addEventListener("securitypolicyviolation", ({ violatedDirective, sample, blockedURI }) =>
    caught.push(`only the policy stopped it: ${violatedDirective} ${sample} ${blockedURI}`));
})();
"""

#: What none of our pages has, so that a payload made it.
NEVER: Final = (
    "iframe, frame, object, embed, base, meta[http-equiv], style, math, [srcdoc], [style], img[src='x'], "
    "script:not([src]), link[rel=stylesheet]:not([href^='/static/']), [hx-get*='logout'], "
    "a[href]:not([href^='/']):not([href^='#']), a[href^='//'], "
    "form[action]:not([action^='/']), form[action^='//']"
)

FOREIGN: Final = """
(never) => {
  const found = [...window.caught];
  const told = (what, element) => found.push(`${what}: ${element.outerHTML.slice(0, 160)}`);
  for (const element of document.querySelectorAll(never)) told("made", element);
  for (const element of document.querySelectorAll("*")) {
    for (const { name } of element.attributes) {
      if (/^(on|hx-on)/i.test(name)) told(name, element);
    }
  }
  return found;
}
"""


async def set_in(context: BrowserContext) -> None:
    """Before its first page is opened."""
    await context.add_init_script(SET)


async def sprung(page: Page) -> list[Any]:
    """What came to life. Right: nothing."""
    found: list[Any] = await page.evaluate(FOREIGN, NEVER)
    return found
