"""Links: one-time ways in for whoever may read the state directory of ``guardtier up``: its owner.

``guardtier console`` leaves a file that only the owner reads, and prints the code that finds it. The
console takes the file, once. So no token goes to whatever may listen at the console's address, and
the code is of no use to whoever sees it afterwards.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from time import time

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from guardtier.errors import ConfigError, NotAuthorized
from guardtier.signer import Signer

LASTS_SECONDS = 60
FOLDER = "links"


class _Link(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    approver: str
    key: str = Field(repr=False)
    until: float  #: seconds since 1970


class Links:
    """In a folder of the state directory; ``state_dir`` itself is for its owner alone."""

    def __init__(self, state_dir: Path) -> None:
        self._folder = state_dir / FOLDER

    def make(self, signer: Signer) -> str:
        """A code that lets them in once, within a minute. Raises ConfigError where it can't be kept."""
        code = secrets.token_urlsafe(32)
        link = _Link(approver=signer.name, key=signer.key.hex(), until=time() + LASTS_SECONDS)
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            self._forget(older_than=time() - LASTS_SECONDS)
            handle = os.open(self._file(code), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as out:
                out.write(link.model_dump_json())
        except OSError as error:
            raise ConfigError(f"the link can't be kept: {error}", field="console.state_dir") from error
        return code

    def take(self, code: str, name: str) -> Signer:
        """Whom the code lets in; it is used up. Raises NotAuthorized.

        ``name`` is whom the page spoke of: a link that says one name and lets in another is refused.
        """
        self._forget(older_than=time() - LASTS_SECONDS)
        file = self._file(code)
        taken = file.with_name(f"{secrets.token_hex(16)}.taken")
        gone = NotAuthorized(
            f"this link was used, or is over {LASTS_SECONDS} seconds old: guardtier console prints another",
            field="code",
        )
        try:
            file.rename(taken)  # of two who come at once, one gets it
            raw = taken.read_bytes()
            taken.unlink()
            link = _Link.model_validate_json(raw)
        except (OSError, ValidationError):
            raise gone from None
        if link.approver != name or link.until < time():
            raise gone
        return Signer(link.approver, bytes.fromhex(link.key))

    def _file(self, code: str) -> Path:
        return self._folder / f"{sha256(code.encode(errors='replace')).hexdigest()}.link"

    def forget_all(self) -> None:
        """The console ends: no link leads anywhere."""
        self._forget(older_than=float("inf"))

    def _forget(self, *, older_than: float) -> None:
        with suppress(OSError):
            for file in list(self._folder.iterdir()):
                with suppress(FileNotFoundError):
                    if file.stat().st_mtime < older_than:
                        file.unlink()
