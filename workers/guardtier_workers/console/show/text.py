"""Filters for templates: what agents and people wrote, on a page. Jinja escapes what they return."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from guardtier_workers.cli.safe_text import safe, safe_lines, shortened
from guardtier_workers.console.show.marked import one_line
from guardtier_workers.console.show.times import clock_time, iso, moment, span_words

FILTERS: Mapping[str, Callable[..., Any]] = {
    "safe_text": safe,
    "safe_lines": safe_lines,
    "shortened": shortened,
    "one_line": one_line,
    "iso": iso,
    "moment": moment,
    "clock_time": clock_time,
    "span_words": span_words,
}
