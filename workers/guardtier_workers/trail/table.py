"""Table: how the audit trail's lines stand in a database, with columns to search by."""

from __future__ import annotations

from typing import Any

from guardtier.errors import ConfigError
from guardtier.store.chain import Chained
from guardtier_workers.trail.lines import Kind, Sealed, entry_of, number

try:
    import sqlalchemy as sa
    from sqlalchemy.dialects import postgresql, sqlite
except ImportError as missing:
    raise ConfigError(
        "a database for the audit trail needs SQLAlchemy: pip install 'guardtier[archive]', for PostgreSQL "
        "'guardtier[postgres]'",
        field="audit_sql",
    ) from missing

__all__ = ["LINES", "LONGEST", "METADATA", "engine_at", "postgresql", "row_of", "sa", "sqlite"]

LONGEST = 200  #: characters of a column that is searched by; the line has all of it

CONNECT_SECONDS = 10  #: a server that does not answer for so long is away

METADATA = sa.MetaData()
LINES = sa.Table(
    "guardtier_audit",
    METADATA,
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


def engine_at(url: str) -> sa.Engine:
    """``sqlite:///file`` or ``postgresql+psycopg://…``. Raises ConfigError for what is neither."""
    try:
        found = sa.make_url(url)
        kind = found.get_backend_name()
        if kind not in ("sqlite", "postgresql"):
            raise ConfigError("audit_sql: a URL of sqlite or postgresql, please", field="audit_sql")
        limits: dict[str, Any] = {}
        if kind == "postgresql":  # else a host that drops what it is sent holds the copying for minutes
            known = {"connect_timeout": CONNECT_SECONDS, "tcp_user_timeout": CONNECT_SECONDS * 1000}
            limits = {name: value for name, value in known.items() if name not in found.query}
        return sa.create_engine(found, pool_pre_ping=True, hide_parameters=True, connect_args=limits)
    except ConfigError:
        raise
    except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError, ImportError) as error:
        raise ConfigError(
            f"audit_sql: {type(error).__name__}: PostgreSQL is postgresql+psycopg://… and needs "
            "pip install 'guardtier[postgres]'",
            field="audit_sql",
        ) from error


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
