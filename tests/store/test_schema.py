"""Upgrades, checks and backups."""

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

import supervisor_easy
from supervisor_easy.errors import StoreError
from supervisor_easy.store import Store
from supervisor_easy.store.journal import Journal
from supervisor_easy.store.migration import alembic_config
from supervisor_easy.store.owners import Owner
from supervisor_easy.store.tables import REVISION, metadata
from tests.store.conftest import OpenStore
from tests.store.processes import answers
from tests.store.values import an_operation


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_an_empty_database_is_upgraded_to_the_newest_revision(
    empty_url: str, open_store: OpenStore
) -> None:
    store = open_store(empty_url)
    store.upgrade()
    assert store.current_revision() == REVISION


def test_an_upgrade_of_what_is_up_to_date_changes_nothing(store: Store) -> None:
    store.upgrade()
    store.check()


def test_the_newest_migration_is_the_revision_of_the_tables() -> None:
    scripts = ScriptDirectory.from_config(alembic_config())
    assert scripts.get_heads() == [REVISION]


def test_the_migrations_make_exactly_the_tables(store: Store) -> None:
    with store.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_every_constraint_and_index_has_a_name_of_ours(store: Store) -> None:
    with store.read() as connection:
        seen = inspect(connection)
        names = [
            each["name"]
            for table in metadata.tables
            for each in (
                *seen.get_indexes(table),
                *seen.get_unique_constraints(table),
                *seen.get_foreign_keys(table),
            )
        ]
    assert [name for name in names if not re.match("(ix|uq|fk)_", name or "")] == []


def test_processes_that_start_at_the_same_moment_upgrade_once(empty_url: str) -> None:
    assert answers(*[("upgrade", empty_url)] * 4) == [REVISION] * 4


@pytest.mark.parametrize("rest", [[], ["migrations", "migrations/versions"]])
def test_an_installation_without_migrations_says_that_it_is_incomplete(
    tmp_path: Path, rest: list[str]
) -> None:
    home = tmp_path / "site-packages"
    shutil.copytree(
        Path(supervisor_easy.__file__).parent,
        home / "supervisor_easy",
        ignore=shutil.ignore_patterns("__pycache__", "migrations"),
    )
    for name in rest:
        (home / name).mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "supervisor_easy", "db", "upgrade"],
        cwd=home,
        env={**os.environ, "FLEET_DATABASE_URL": f"sqlite:///{tmp_path / 'fleet.db'}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert "the installation is incomplete" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_schema_says_how_to_make_it(
    empty_url: str, open_store: OpenStore
) -> None:
    with pytest.raises(StoreError, match="schema out of date: run fleet db upgrade"):
        open_store(empty_url).check()


def test_a_query_on_a_missing_schema_says_how_to_make_it(
    empty_url: str, open_store: OpenStore
) -> None:
    with pytest.raises(StoreError, match="run fleet db upgrade"):
        Journal(open_store(empty_url)).list()


@pytest.mark.parametrize("do", ["check", "upgrade"])
def test_a_newer_schema_is_refused(own_store: Store, do: str) -> None:
    with own_store.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match=r"newer supervisor-easy \(revision 9999"):
        getattr(own_store, do)()


def test_sqlite_is_made_for_its_user_alone(
    tmp_path: Path, open_store: OpenStore
) -> None:
    path = tmp_path / "state" / "odd #name%.db"
    open_store(f"sqlite:///{path}").upgrade()
    modes = {each.name: mode(each) for each in (path.parent, path)}
    assert modes == {"state": 0o700, path.name: 0o600}


def test_sqlite_folder_holds_nothing_but_the_database(
    tmp_path: Path, open_store: OpenStore
) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'state' / 'fleet.db'}")
    store.upgrade()
    store.close()
    assert [each.name for each in (tmp_path / "state").iterdir()] == ["fleet.db"]


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)],
)
def test_sqlite_is_opened_so_that_what_is_committed_stays(
    tmp_path: Path, open_store: OpenStore, pragma: str, value: object
) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'fleet.db'}")
    store.upgrade()
    with store.read() as connection:
        assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value


def test_looking_at_a_missing_sqlite_file_does_not_create_it(
    tmp_path: Path, open_store: OpenStore
) -> None:
    path = tmp_path / "fleet.db"
    with pytest.raises(StoreError):
        open_store(f"sqlite:///{path}").check()
    assert not path.exists()


def test_a_backup_of_a_database_in_use_is_complete(
    sqlite_template: Path, tmp_path: Path, open_store: OpenStore, owner: Owner
) -> None:
    shutil.copy(sqlite_template, tmp_path / "fleet.db")
    source = open_store(f"sqlite:///{tmp_path / 'fleet.db'}")
    wanted = an_operation()
    with source.read() as reader:
        reader.execute(text("SELECT count(*) FROM event"))
        Journal(source).open(wanted, owner=owner)
        source.backup(tmp_path / "copy.db")
    copy = open_store(f"sqlite:///{tmp_path / 'copy.db'}")
    assert Journal(copy).get(wanted.id) == wanted
    assert mode(tmp_path / "copy.db") == 0o600


def test_a_backup_never_replaces_a_file(
    sqlite_template: Path, tmp_path: Path, open_store: OpenStore
) -> None:
    target = tmp_path / "copy.db"
    target.write_text("precious")
    with pytest.raises(StoreError, match="exists"):
        open_store(f"sqlite:///{sqlite_template}").backup(target)
    assert [each.read_text() for each in tmp_path.iterdir()] == ["precious"]


@pytest.mark.postgres
def test_a_backup_of_postgresql_names_its_own_tool(
    postgres: str, open_store: OpenStore, tmp_path: Path
) -> None:
    with pytest.raises(StoreError, match="pg_dump"):
        open_store(postgres).backup(tmp_path / "copy")
