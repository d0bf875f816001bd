"""One database: its transactions, its schema and its writer thread."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

from sqlalchemy import Connection, inspect, text

from supervisor_easy.clock import Clock
from supervisor_easy.errors import StoreError
from supervisor_easy.settings import Settings
from supervisor_easy.store.database import (
    READ_ONLY,
    backup_sqlite,
    create_sqlite_file,
    lock_for_writing,
    open_engine,
    parse_url,
)
from supervisor_easy.store.failures import Failures, display
from supervisor_easy.store.tables import REVISION
from supervisor_easy.store.writer import Writer
from supervisor_easy.units import format_duration

#: How long `run` takes at most, in terms of `store_timeout`: longer than the driver
#: needs to say itself, and better, what is wrong.
_CALL_TIMEOUTS = 3

P = ParamSpec("P")
T = TypeVar("T")


class Store:
    """One database. Making it connects to nothing; threads may share it."""

    def __init__(self, database_url: str, *, clock: Clock, settings: Settings) -> None:
        """Check the URL only.

        Raises:
            StoreError: the URL is unusable, or its driver is missing.
        """
        self.clock = clock
        self.settings = settings
        self._url = parse_url(database_url)
        self._engine = open_engine(self._url, timeout=settings.store_timeout)
        self._reader = self._engine.execution_options(**{READ_ONLY: True})
        self._failures = Failures(self._url)
        self._writer = Writer(limit=settings.store_queue)

    @property
    def display_url(self) -> str:
        """The URL for people: never a password."""
        return display(self._url)

    @property
    def is_sqlite(self) -> bool:
        """The database is a file of this machine."""
        return self._url.get_backend_name() == "sqlite"

    # -- transactions

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Open one writing transaction: all of it is kept, or nothing.

        There is one writer at a time, on PostgreSQL too.

        Raises:
            StoreError: the database failed, and nothing was kept.
        """
        with self._failures.translated(), self._engine.begin() as connection:
            lock_for_writing(connection)
            yield connection
            if self._writer.is_given_up():
                raise StoreError("undone: nobody waited for this write any more")

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open one reading transaction: it waits for no writer.

        Raises:
            StoreError: the database failed.
        """
        with self._failures.translated(), self._reader.begin() as connection:
            yield connection

    async def run(
        self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a call of the store in its one writer thread, in the order asked.

        Cancelling the caller drops a call that still waits and lets one that runs
        finish. One that has not ended by its deadline is dropped, or undone when it
        wakes up, unless its commit was on the way already.

        Raises:
            StoreError: closed, too many calls wait, or it took too long.
        """
        future = self._writer.submit(partial(function, *args, **kwargs))
        limit = self.settings.store_timeout * _CALL_TIMEOUTS
        try:
            async with asyncio.timeout(limit.total_seconds()) as deadline:
                return await asyncio.wrap_future(future)
        except TimeoutError as exc:
            if not deadline.expired():
                raise
            self._writer.give_up(future)
            raise StoreError(
                f"the database {self.display_url} does not answer: a call was given "
                f"up after {format_duration(limit)}; see whether its server runs, "
                "and its disk and the network to it"
            ) from exc

    # -- schema

    def current_revision(self) -> str | None:
        """Return the schema's revision; None where there is no schema yet."""
        if self.is_sqlite and not self._path.exists():
            return None
        with self.read() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            query = text("SELECT version_num FROM alembic_version")
            return connection.execute(query).scalar()

    def check(self) -> None:
        """See that the schema is ours.

        Raises:
            StoreError: it is older or newer than this program, or out of reach.
        """
        revision = self.current_revision()
        if revision is None or revision < REVISION:
            raise StoreError(
                f"schema out of date: run fleet db upgrade ({self.display_url} is at "
                f"revision {revision or 'none'}, this program needs {REVISION})"
            )
        if revision > REVISION:
            raise StoreError(
                f"{self.display_url} was upgraded by a newer supervisor-easy "
                f"(revision {revision}, this program knows {REVISION}): install that "
                "version, or restore a backup"
            )

    def upgrade(self) -> None:
        """Bring the schema up to date, creating the database file if need be.

        Several processes may do so at the same moment: one does the work, the others
        wait for it.

        Raises:
            StoreError: the schema is newer than this program, or an upgrade failed
                and left everything as it was.
        """
        revision = self.current_revision()
        if revision is not None and revision >= REVISION:
            return self.check()
        # Alembic costs a tenth of a second to import, and is wanted once a release.
        from supervisor_easy.store.migration import run_migrations  # noqa: PLC0415

        if self.is_sqlite:
            create_sqlite_file(self._path)
        with self.begin() as connection:
            run_migrations(connection)
        return self.check()

    def backup(self, path: Path) -> None:
        """Copy a SQLite database, consistently, while others use it.

        Raises:
            StoreError: PostgreSQL (which has its own tools), an existing target, or a
                copy that failed.
        """
        if not self.is_sqlite:
            raise StoreError(
                "fleet backs up SQLite only; for PostgreSQL use pg_dump "
                f"--format=custom --file={path}"
            )
        if not self._path.exists():
            raise StoreError(f"there is no database {self._path} to back up")
        backup_sqlite(self._path, path)

    def close(self) -> None:
        """Finish the queued writes, within `store_timeout`, and disconnect."""
        self._writer.close(timeout=self.settings.store_timeout)
        self._engine.dispose()

    @property
    def _path(self) -> Path:
        return Path(self._url.database or "")
