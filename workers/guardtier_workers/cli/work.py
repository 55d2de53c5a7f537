"""guardtier worker: one worker in this process, for a process manager to keep alive."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from guardtier_workers.cli.options import Config, Json, RedisUrl
from guardtier_workers.cli.safe_text import json_text
from guardtier_workers.cli.tier import load_settings
from guardtier_workers.health import LOOPBACK
from guardtier_workers.logs import SafeFormatter
from guardtier_workers.logs import log_to_stderr as log_by
from guardtier_workers.worker import HealthAt, Kind, serve


def worker(
    kind: Kind,
    pool: Annotated[
        str | None, typer.Argument(help="The pool's name, for a worker of one.", show_default=False)
    ] = None,
    redis_url: RedisUrl = None,
    config: Config = None,
    health_port: Annotated[
        int | None, typer.Option(metavar="PORT", help="Serve /healthz there; 0: any free port.")
    ] = None,
    health_host: Annotated[str, typer.Option(metavar="HOST")] = LOOPBACK,
    as_json: Json = False,
) -> None:
    """Run one worker until SIGTERM or Ctrl-C; it then finishes what it holds.

    With --json the log is one JSON object a line.
    """
    log_to_stderr(as_json=as_json)
    settings = load_settings(redis_url, config)
    serve(kind.value, settings, HealthAt(health_port, health_host), pool=pool)


def log_to_stderr(*, as_json: bool = False, level: int = logging.INFO) -> None:
    log_by(JsonFormatter() if as_json else SafeFormatter(), level)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and the traceback where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        body = {
            "at": int(record.created * 1000),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            body["traceback"] = self.formatException(record.exc_info)
        return json_text(body)
