"""What workers log quotes what agents sent: nobody writes a line of their own, and no secret shows."""

from __future__ import annotations

import logging
import sys

import pytest
from pydantic import ValidationError

from guardtier import ActionEvent, Verdict
from guardtier.answer import Answer
from guardtier_workers.logs import SafeFormatter

SECRET = "AKIAIOSFODNN7EXAMPLE"
HOSTILE = "x\n2026-11-21 20:00:00,000 INFO guardtier: all is well\x1b[2J\r\u202e\u2028\x00\ud800"


def logged(message: str, *args: object, error: BaseException | None = None) -> str:
    trace = (type(error), error, None) if error else None
    return SafeFormatter().format(logging.LogRecord("guardtier", 20, "f", 1, message, args, trace))


def test_what_an_agent_wrote_stays_within_its_line() -> None:
    line = logged("answer to %s refused", HOSTILE)

    assert "\n" not in line
    assert line.isprintable()
    assert "x\\n2026" in line
    assert "\\x1b[2J\\r\\u202e\\u2028\\x00\\ud800" in line


def test_an_error_that_quotes_it_makes_no_line_that_looks_like_one() -> None:
    lines = logged("failed", error=ValueError(HOSTILE)).split("\n")

    assert len(lines) > 1
    assert all(line.startswith("    ") and line.isprintable() for line in lines[1:])


def test_plain_words_stay_as_they_are() -> None:
    assert logged("größe %d ✓", 3).endswith(" INFO guardtier: größe 3 ✓")


@pytest.mark.parametrize("model", [ActionEvent, Verdict, Answer])
def test_an_error_does_not_quote_what_was_sent(model: type) -> None:
    with pytest.raises(ValidationError) as refused:
        model.model_validate({"id": ["x", SECRET], "arguments": SECRET, "reason": [SECRET], "more": SECRET})

    try:
        raise refused.value
    except ValidationError:
        said = "".join(logged("failed", error=sys.exception()))
    assert SECRET not in said
