"""Templates: how a page is made. What is put into one is escaped; nothing is marked as safe by hand."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from guardtier_workers.console.show.text import FILTERS

FOLDER = Path(__file__).parent.parent

#: Path, what it is called, and what templates call it (``here``).
NAVIGATION = (
    ("/", "Inbox", "inbox"),
    ("/history", "History", "history"),
    ("/grants", "Grants", "grants"),
    ("/policy", "Policy", "policy"),
    ("/workers", "Workers", "workers"),
    ("/fleets", "Fleets", "fleets"),
)


@cache
def environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(FILTERS)
    made.globals["navigation"] = NAVIGATION
    return made


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A page, or a part of one (``_name.html``). ``visitor`` is who asked, None where nobody signed in."""
    values.setdefault("visitor", getattr(request.state, "visitor", None))
    values.setdefault("here", "")
    return HTMLResponse(fragment(template, **values), status)


def fragment(template: str, **values: Any) -> str:
    """The text of a template."""
    return environment().get_template(template).render(values)
