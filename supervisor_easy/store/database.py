"""Open SQLite or PostgreSQL so that both keep the same promises; no tables here.

SQLite: WAL, synchronous=FULL (a committed intent survives a power cut), foreign keys,
`BEGIN IMMEDIATE` for writers. PostgreSQL: psycopg 3, a limit on every wait, the
server's and ours.
"""

import os
import secrets
import sqlite3
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    QueuePool,
    create_engine,
    event,
    func,
    make_url,
    select,
)
from sqlalchemy.exc import ArgumentError

from supervisor_easy.errors import StoreError

#: The oldest SQLite that can return what it inserted.
_OLDEST_SQLITE = (3, 35)
#: Connections kept open, and how many more in a rush.
_POOL, _OVERFLOW = 8, 32
#: Execution option that tells a reading transaction from a writing one.
READ_ONLY = "fleet_read_only"
#: One writer at a time, as on SQLite: see `lock_for_writing`.
_WRITER_LOCK = 0x666C656574  # "fleet"
#: Pages copied before a backup lets other connections have a turn.
_BACKUP_PAGES = 4096

#: PostgreSQL's own limits, in terms of `store_timeout`; a statement that waits for a
#: lock shall end by the first of them, which says so.
_POSTGRES_LIMITS = {
    "lock_timeout": 1,
    "statement_timeout": 2,
    "idle_in_transaction_session_timeout": 2,
}


def parse_url(text: str) -> URL:
    """Read a database URL and name the driver we use.

    Raises:
        StoreError: not a URL, or a database we do not speak.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        # The text may hold a password, so neither it nor its error is shown.
        raise StoreError(
            "the database URL cannot be read; write sqlite:////path/to/fleet.db or "
            "postgresql://user:password@host/database"
        ) from None
    backend = url.drivername.partition("+")[0]
    if backend in ("postgres", "postgresql"):
        return url.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise StoreError(f"no such database: {backend}; use sqlite or postgresql")
    if not url.database or url.database == ":memory:":
        raise StoreError("SQLite in memory cannot be shared; name a file instead")
    return url.set(drivername="sqlite+pysqlite")


def open_engine(url: URL, *, timeout: timedelta) -> Engine:
    """Return an engine for the URL; nothing is connected yet.

    Raises:
        StoreError: the driver is missing or too old.
    """
    if url.get_backend_name() == "sqlite":
        return _open_sqlite(Path(url.database or ""), timeout=timeout)
    return _open_postgres(url, timeout=timeout)


def lock_for_writing(connection: Connection) -> None:
    """Wait until no other transaction writes.

    SQLite does so by itself. On PostgreSQL it makes ids of events appear in their
    order (a reader that asks for "after 17" misses nothing), and writers that take
    many rows cannot deadlock.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_WRITER_LOCK)))


def create_sqlite_file(path: Path) -> None:
    """Create an empty database with mode 0600, in a folder of mode 0700.

    It appears complete and already in WAL mode, so that processes which start at the
    same moment never see it half made.

    Raises:
        StoreError: the folder cannot be written.
    """
    if path.exists():
        return
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make_draft(draft)
        with suppress(FileExistsError):
            # Linking, unlike renaming, never replaces what another process made.
            path.hardlink_to(draft)
    except (OSError, sqlite3.Error) as exc:
        raise StoreError(f"cannot create the database {path}: {exc}") from exc
    finally:
        draft.unlink(missing_ok=True)


def backup_sqlite(source: Path, target: Path) -> None:
    """Copy a live database, consistently, into a new file of mode 0600.

    Raises:
        StoreError: the target exists, or the copy failed (nothing is left behind).
    """
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        _copy(source, draft)
        target.hardlink_to(draft)
    except FileExistsError as exc:
        raise StoreError(f"{target} exists; name a new file for the backup") from exc
    except (OSError, sqlite3.Error) as exc:
        raise StoreError(f"the backup to {target} failed: {exc}") from exc
    finally:
        draft.unlink(missing_ok=True)


def _make_draft(path: Path) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    connection = sqlite3.connect(path)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
    finally:
        connection.close()


def _copy(source: Path, target: Path) -> None:
    reader = sqlite3.connect(_sqlite_uri(source), uri=True)
    writer = sqlite3.connect(target)
    try:
        reader.backup(writer, pages=_BACKUP_PAGES)
    finally:
        writer.close()
        reader.close()


def _sqlite_uri(path: Path) -> str:
    # rw, not rwc: a database is only ever made by create_sqlite_file.
    return f"file:{quote(str(path))}?mode=rw"


def _open_sqlite(path: Path, *, timeout: timedelta) -> Engine:
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise StoreError(
            f"SQLite {sqlite3.sqlite_version} is too old; 3.35 or newer is needed"
        )

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(
            _sqlite_uri(path),
            uri=True,
            timeout=timeout.total_seconds(),
            isolation_level=None,  # we write BEGIN ourselves
            check_same_thread=False,  # the pool hands a connection to one at a time
        )

    engine = _create("sqlite+pysqlite://", timeout=timeout, creator=connect)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    # A writer that begins as a reader can find at its first write that another was
    # faster, and then no waiting helps; so it asks for the lock at once.
    is_reader = connection.get_execution_options().get(READ_ONLY)
    connection.exec_driver_sql("BEGIN" if is_reader else "BEGIN IMMEDIATE")


def _open_postgres(url: URL, *, timeout: timedelta) -> Engine:
    limit_ms = round(timeout.total_seconds() * 1000)
    seconds = max(2, round(timeout.total_seconds()))
    wanted = {
        "connect_timeout": seconds,
        # For connections that wait for nothing but are dead.
        "keepalives_idle": seconds,
        "keepalives_interval": seconds,
        "keepalives_count": 2,
        "tcp_user_timeout": 2 * limit_ms,
    }
    options = {name: value for name, value in wanted.items() if name not in url.query}
    engine = _create(url, timeout=timeout, connect_args=options, pool_pre_ping=True)
    # Here, because its driver is an extra.
    from supervisor_easy.store.postgres import bound_waits  # noqa: PLC0415

    bound_waits(engine, timeout=timeout)

    def prepare(connection: Any, _record: object) -> None:
        connection.autocommit = True
        for name, times in _POSTGRES_LIMITS.items():
            connection.execute(f"SET {name} = {times * limit_ms}")
        connection.autocommit = False

    event.listen(engine, "connect", prepare)
    return engine


def _create(url: str | URL, *, timeout: timedelta, **options: Any) -> Engine:
    try:
        return create_engine(
            url,
            poolclass=QueuePool,
            pool_size=_POOL,
            max_overflow=_OVERFLOW,
            pool_timeout=timeout.total_seconds(),
            hide_parameters=True,  # values may be secret digests or log text
            **options,
        )
    except ImportError as exc:
        raise StoreError(
            "PostgreSQL needs its driver: pip install 'supervisor-easy[postgres]'"
        ) from exc
