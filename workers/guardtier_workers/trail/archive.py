"""Archive: a copy of an export's lines in a database, with columns to search by.

It is filled from the files, at its own pace: where it is away, nothing is lost and nothing waits for it.
The columns are for search alone; what counts, and is verified, is the line as it stands in the file.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from guardtier.errors import ConfigError, TierUnavailable
from guardtier.store.chain import Chained
from guardtier_workers.trail.files import file_of, files_in, line_at
from guardtier_workers.trail.folder import Folder
from guardtier_workers.trail.lines import Kind, Sealed, entry_of, number
from guardtier_workers.trail.verify import Raw

try:
    import sqlalchemy as sa
    from sqlalchemy.dialects import postgresql, sqlite
except ImportError as missing:
    raise ConfigError(
        "a database for the audit trail needs SQLAlchemy: pip install 'guardtier[archive]', for PostgreSQL "
        "'guardtier[postgres]'",
        field="audit_sql",
    ) from missing

log = logging.getLogger(__name__)

BATCH = 1000  #: lines of one transaction
LOOK_SECONDS = 60.0  #: so often it is looked at while nothing comes
LONGEST = 200  #: characters of a column that is searched by; the line has all of it

_METADATA = sa.MetaData()
LINES = sa.Table(
    "guardtier_audit",
    _METADATA,
    sa.Column("export", sa.String(16), primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("partition", sa.Integer),
    sa.Column("entry", sa.String(64)),
    sa.Column("n", sa.BigInteger),
    sa.Column("at", sa.BigInteger),  # ms since 1970
    sa.Column("event", sa.String(LONGEST)),
    sa.Column("action", sa.String(LONGEST)),  # its id, or the request's
    sa.Column("fleet", sa.String(LONGEST)),
    sa.Column("agent", sa.String(LONGEST)),
    sa.Column("approver", sa.String(LONGEST)),
    sa.Column("digest", sa.String(LONGEST)),
    sa.Column("policy", sa.String(LONGEST)),
    sa.Column("line", sa.Text, nullable=False),
    sa.Index("guardtier_audit_at", "at"),
    sa.Index("guardtier_audit_action", "action"),
    sa.Index("guardtier_audit_fleet", "fleet", "at"),
    sa.Index("guardtier_audit_event", "event", "at"),
    sa.Index("guardtier_audit_approver", "approver", "at"),
    sa.Index("guardtier_audit_n", "partition", "n"),
)
_FIELDS = {"event": "event", "action": "id", "fleet": "fleet", "agent": "agent", "approver": "by"}
_FIELDS |= {"digest": "digest", "policy": "policy"}


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
        self._copied = 0
        self._look_at = 0.0
        self._have: int | None = None  #: the last line that we know to be there; None: to be found out
        self._place: tuple[str, int] | None = None  #: file and offset behind what was copied
        self._before = 0  #: the line that stands before that place
        self._differs = False  #: whether another line stands where one was to be written
        self.strange: str | None = None  #: what stands there that the files have not

    @classmethod
    def at(cls, url: str) -> Archive:
        """``sqlite:///file`` or ``postgresql+psycopg://…``. Raises ConfigError for what is neither."""
        try:
            found = sa.make_url(url)
            if found.get_backend_name() not in ("sqlite", "postgresql"):
                raise ConfigError("audit_sql: a URL of sqlite or postgresql, please", field="audit_sql")
            return cls(sa.create_engine(found, pool_pre_ping=True, hide_parameters=True))
        except ConfigError:
            raise
        except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError, ImportError) as error:
            raise ConfigError(
                f"audit_sql: {type(error).__name__}: PostgreSQL is postgresql+psycopg://… and needs "
                "pip install 'guardtier[postgres]'",
                field="audit_sql",
            ) from error

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

    def _look(self) -> None:
        where, file = self._engine.url, self._engine.url.database or ""
        a_file = where.get_backend_name() == "sqlite" and not file.startswith((":", "file:"))
        try:
            if not a_file or Path(file).is_file():  # else SQLite would make it
                self._made = sa.inspect(self._engine).has_table(LINES.name)
        except sa.exc.OperationalError as error:
            raise self._away(error) from error
        if not self._made:
            name = where.render_as_string(hide_password=True)
            says = f"no audit trail was ever copied to {name}: it has no table {LINES.name}. Another one?"
            raise ConfigError(says, field="sql")

    def _away(self, error: sa.exc.OperationalError) -> TierUnavailable:
        where = self._engine.url.render_as_string(hide_password=True)
        return TierUnavailable(f"the database {where} can't be used: {error.orig}")

    def close(self) -> None:
        self._engine.dispose()

    async def catch_up(self, folder: Folder) -> None:
        """Copy what the files have and the database has not."""
        if self._copied != folder.end.n or monotonic() > self._look_at:
            self._look_at = monotonic() + LOOK_SECONDS
            await asyncio.to_thread(self.copy, folder.path, folder.export, folder.end.n)

    def copy(self, path: Path, export: str, last: int) -> None:
        """Copy an export's lines up to this one. What is there already stays as it is."""
        self._make()
        have, self._have = self._reached(path, export, last), None  # to be found out, where this fails
        if self._place is None or have < self._before:  # it came back with less than it had
            self._place, self._before = (file_of(path, have + 1), 0), 0
        rows: list[dict[str, Any]] = []
        for line, place in _lines_from(path, *self._place):
            if line.seq > last:
                break
            if line.seq > have:
                rows.append(row_of(export, line))
            if len(rows) >= BATCH:
                self._insert(rows)
                rows, self._place, self._before = [], place, line.seq
        self._insert(rows)
        self._copied = self._have = max(have, last)

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
        with self._engine.connect() as connection:
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
        with self._engine.connect() as connection:
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
        with self._engine.connect() as connection:
            return {int(seq): str(line) for seq, line in connection.execute(rows)}

    def last(self, export: str) -> int:
        """The last line of an export that is here; 0 for none."""
        self._make()
        return self._greatest(export, 2**63 - 1)

    def _greatest(self, export: str, most: int) -> int:
        greatest = sa.select(sa.func.max(LINES.c.seq))
        greatest = greatest.where(LINES.c.export == export, LINES.c.seq.between(1, most))
        with self._engine.connect() as connection:
            return int(connection.execute(greatest).scalar() or 0)

    def exports(self) -> list[str]:
        """Every export that is here."""
        self._make()
        with self._engine.connect() as connection:
            found = connection.execute(sa.select(LINES.c.export).distinct().order_by(LINES.c.export))
            return [str(export) for export in found.scalars()]

    def lines(self, export: str) -> Iterator[tuple[Raw, sa.RowMapping]]:
        """Every line of an export in its order, with its row."""
        query = sa.select(LINES).where(LINES.c.export == export).order_by(LINES.c.seq).limit(BATCH)
        last = None
        while True:
            following = query if last is None else query.where(LINES.c.seq > last)
            with self._engine.connect() as connection:
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
        with self._engine.connect() as connection:
            return [str(line) for line in connection.execute(chosen).scalars()]

    def _make(self) -> None:
        if self._made:
            return
        try:
            _METADATA.create_all(self._engine)
        except sa.exc.OperationalError as error:
            raise self._away(error) from error
        self._made = True

    def _insert(self, rows: Sequence[Mapping[str, Any]]) -> None:
        if not rows:
            return
        insert = postgresql.insert if self._engine.dialect.name == "postgresql" else sqlite.insert
        with self._engine.begin() as connection:
            connection.execute(insert(LINES).on_conflict_do_nothing(), list(rows))
        if self.strange is None:
            return
        given = {int(row["seq"]): row["line"] for row in rows}
        if self._rows(rows[0]["export"], min(given), max(given)) != given:
            self._differs = True
            self.strange = f"a line of {min(given)} to {max(given)} was there before, and is another one"


def row_of(export: str, line: Sealed) -> dict[str, Any]:
    """A line's row: the line, and what of it is searched by."""
    values = line.values()
    fields = values.get("fields")
    if not isinstance(fields, dict):
        fields = {}
    partition, entry, pairs = (line.kind == Kind.LINE and entry_of(values)) or (None, None, ())
    if partition is not None and not 0 <= partition < 2**31:
        partition = None  # no column takes it; the line has it
    link = Chained.of(entry, pairs).link if entry else None
    row: dict[str, Any] = {"export": export, "seq": line.seq, "kind": line.kind, "line": line.raw.decode()}
    row |= {"partition": partition, "entry": entry, "n": link.n if link else None}
    row["at"] = min(number(entry)[0], 2**63 - 1) if entry else None
    return row | {column: _short(fields.get(name)) for column, name in _FIELDS.items()}


def _short(value: object) -> str | None:
    """A value as a column takes it: PostgreSQL has no zero byte, and no index of long texts."""
    return None if value is None else str(value).replace("\0", "\\0")[:LONGEST]


def _lines_from(path: Path, first: str, offset: int) -> Iterator[tuple[Sealed, tuple[str, int]]]:
    """The whole lines from this place on, each with the place behind it."""
    for name in files_in(path):
        if name.name < first:
            continue
        with name.open("rb") as file:
            at = offset if name.name == first else 0
            file.seek(at)
            for raw in file:
                at += len(raw)
                line = Sealed.read(raw.rstrip(b"\n")) if raw.endswith(b"\n") else None
                if line is not None:
                    yield line, (name.name, at)
