"""Word: where the console of ``guardtier up`` listens, left in the state directory for its owner."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

FILE = "console.json"


class Word(BaseModel):
    """``url`` ends with a slash."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    pid: int
    url: str


@contextmanager
def left_word(state_dir: Path | None, url: str) -> Iterator[None]:
    """Leave word for as long as the block lasts; without a state directory, none."""
    if state_dir is None:
        yield
        return
    file = state_dir / FILE
    draft = state_dir / f"{FILE}.{os.getpid()}"
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        out.write(Word(pid=os.getpid(), url=url).model_dump_json())
    draft.replace(file)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def word_in(state_dir: Path) -> Word | None:
    """What was left there; None: nothing that can be read."""
    try:
        return Word.model_validate_json((state_dir / FILE).read_bytes())
    except (OSError, ValidationError):
        return None
