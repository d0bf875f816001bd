"""The tables as `migrations/` leaves them, and how values become columns.

Nothing here opens a database. A test holds the migrations to these definitions.
"""

import re
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

#: The revision of `migrations/` that these tables are; revisions count upwards.
REVISION = "0001"
#: Most characters of a host's, group's or process's name; bounds the index rows too.
NAME_LIMIT = 200
#: Most characters of an error, a message or a reason that are kept.
MESSAGE_LIMIT = 4_000
#: Most characters of a log that are kept, from its end.
LOG_LIMIT = 65_536

#: PostgreSQL refuses NUL, no database takes a lone surrogate, and hosts send both.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class UtcTime(TypeDecorator[datetime]):
    """An aware moment in UTC, on databases that know time zones and on SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(
        self, value: datetime | None, dialect: Dialect
    ) -> datetime | None:
        """Turn an aware moment into what the database keeps."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a moment without a time zone: {value}")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(
        self, value: datetime | None, dialect: Dialect
    ) -> datetime | None:
        """Return the moment, aware, in UTC."""
        if value is None or dialect.name == "sqlite":
            return value and value.replace(tzinfo=UTC)
        return value.astimezone(UTC)


class BoundedText(TypeDecorator[str]):
    """Text that may come from a host: what no database takes is replaced, the rest cut.

    A positive limit keeps the beginning, a negative one the end.
    """

    impl = Text
    cache_ok = True

    def __init__(self, limit: int = MESSAGE_LIMIT) -> None:
        """Keep at most `limit` characters."""
        super().__init__()
        self.limit = limit

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Return what can be stored of the text."""
        if value is None:
            return None
        value = value[: self.limit] if self.limit > 0 else value[self.limit :]
        return _UNSTORABLE.sub("\ufffd", value)


metadata = MetaData()


def _key(name: str) -> Column[Any]:
    return Column(name, Text, nullable=False)


def _name(name: str) -> Column[Any]:
    return Column(name, BoundedText(NAME_LIMIT), nullable=False)


def _text(name: str, limit: int = MESSAGE_LIMIT) -> Column[Any]:
    return Column(name, BoundedText(limit), nullable=False)


def _time(name: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, UtcTime, nullable=nullable)


def _sightings() -> list[Column[Any]]:
    names = ("before_pid", "before_state", "after_pid", "after_state")
    return [Column(name, BigInteger, nullable=True) for name in names]


#: SQLite counts rows by itself only in a column of exactly this type.
_RowId = BigInteger().with_variant(Integer, "sqlite")

operation = Table(
    "operation",
    metadata,
    Column("id", Text, nullable=False),
    _key("action"),
    _name("signal"),
    _text("reason"),
    _name("actor_name"),
    _name("actor_via"),
    _time("requested_at"),
    _key("status"),
    _time("finished_at", nullable=True),
    Column("idempotency_key", BoundedText(NAME_LIMIT), nullable=True),
    _key("scope"),
    _key("owner_id"),
    PrimaryKeyConstraint("id", name="pk_operation"),
    UniqueConstraint(
        "actor_name", "actor_via", "idempotency_key", name="uq_operation_idempotency"
    ),
    Index("ix_operation_status", "status"),
    Index("ix_operation_requested_at", "requested_at", "id"),
)

#: `intent_at` is null as long as nothing can have been sent to the target.
step = Table(
    "step",
    metadata,
    _key("operation_id"),
    Column("position", Integer, nullable=False),
    _name("host"),
    _name("grp"),
    _name("name"),
    *_sightings(),
    Column("outcome", Text, nullable=True),
    Column("error_code", BoundedText(NAME_LIMIT), nullable=True),
    Column("error_message", BoundedText(), nullable=True),
    Column("duration_s", Float, nullable=True),
    _text("log_tail", -LOG_LIMIT),
    _time("intent_at", nullable=True),
    _time("done_at", nullable=True),
    PrimaryKeyConstraint("operation_id", "position", name="pk_step"),
    ForeignKeyConstraint(
        ["operation_id"],
        ["operation.id"],
        name="fk_step_operation",
        ondelete="CASCADE",
    ),
    UniqueConstraint("operation_id", "host", "grp", "name", name="uq_step_target"),
    Index("ix_step_done_at", "done_at"),
)

#: One row a process that an operation has in its hands; the key is the lock.
reservation = Table(
    "reservation",
    metadata,
    _name("host"),
    _name("grp"),
    _name("name"),
    _key("operation_id"),
    PrimaryKeyConstraint("host", "grp", "name", name="pk_reservation"),
    ForeignKeyConstraint(
        ["operation_id"],
        ["operation.id"],
        name="fk_reservation_operation",
        ondelete="CASCADE",
    ),
    Index("ix_reservation_operation_id", "operation_id"),
)

owner = Table(
    "owner",
    metadata,
    Column("id", Text, nullable=False),
    _name("hostname"),
    Column("pid", BigInteger, nullable=False),
    _name("boot_id"),
    _name("process_started"),
    _time("expires_at"),
    PrimaryKeyConstraint("id", name="pk_owner"),
)

#: Ids are never used twice, so that `after_id` finds exactly what is new.
event = Table(
    "event",
    metadata,
    Column("id", _RowId, autoincrement=True),
    _time("at"),
    _key("kind"),
    _text("message"),
    _name("host"),
    _name("grp"),
    _name("name"),
    *_sightings(),
    Column("outcome", Text, nullable=True),
    _text("cause"),
    Column("operation_id", Text, nullable=True),
    _text("log_tail", -LOG_LIMIT),
    PrimaryKeyConstraint("id", name="pk_event"),
    Index("ix_event_at", "at"),
    Index("ix_event_kind_id", "kind", "id"),
    Index("ix_event_host_name_id", "host", "name", "id"),
    sqlite_autoincrement=True,
)

app_user = Table(
    "app_user",
    metadata,
    Column("id", _RowId, autoincrement=True),
    _name("name"),
    _key("role"),
    _key("password_hash"),
    _time("created_at"),
    _time("password_changed_at"),
    PrimaryKeyConstraint("id", name="pk_app_user"),
    UniqueConstraint("name", name="uq_app_user_name"),
    sqlite_autoincrement=True,
)

session = Table(
    "session",
    metadata,
    _key("digest"),
    Column("user_id", _RowId, nullable=False),
    _time("created_at"),
    _time("expires_at"),
    _name("address"),
    _name("user_agent"),
    PrimaryKeyConstraint("digest", name="pk_session"),
    ForeignKeyConstraint(
        ["user_id"], ["app_user.id"], name="fk_session_user", ondelete="CASCADE"
    ),
    Index("ix_session_user_id", "user_id"),
    Index("ix_session_expires_at", "expires_at"),
)

token = Table(
    "token",
    metadata,
    Column("id", _RowId, autoincrement=True),
    _name("name"),
    _key("digest"),
    _key("role"),
    Column("user_id", _RowId, nullable=True),
    _time("created_at"),
    _time("expires_at", nullable=True),
    _time("last_used_at", nullable=True),
    PrimaryKeyConstraint("id", name="pk_token"),
    ForeignKeyConstraint(
        ["user_id"], ["app_user.id"], name="fk_token_user", ondelete="CASCADE"
    ),
    UniqueConstraint("digest", name="uq_token_digest"),
    Index("ix_token_user_id", "user_id"),
    sqlite_autoincrement=True,
)

#: Failed and running logins. The name is kept as a digest only: people type their
#: password into the wrong field.
login_attempt = Table(
    "login_attempt",
    metadata,
    Column("id", _RowId, autoincrement=True),
    _time("at"),
    _key("name_digest"),
    _name("address"),
    PrimaryKeyConstraint("id", name="pk_login_attempt"),
    Index("ix_login_attempt_at", "at"),
    Index("ix_login_attempt_name_digest", "name_digest", "at"),
    Index("ix_login_attempt_address", "address", "at"),
    sqlite_autoincrement=True,
)
