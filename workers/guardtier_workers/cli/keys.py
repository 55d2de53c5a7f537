"""guardtier keys: the keys that verdicts are signed with, and what agents are given of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from guardtier.errors import ConfigError
from guardtier.keyfile import Key, clock_text, ms_of, public_json, read_private
from guardtier.verifying import Verifier
from guardtier_workers import keyring
from guardtier_workers.cli.exits import Exit, UsageError
from guardtier_workers.cli.options import Config, Json
from guardtier_workers.cli.output import cell, console, emit, note, say, table
from guardtier_workers.cli.state import StateDir
from guardtier_workers.cli.tier import load_settings
from guardtier_workers.clock import now_ms

File = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="The signing keys. Else signing_key_file, else that of up."),
]
Public = Annotated[
    Path | None,
    typer.Option("--public", metavar="FILE", help="The public keys that agents have. Else that of up."),
]
Days = Annotated[int | None, typer.Option(min=1, max=3660, help="It ends then; else when it is rotated.")]


def new(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Made for its owner alone.")],
    days: Days = None,
    as_json: Json = False,
) -> None:
    """Make a file with a new signing key."""
    key = keyring.make(file, until=_in_days(days))
    if as_json:
        emit({"file": str(file), "key": _body(key)})
        return
    say(key.id)
    note(f"for policy workers and stewards: signing_key_file = {file}")
    note("for agents: guardtier keys public --file … > verdict-keys.json, and GUARDTIER_VERDICT_KEYS to it")


def list_keys(file: File = None, config: Config = None, as_json: Json = False) -> None:
    """List the signing keys and their times."""
    keys = read_private(_file(file, config), tending=True)
    if as_json:
        emit({"keys": [_body(key) for key in keys]})
        return
    listed = table(("key", "", "from", "until"))
    for key in keys:
        listed.add_row(cell(key.id), cell(_role(key, keys)), cell(_time(key.since)), cell(_time(key.until)))
    console().print(listed)


def public(file: File = None, config: Config = None) -> None:
    """Print the public keys as JSON: what agents verify by. It holds nothing that is secret."""
    emit(orjson.loads(public_json(read_private(_file(file, config), tending=True))))


def rotate(
    file: File = None,
    public_file: Public = None,
    after: Annotated[
        float, typer.Option("--after", metavar="SECONDS", min=0, help="The new key signs from then on.")
    ] = 3600,
    keep: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", min=0, help="The old ones are believed for so long then."),
    ] = None,
    now: Annotated[bool, typer.Option("--now", help="The new key signs at once.")] = False,
    revoke: Annotated[
        bool, typer.Option("--revoke", help="A key was stolen: the old ones go, and all they signed.")
    ] = False,
    days: Days = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Add a key. The old ones end once what they signed is over."""
    if revoke and keep is not None:
        raise UsageError("--revoke keeps no old key: leave --keep out")
    settings = load_settings(None, config)
    where, state = _file(file, config), StateDir()
    lasts = max(settings.retain_seconds, settings.approved_seconds or 0) if keep is None else keep
    told = public_file or _public_of_up(where, state)
    keys = keyring.rotate(
        where,
        starts_in=timedelta(seconds=0 if now else after),
        keep=timedelta(seconds=lasts),
        until=_in_days(days),
        revoke=revoke,
        public=told,
    )
    if as_json:
        emit({"file": str(where), "public": str(told) if told else None, "keys": [_body(k) for k in keys]})
        return
    say(keys[-1].id)
    note(f"it signs from {_time(keys[-1].since) or 'now'} on; running workers see it within a second")
    if told is None:
        note("give agents its public key before: guardtier keys public")
    else:
        note(f"agents that read {told} know it already")


def check(
    file: File = None, public_file: Public = None, config: Config = None, as_json: Json = False
) -> int:
    """Look whether the keys can be used, and whether agents have them. Exits 1 where something fails."""
    where, state = _file(file, config), StateDir()
    keys = read_private(where, tending=True)
    told = public_file or _public_of_up(where, state)
    found = list(keyring.complaints(keys, Verifier(file=told) if told else Verifier.of(None)))
    signs = keyring.newest(keys, now_ms())
    if as_json:
        wrong = [{"grade": "failure" if fails else "warning", "says": says} for fails, says in found]
        emit({"file": str(where), "signs": signs.id if signs else None, "checks": wrong})
    else:
        if signs is not None:
            say(f"key {signs.id} of {where} signs")
        for _, says in found:
            say(says)
    return Exit.ERROR if any(fails for fails, _ in found) else Exit.DONE


def _file(file: Path | None, config: Path | None) -> Path:
    """The file that is meant. Raises ConfigError where none is named and ``up`` has made none."""
    found = file or load_settings(None, config).signing_key_file
    if found is not None:
        return found
    own = StateDir().signing_file
    if not own.exists():
        raise ConfigError(
            "no signing keys: name a file with --file, or make one with guardtier keys new FILE",
            field="signing_key_file",
        )
    return own


def _public_of_up(file: Path, state: StateDir) -> Path | None:
    """The public file that goes with these signing keys, where they are those of up, however spelled."""
    return state.verdict_keys_file if file.resolve() == state.signing_file.resolve() else None


def _in_days(days: int | None) -> datetime | None:
    return None if days is None else datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)


def _time(moment: datetime | None) -> str:
    return "" if moment is None else clock_text(ms_of(moment))


def _role(key: Key, keys: list[Key]) -> str:
    now = now_ms()
    if key.until_ms is not None and key.until_ms <= now:
        return "over"
    if key.since_ms > now:
        return "signs later"
    return "signs" if key == keyring.newest(keys, now) else "verifies"


def _body(key: Key) -> dict[str, Any]:
    return key.alone.model_dump(mode="json", by_alias=True, exclude={"private"})
