"""Archive: a copy of an export's lines in a database, with columns to search by.

It is filled from the files, at its own pace: where it is away, nothing is lost and nothing waits for it.
The columns are for search alone; what counts, and is verified, is the line as it stands in the file.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

from guardtier.errors import ConfigError, TierUnavailable
from guardtier.store.chain import lines
from guardtier_workers.trail.copying import aside
from guardtier_workers.trail.files import file_of, line_at, lines_from
from guardtier_workers.trail.folder import Folder
from guardtier_workers.trail.lines import Kind
from guardtier_workers.trail.table import (
    LINES,
    LONGEST,
    METADATA,
    engine_at,
    postgresql,
    row_of,
    sa,
    sqlite,
)
from guardtier_workers.trail.verify import Raw

log = logging.getLogger(__name__)

BATCH = 1000  #: lines of one transaction
LOOK_SECONDS = 60.0  #: so often it is looked at while nothing comes


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for; None: whatever. Times are ms since 1970, ``until`` is not part of it."""

    fleet: str | None = None
    event: str | None = None
    action: str | None = None
    agent: str | None = None
    approver: str | None = None
    text: str | None = None
    since: int | None = None
    until: int | None = None
    limit: int = 100


class Archive:
    """One database. Its methods block, but for :meth:`catch_up`."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._made = False
        self.moves = 0  #: transactions that are done
        self._copied = 0
        self._look_at = 0.0
        self._have: int | None = None  #: the last line that we know to be there; None: to be found out
        self._place: tuple[str, int] | None = None  #: file and offset behind what was copied
        self._before = 0  #: the line that stands before that place
        self._inode: tuple[int, int] | None = None  #: of the file that is copied to
        self._differs = False  #: whether another line stands where one was to be written
        self.strange: str | None = None  #: what stands there that the files have not

    @classmethod
    def at(cls, url: str) -> Archive:
        """``sqlite:///file`` or ``postgresql+psycopg://…``. Raises ConfigError for what is neither."""
        return cls(engine_at(url))

    @classmethod
    def there(cls, url: str) -> Archive:
        """The same, to read from. Makes nothing: raises ConfigError where nothing was ever copied to it."""
        made = cls.at(url)
        try:
            made._look()
        except BaseException:
            made.close()
            raise
        return made

    @property
    def name(self) -> str:
        """Its URL without the password."""
        return self._engine.url.render_as_string(hide_password=True)

    @property
    def file(self) -> Path | None:
        """The file that it is; None for what is none."""
        name = self._engine.url.database or ""
        is_file = self._engine.url.get_backend_name() == "sqlite" and not name.startswith((":", "file:"))
        return Path(name) if is_file else None

    def is_made(self) -> bool:
        """Whether its table is there. Makes nothing."""
        if self.file is None or self.file.is_file():  # else SQLite would make it
            with self._connected() as connection:
                self._made = sa.inspect(connection).has_table(LINES.name)
        return self._made

    def _look(self) -> None:
        if not self.is_made():
            says = (
                f"no audit trail was ever copied to {self.name}: it has no table {LINES.name}. Another one?"
            )
            raise ConfigError(says, field="sql")

    @contextmanager
    def _connected(self) -> Iterator[sa.Connection]:
        """A connection. What the database says is raised as TierUnavailable."""
        try:
            with self._engine.connect() as connection:
                yield connection
        except sa.exc.DBAPIError as error:
            says = str(error.orig).strip()
            raise TierUnavailable(f"the database {self.name} can't be used: {says}") from error

    def close(self) -> None:
        self._engine.dispose()

    async def catch_up(self, folder: Folder) -> None:
        """Copy what the files have and the database has not."""
        if self._copied != folder.end.n or monotonic() > self._look_at:
            self._look_at = monotonic() + LOOK_SECONDS
            await aside(partial(self.copy, folder.path, folder.export, folder.end.n))

    def copy(self, path: Path, export: str, last: int) -> None:
        """Copy an export's lines up to this one. What is there already stays as it is."""
        self._open()
        have, self._have = self._reached(path, export, last), None  # to be found out, where this fails
        if self._place is None or have < self._before:  # it came back with less than it had
            self._place, self._before = (file_of(path, have + 1), 0), 0
        rows: list[dict[str, Any]] = []
        first = None
        for line, place in lines_from(path, *self._place):
            if line.seq > last:
                break
            if line.seq > have:
                first = first or line.seq
                rows.append(row_of(export, line))
            if len(rows) >= BATCH:
                self._insert(rows)
                self.moves += 1
                rows, self._place, self._before = [], place, line.seq
        self._insert(rows)
        self._copied = self._have = max(have, last)
        if have and first and first > have + 1:
            self.strange = (
                f"{lines(have + 1, first - 1)} neither here nor in the files: these were moved away before "
                "they were copied. Put them back, and delete what is here of a greater seq"
            )

    def _open(self) -> None:
        """SQLite does not write to a file that was moved or replaced, and opens no other one by itself."""
        if self._inode is not None and self._inode != self._inode_now():
            log.error("the audit trail's database %s was taken away: what is there is filled", self.name)
            self._engine.dispose()
            self._made, self._have, self._place = False, None, None
        self._make()
        self._inode = self._inode_now()

    def _inode_now(self) -> tuple[int, int] | None:
        try:
            about = self.file.stat() if self.file else None
        except FileNotFoundError:
            about = None
        return (about.st_dev, about.st_ino) if about else None

    def _reached(self, path: Path, export: str, last: int) -> int:
        """Up to which line it has what the files have. What says to be a line that they do not have yet is
        strange, and does not count: the copying would end with it.
        """
        known = self._have
        have = self._greatest(export, last if known is None else known)
        self._differs = self._differs and have == known  # else it is written once more
        if known is None and have:
            mine = line_at(path, have)
            if mine is not None and self._rows(export, have, have) != {have: mine.raw.decode()}:
                have = self._last_like(path, export, self._before_gap(export, have))
        with self._connected() as connection:
            beyond = sa.select(LINES.c.seq).where(LINES.c.export == export, LINES.c.seq > have)
            found = connection.execute(beyond.order_by(LINES.c.seq.desc()).limit(1)).scalar()
        if found is not None:
            self.strange = (
                f"it has a line {found} of export {export} that was not copied: by the files it should end "
                f"with {have}. Somebody else writes there"
            )
        elif not self._differs:
            self.strange = None
        return have

    def _before_gap(self, export: str, last: int) -> int:
        """The line before the first one that is not there."""
        with self._connected() as connection:
            mine = LINES.c.export == export
            first = sa.select(sa.func.min(LINES.c.seq)).where(mine, LINES.c.seq.between(1, last))
            low, high = int(connection.execute(first).scalar() or 1), last
            while low < high:
                middle = (low + high + 1) // 2
                rows = sa.select(sa.func.count()).where(mine, LINES.c.seq.between(low + 1, middle))
                whole = connection.execute(rows).scalar() == middle - low
                low, high = (middle, high) if whole else (low, middle - 1)
        return low

    def _last_like(self, path: Path, export: str, last: int) -> int:
        """The last line up to this one that is as the files have it, where those behind it are not."""
        low, high = 0, last
        while low < high:
            middle = (low + high + 1) // 2
            mine = line_at(path, middle)
            is_like = mine is None or self._rows(export, middle, middle) == {middle: mine.raw.decode()}
            low, high = (middle, high) if is_like else (low, middle - 1)
        return low

    def _rows(self, export: str, first: int, last: int) -> dict[int, str]:
        rows = sa.select(LINES.c.seq, LINES.c.line)
        rows = rows.where(LINES.c.export == export, LINES.c.seq.between(first, last))
        with self._connected() as connection:
            return {int(seq): str(line) for seq, line in connection.execute(rows)}

    def last(self, export: str) -> int:
        """The last line of an export that is here; 0 for none."""
        self._make()
        return self._greatest(export, 2**63 - 1)

    def _greatest(self, export: str, most: int) -> int:
        greatest = sa.select(sa.func.max(LINES.c.seq))
        greatest = greatest.where(LINES.c.export == export, LINES.c.seq.between(1, most))
        with self._connected() as connection:
            return int(connection.execute(greatest).scalar() or 0)

    def exports(self) -> list[str]:
        """Every export that is here."""
        self._make()
        with self._connected() as connection:
            found = connection.execute(sa.select(LINES.c.export).distinct().order_by(LINES.c.export))
            return [str(export) for export in found.scalars()]

    def lines(self, export: str) -> Iterator[tuple[Raw, sa.RowMapping]]:
        """Every line of an export in its order, with its row."""
        query = sa.select(LINES).where(LINES.c.export == export).order_by(LINES.c.seq).limit(BATCH)
        last = None
        while True:
            following = query if last is None else query.where(LINES.c.seq > last)
            with self._connected() as connection:
                page = connection.execute(following).mappings().all()
            for row in page:
                yield Raw(f"sql:{row['seq']}", str(row["line"]).encode()), row
            if len(page) < BATCH:
                return
            last = page[-1]["seq"]

    def search(self, query: Query) -> list[str]:
        """The lines that fit, the newest first. Each is JSON."""
        self._make()
        chosen = sa.select(LINES.c.line).where(LINES.c.kind == Kind.LINE)
        for name in ("fleet", "event", "action", "agent", "approver"):
            value = getattr(query, name)
            if value is not None:
                chosen = chosen.where(LINES.c[name] == value[:LONGEST])
        if query.since is not None:
            chosen = chosen.where(LINES.c.at >= query.since)
        if query.until is not None:
            chosen = chosen.where(LINES.c.at < query.until)
        if query.text is not None:
            chosen = chosen.where(LINES.c.line.contains(query.text, autoescape=True))
        chosen = chosen.order_by(LINES.c.at.desc(), LINES.c.seq.desc()).limit(query.limit)
        with self._connected() as connection:
            return [str(line) for line in connection.execute(chosen).scalars()]

    def _make(self) -> None:
        if self._made:
            return
        try:
            with self._connected() as connection, connection.begin():
                METADATA.create_all(connection)
        except TierUnavailable:
            if not self.is_made():  # else another steward was faster
                raise
        self._made = True

    def _insert(self, rows: Sequence[Mapping[str, Any]]) -> None:
        if not rows:
            return
        insert = postgresql.insert if self._engine.dialect.name == "postgresql" else sqlite.insert
        with self._connected() as connection, connection.begin():
            connection.execute(insert(LINES).on_conflict_do_nothing(), list(rows))
        if self.strange is None:
            return
        given = {int(row["seq"]): row["line"] for row in rows}
        if self._rows(rows[0]["export"], min(given), max(given)) != given:
            self._differs = True
            self.strange = f"a line of {min(given)} to {max(given)} was there before, and is another one"
