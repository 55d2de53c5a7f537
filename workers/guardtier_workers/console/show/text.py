"""Filters for templates: what agents and people wrote, on a page. Jinja escapes what they return."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from guardtier_workers.cli.safe_text import safe, safe_lines, shortened

FILTERS: Mapping[str, Callable[..., Any]] = {
    "safe_text": safe,
    "safe_lines": safe_lines,
    "shortened": shortened,
}
