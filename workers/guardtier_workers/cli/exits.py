"""Exit codes, and how an error is told: one line that says what is wrong and what to do next."""

from __future__ import annotations

import sys
from enum import IntEnum
from typing import Any

from guardtier.errors import (
    ConfigError,
    GuardtierError,
    GuardTimeout,
    InvalidAction,
    InvalidAnswer,
    TierUnavailable,
    TurnedAway,
)
from guardtier_workers.cli.safe_text import json_text, safe


class Exit(IntEnum):
    """What a command's exit code means."""

    DONE = 0  #: done; for submit and check: allowed
    ERROR = 1  #: the tier says no: unknown id, wrong state, not authorized, …
    USAGE = 2  #: the command line or the configuration is wrong
    NOT_ALLOWED = 3  #: rejected, expired, parked (submit --no-wait), would be parked (check)
    UNREACHABLE = 4  #: the tier can't be reached, or there was no answer in time
    INTERRUPTED = 130  #: Ctrl-C


class UsageError(ConfigError):
    """The command line is wrong."""

    code = "usage_error"


def exit_code_of(error: GuardtierError) -> Exit:
    if isinstance(error, (TierUnavailable, GuardTimeout)):
        return Exit.UNREACHABLE
    if isinstance(error, (ConfigError, InvalidAction, InvalidAnswer)):
        return Exit.USAGE
    return Exit.ERROR


def tell(error: GuardtierError, *, as_json: bool) -> None:
    """Write the error to standard error: one line, or one JSON object."""
    if as_json:
        line = json_text({"error": error_body(error)})
    else:
        line = f"guardtier: {safe(error.message)}"
    print(line, file=sys.stderr)


def error_body(error: GuardtierError) -> dict[str, Any]:
    """The error as plain data: code, field, message, the limit where one was broken, when to ask again."""
    body: dict[str, Any] = {"code": error.code, "field": error.field, "message": error.message}
    if error.limit is not None:
        body["limit"] = error.limit
    if isinstance(error, TurnedAway):
        body["retry_after"] = error.retry_after
    return body
