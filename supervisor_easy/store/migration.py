"""Run the Alembic migrations of `migrations/` inside a transaction of ours."""

import threading
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, text

from supervisor_easy.datafiles import data_dir
from supervisor_easy.errors import StoreError

#: Alembic keeps what it works on in module globals: one thread at a time.
_alembic_is_free = threading.Lock()


def alembic_config(connection: Connection | None = None) -> Config:
    """Return Alembic's configuration; there is no alembic.ini.

    Raises:
        StoreError: the migrations are missing.
    """
    config = Config()
    folder = _folder()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def run_migrations(connection: Connection) -> None:
    """Upgrade to the newest revision; the caller's transaction keeps or drops it all.

    Raises:
        StoreError: the database's revision is unknown, or the migrations are missing.
    """
    if connection.dialect.name == "postgresql":
        # Rewriting a large table may take longer than any page may.
        connection.execute(text("SET LOCAL statement_timeout = 0"))
    try:
        with _alembic_is_free:
            command.upgrade(alembic_config(connection), "head")
    except CommandError as exc:
        raise StoreError(f"the schema cannot be upgraded: {exc}") from exc


def _folder() -> Path:
    folder = data_dir("migrations")
    if not any((folder / "versions").glob("*.py")):
        raise StoreError(
            f"the installation is incomplete: there are no migrations in {folder}; "
            "install supervisor-easy again"
        )
    return folder
