"""The state directory: where ``guardtier up`` leaves word, so that other terminals find its tier.

It holds ``approvers.toml``, the operator's token (``operator.json``), the keys that verdicts are signed
with and verified by, and, while a tier runs, ``up.json``. All of it is for its owner alone: whoever reads
the token may approve, and whoever reads the signing keys may say so.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from guardtier.errors import ConfigError
from guardtier_workers import approvers, keyring
from guardtier_workers.approvers import Right
from guardtier_workers.console.access.word import Word, word_in

OVERRIDE = "GUARDTIER_STATE_DIR"
OPERATOR = "operator"


class Operator(BaseModel):
    """The approver that ``up`` makes, so that the first tier needs no set-up."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    approver: str
    token: str = Field(repr=False)


class Running(BaseModel):
    """What ``up.json`` says of the tier that runs."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    redis_url: str = Field(repr=False)
    partitions: int = 1
    pid: int
    fleets: tuple[str, ...] = ()
    approver: str | None = None
    token: str | None = Field(default=None, repr=False)
    verdict_keys: str | None = None  #: the file of public keys that its verdicts are verified by
    audit_dir: str | None = None  #: the folder that its audit trail is exported to


#: Everything that a person may do.
OPERATES = (Right.ANSWER, Right.CONFIGURE, Right.HALT)


class StateDir:
    """The directory and the files in it. Nothing is made before it is needed."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or _usual_path()
        self.approvers_file = self.path / "approvers.toml"
        self.signing_file = self.path / "signing-keys.json"
        self.verdict_keys_file = self.path / "verdict-keys.json"
        self._up = self.path / "up.json"

    def make(self) -> None:
        """Make the directory, for its owner alone. Raises ConfigError where that can't be."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.chmod(0o700)
        except OSError as error:
            raise ConfigError(
                f"no state directory at {self.path} ({error.strerror}): name another one in {OVERRIDE}",
                field=OVERRIDE,
            ) from error

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the directory for one ``up``. Raises ConfigError where another one runs."""
        self.make()
        with (self.path / "up.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise ConfigError(
                    f"a tier runs from {self.path} already: end it, or give this one a directory of "
                    f"its own with {OVERRIDE}",
                    field=OVERRIDE,
                ) from error
            yield

    def operator(self, called: str = OPERATOR, may: Iterable[Right] = OPERATES) -> Operator:
        """The approver of this name, made at the first call. Raises ConfigError for files that can't be
        read.
        """
        known = approvers.read(self.approvers_file) if self.approvers_file.exists() else []
        names = {approver.name for approver in known}
        file = self.path / f"{called}.json"
        with suppress(OSError, ValidationError):
            kept = Operator.model_validate_json(file.read_bytes())
            if kept.approver in names:
                return kept
        taken = (f"{called}-{number}" for number in range(2, len(names) + 3))
        name = next(name for name in (called, *taken) if name not in names)
        made = Operator(approver=name, token=approvers.add(self.approvers_file, name, may=may))
        _write_private(file, made.model_dump_json())
        return made

    def renewed(self, name: str, token: str) -> None:
        """Keep an approver's new token wherever the one that they had is kept here."""
        for file in self.path.glob("*.json"):
            with suppress(OSError, ValidationError):
                kept = Operator.model_validate_json(file.read_bytes())
                if kept.approver == name:
                    _write_private(file, kept.model_copy(update={"token": token}).model_dump_json())
        running = self.running()
        if running is not None and running.approver == name:
            self.announce(running.model_copy(update={"token": token}))

    def signing_keys(self, named: Path | None) -> Path:
        """The file of signing keys: the one that is named, else ``up``'s own, made at the first call.

        The public keys are written beside it, for this machine's agents. Raises ConfigError.
        """
        file = named or self.signing_file
        if named is None and not file.exists():
            keyring.make(file)
        keyring.publish(file, self.verdict_keys_file)
        return file

    def announce(self, running: Running) -> None:
        """Leave word of the tier that runs."""
        _write_private(self._up, running.model_dump_json())

    def withdraw(self) -> None:
        """Take it back."""
        self._up.unlink(missing_ok=True)

    def console(self) -> Word | None:
        """Where the console of the tier that runs listens; None where none does."""
        found = word_in(self.path)
        return found if found and _lives(found.pid) else None

    def running(self) -> Running | None:
        """The tier that runs; None where none does, also where one was killed and left its word."""
        try:
            found = Running.model_validate_json(self._up.read_bytes())
        except (OSError, ValidationError):
            return None
        return found if _lives(found.pid) else None


def _usual_path() -> Path:
    if override := os.environ.get(OVERRIDE):
        return Path(override)
    if base := os.environ.get("XDG_STATE_HOME"):
        return Path(base) / "guardtier"
    return Path.home() / ".local" / "state" / "guardtier"


def _write_private(file: Path, text: str) -> None:
    """Write for the owner's eyes alone, all of it or nothing."""
    draft = file.with_suffix(".new")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        out.write(text + "\n")
    draft.replace(file)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
