"""Where the audit trail of a tier that ``up`` runs is exported to, and where commands look for it."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from guardtier.settings import Settings
from guardtier_workers.cli.state import StateDir
from guardtier_workers.cli.tier import shown_url


def folder_for(state: StateDir, *, data: Path | None, redis_url: str | None) -> Path:
    """A folder for each Redis: behind another one's lines, a chain that begins with 1 would be a fault.

    An embedded Redis without data of its own begins anew with each ``up``, and so does its folder.
    """
    if redis_url is not None:
        name = f"redis-{_mark(shown_url(redis_url))}"
    elif data is not None:
        name = f"data-{_mark(str(data.absolute()))}"
    else:
        name = f"run-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    return (state.path / "audit" / name).absolute()


def folder_of(given: Path | None, settings: Settings) -> Path | None:
    """Where the export is: as told, as set, of the tier that runs, of the one that ran last; else None."""
    if given is not None or settings.audit_dir is not None:
        return given or settings.audit_dir
    state = StateDir()
    running = state.running()
    if running is not None and running.audit_dir is not None:
        return Path(running.audit_dir)
    found = [path for path in (state.path / "audit").glob("*") if path.is_dir()]
    return max(found, key=lambda path: path.stat().st_mtime, default=None)


def keys_of(folder: Path) -> str | None:
    """The public keys for an export of ``up``: those beside it, where they are."""
    file = StateDir().verdict_keys_file
    return str(file) if file.exists() and file.parent in folder.absolute().parents else None


def _mark(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:12]
