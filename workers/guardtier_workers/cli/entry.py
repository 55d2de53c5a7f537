"""Runs a command: every error becomes one line and an exit code, never a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from guardtier.errors import GuardtierError
from guardtier_workers.cli.exits import Exit, UsageError, exit_code_of, tell
from guardtier_workers.cli.output import ReaderGone


def main(argv: Sequence[str] | None = None) -> None:
    """The program ``guardtier``. Ends the process with the exit code (see ``exits.py``)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    sys.exit(int(run(arguments)))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code."""
    as_json = "--json" in arguments
    try:
        return _invoke(arguments)
    except GuardtierError as error:
        tell(error, as_json=as_json)
        return exit_code_of(error)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except (BrokenPipeError, ReaderGone):
        # Whoever read us has gone. Nothing more can be said, not even by Python at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.ERROR


def _invoke(arguments: list[str]) -> int:
    try:
        from guardtier_workers.cli.app import build
    except ModuleNotFoundError as error:  # what an agent installs has no command line
        missing = (error.name or "").partition(".")[0]
        if missing.startswith("guardtier"):
            raise
        raise UsageError(
            f"the command line needs {missing or 'more'}: pip install 'guardtier[workers]'"
        ) from error
    main_of = build(arguments)
    try:
        code = main_of(args=arguments or ["--help"], prog_name="guardtier", standalone_mode=False)
    except Exception as error:
        if type(error).__name__ == "Abort":  # what click makes of Ctrl-C
            return Exit.INTERRUPTED
        # typer's usage errors are click's, or its own copy of them, by version: known by this.
        format_message = getattr(error, "format_message", None)
        if format_message is None:
            raise
        message = " ".join(str(format_message()).split()).replace("Value error, ", "")
        # The command whose line it is: "guardtier policy set".
        where = getattr(getattr(error, "ctx", None), "command_path", "guardtier")
        raise UsageError(f"{message.rstrip('.')}; see {where} --help") from error
    return code if isinstance(code, int) else Exit.DONE
