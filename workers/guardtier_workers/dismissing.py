"""Dismissing: one is taken out of the approvers file, or given a new token; the rest stays as it is."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from guardtier.answer import key_of
from guardtier.errors import ConfigError
from guardtier_workers.approvers import Approvers, parsed, read
from guardtier_workers.filelock import held, write_whole
from guardtier_workers.rights import EVERY_FLEET, Approver, Right

_ENTRY = re.compile(r"\s*\[\[\s*approver\s*\]\]")
_KEY = re.compile(r"""\s*(key|"key"|'key')\s*=""")


@dataclass(frozen=True, slots=True)
class Loss:
    """What a tier is without once somebody has gone."""

    fleets: tuple[str, ...]  #: nobody can answer for them any more; ``*``: for those that no entry names
    stranded: tuple[str, ...]  #: came by this console alone, and can sign nothing now


def loss(file: Path, name: str) -> Loss:
    """What removing them would cost. Raises ConfigError where there is nobody of this name."""
    return _loss(_known(file, name), name)


def remove(file: Path, name: str) -> Loss:
    """Take them out of the file. Raises ConfigError as :func:`loss`, and where that can't be written."""
    _known(file, name)  # what is wrong with it is told before a lock is made beside it
    file = file.resolve()
    with held(file):
        known = _known(file, name)
        blocks = _blocks(file, known)
        del blocks[1 + _place(known, name)]
        _write(file, blocks, [other for other in known if other.name != name])
    return _loss(known, name)


def rotate(file: Path, name: str) -> str:
    """Give them a new token, which is returned and kept nowhere. The one they had proves nothing then.

    Raises ConfigError as :func:`remove`, and for somebody who has no token.
    """
    _with_token(_known(file, name), name)
    file = file.resolve()
    token = secrets.token_urlsafe(32)
    with held(file):
        known = _known(file, name)
        renewed = _with_token(known, name).model_copy(update={"key": key_of(token).hex()})
        blocks = _blocks(file, known)
        place = _place(known, name)
        blocks[1 + place] = [
            f'key = "{renewed.key}"\n' if _KEY.match(line) else line for line in blocks[1 + place]
        ]
        _write(file, blocks, [*known[:place], renewed, *known[place + 1 :]])
    return token


def _known(file: Path, name: str) -> list[Approver]:
    try:
        known = read(file)
    except OSError as error:
        raise ConfigError(f"{file} can't be read ({error.strerror})", field="file") from error
    if all(other.name != name for other in known):
        raise ConfigError(f"{file} has no approver {name!r}: guardtier approver list", field="name")
    return known


def _with_token(known: Sequence[Approver], name: str) -> Approver:
    found = known[_place(known, name)]
    if not found.key:
        raise ConfigError(
            f"{name} has no token: they come by {', '.join(sorted(found.vouched_by))}", field="name"
        )
    return found


def _place(known: Sequence[Approver], name: str) -> int:
    return next(place for place, found in enumerate(known) if found.name == name)


def _loss(known: Sequence[Approver], name: str) -> Loss:
    rest = [other for other in known if other.name != name]
    before, after = Approvers.of(known), Approvers.of(rest)
    answered = _answered(after)
    lost = set() if EVERY_FLEET in answered else _answered(before) - answered
    stranded = [one.name for one in rest if before.can_sign(one) and not after.can_sign(one)]
    return Loss(tuple(sorted(lost)), tuple(stranded))


def _answered(known: Approvers) -> set[str]:
    """The fleets that somebody can answer for."""
    able = (one for one in known.all() if Right.ANSWER in one.may and known.can_sign(one))
    return {fleet for one in able for fleet in one.fleets}


def _blocks(file: Path, known: Sequence[Approver]) -> list[list[str]]:
    """The lines before the first entry, then those of each, with the comment right above it.

    Raises ConfigError where entries are written in another way.
    """
    blocks: list[list[str]] = [[]]
    for line in file.read_bytes().decode().splitlines(keepends=True):
        if _ENTRY.match(line):
            block: list[str] = []
            while blocks[-1] and blocks[-1][-1].lstrip().startswith("#"):
                block.insert(0, blocks[-1].pop())
            blocks.append(block)
        blocks[-1].append(line)
    if len(blocks) != 1 + len(known):
        raise _by_hand(file)
    return blocks


def _write(file: Path, blocks: Sequence[Sequence[str]], meant: list[Approver]) -> None:
    """Write it, where it says then what is meant, and nothing else. Raises ConfigError."""
    text = "".join(line for block in blocks for line in block)
    try:
        says = parsed(text, file)
    except ConfigError:
        raise _by_hand(file) from None
    if says != meant:
        raise _by_hand(file)
    write_whole(file, text, 0o600, like=file.stat())


def _by_hand(file: Path) -> ConfigError:
    return ConfigError(
        f"{file} is not written as one [[approver]] block for each, a key a line: change it by hand",
        field="file",
    )
