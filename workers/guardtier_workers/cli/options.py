"""The options that commands share, declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RedisUrl = Annotated[
    str | None,
    typer.Option(
        "--redis-url",
        metavar="URL",
        help="The tier's Redis. Else GUARDTIER_REDIS_URL, else the tier that `guardtier up` runs.",
        show_default=False,
    ),
]
Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="A TOML file of settings.", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
ApproverName = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="NAME",
        envvar="GUARDTIER_APPROVER",
        help="The approver who answers. Else the operator of `guardtier up`.",
        show_default=False,
    ),
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        metavar="FILE",
        envvar="GUARDTIER_APPROVER_TOKEN_FILE",
        help="Holds the approver's token. Or set GUARDTIER_APPROVER_TOKEN.",
        show_default=False,
    ),
]
Seconds = Annotated[
    float,
    typer.Option("--timeout", metavar="SECONDS", min=0.1, help="How long to wait for the tier."),
]
