"""rate_text(report): parses a Python text where that is worth it, and scans it where it can't be parsed."""

from __future__ import annotations

import ast
import warnings
from typing import NamedTuple

from guardtier.analyzers.code.cookie import rate_encoding
from guardtier.analyzers.code.prefilter import prefilter
from guardtier.analyzers.code.rate import Rater
from guardtier.analyzers.code.rules import load
from guardtier.analyzers.code.scan import scan
from guardtier.analyzers.code.source import MAX_PARSED, Report
from guardtier.analyzers.code.value import clean
from guardtier.risk import SecurityRisk

MAX_BRACES = 1500  #: in an f-string each costs it 14 µs


def rate_text(report: Report, layer: int = 0) -> bool:
    """Adds what there is to say of the text. False where something may be in it that could not be read."""
    report.text = clean(report.text)
    rate_encoding(report)
    sight = prefilter().look(report.text)
    if sight.writes is not None:
        report.add(
            "python.write.workspace", SecurityRisk.MEDIUM, "Writes files in the workspace.", sight.writes
        )
    if not sight.parse:
        return True
    report.followed = True
    found = parsed(report.text) if _is_small(report.text) else None
    if found is None:
        scan(report)
        return False
    report.above = found.above
    Rater(found.tree, report, load(), layer).run()
    return True


def is_python(text: str) -> bool:
    """Whether it can be parsed; of what is too long for that, whether it may be."""
    return not _is_small(text) or parsed(text) is not None


def _is_small(text: str) -> bool:
    return len(text) <= MAX_PARSED and text.count("{") <= MAX_BRACES


class Parsed(NamedTuple):
    """A tree, in which ``above`` lines stand above the text's first."""

    tree: ast.Module
    above: int = 0


def parsed(text: str) -> Parsed | None:
    """The tree; None where there is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return Parsed(ast.parse(text))
        except IndentationError:
            return _indented(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def _indented(text: str) -> Parsed | None:
    """A text that is all indented, as a block; its columns stay."""
    try:
        return Parsed(ast.parse(f"if 1:\n{text}"), above=1)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
