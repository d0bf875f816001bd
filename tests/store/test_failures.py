"""What the database's errors become."""

import traceback
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, text

from supervisor_easy.errors import ActionError, StoreError
from supervisor_easy.store import Store, tables
from supervisor_easy.store.journal import Journal
from supervisor_easy.store.owners import Owner
from tests.store.conftest import OpenStore
from tests.store.values import an_operation, an_outcome, record, some_targets

#: A disk that is full for the second table of the two.
FULL_POSTGRES = """
CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$;
CREATE TRIGGER no_room BEFORE INSERT ON reservation EXECUTE FUNCTION no_room();
CREATE TRIGGER no_room_either BEFORE INSERT ON event EXECUTE FUNCTION no_room();
"""


def fill_the_disk(store: Store) -> None:
    with store.begin() as connection:
        if not store.is_sqlite:
            connection.exec_driver_sql(FULL_POSTGRES)
            return
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 3}")


def rows_of(store: Store) -> dict[str, int]:
    with store.read() as connection:
        return {
            name: connection.scalar(select(func.count()).select_from(table)) or 0
            for name, table in tables.metadata.tables.items()
        }


def test_a_full_disk_opens_no_part_of_an_operation(
    own_store: Store, owner: Owner
) -> None:
    journal, wanted = Journal(own_store), an_operation(*some_targets(2000))
    before = rows_of(own_store)
    fill_the_disk(own_store)
    with pytest.raises(StoreError, match="disk is full; free some space"):
        journal.open(wanted, owner=owner)
    assert rows_of(own_store) == before


def test_a_full_disk_records_no_part_of_the_outcomes(
    own_store: Store, owner: Owner
) -> None:
    journal, wanted = Journal(own_store), an_operation(*some_targets(300))
    journal.open(wanted, owner=owner)
    before = rows_of(own_store)
    fill_the_disk(own_store)
    outcomes = [an_outcome(each, log_tail="x" * 2000) for each in wanted.targets]
    with pytest.raises(StoreError, match="disk is full"):
        record(journal, owner, wanted.id, outcomes)
    assert rows_of(own_store) == before
    assert journal.get(wanted.id).outcomes == ()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://fleet:hunter2!@127.0.0.1:1/fleet",
        "postgresql://fleet:hunter2%21@127.0.0.1:1/fleet",
        "postgresql://fleet@127.0.0.1:1/fleet?password=hunter2!",
        "postgresql://fleet:hunter2!@127.0.0.1:1/fleet?bogus=hunter2!",
        "postgresql://fleet:hunter2!@:no port:/fleet",
        "mysql://fleet:hunter2!@127.0.0.1/fleet",
        "hunter2!",
    ],
)
def test_no_error_shows_the_password(url: str, open_store: OpenStore) -> None:
    with pytest.raises(StoreError) as caught:
        open_store(url).check()
    shown = "".join(traceback.format_exception(caught.value, chain=True))
    shown = shown.replace(url, "")  # the source line of this test
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in shown


def test_a_refused_connection_names_the_database(open_store: OpenStore) -> None:
    with pytest.raises(StoreError, match=r"postgresql://fleet@127\.0\.0\.1:1/fleet"):
        open_store("postgresql://fleet:secret@127.0.0.1:1/fleet").check()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_sqlite_in_memory_is_refused(url: str, open_store: OpenStore) -> None:
    with pytest.raises(StoreError, match="name a file"):
        open_store(url)


def test_what_is_no_database_is_not_touched(
    tmp_path: Path, open_store: OpenStore
) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("these are my notes " * 100)
    with pytest.raises(StoreError, match="not a SQLite database"):
        open_store(f"sqlite:///{path}").upgrade()
    assert path.read_text() == "these are my notes " * 100


def test_a_writer_gives_up_on_another_that_does_not_end(
    url: str, open_store: OpenStore, owner: Owner
) -> None:
    slow, quick = open_store(url), open_store(url, store_timeout="100ms")
    with slow.begin(), pytest.raises(StoreError, match="kept it locked; try again"):
        Journal(quick).open(an_operation(), owner=owner)


def test_a_reader_does_not_wait_for_a_writer(url: str, open_store: OpenStore) -> None:
    writing, reading = open_store(url), open_store(url, store_timeout="100ms")
    with writing.begin() as connection:
        connection.execute(
            insert(tables.owner).values(
                id="x",
                hostname="",
                pid=1,
                boot_id="",
                process_started="",
                expires_at=writing.clock.now(),
            )
        )
        assert Journal(reading).list() == []


def test_an_error_of_ours_passes_and_keeps_nothing(store: Store) -> None:
    def change_and_fail() -> None:
        with store.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = 'x'"))
            raise ActionError("no")

    with pytest.raises(ActionError, match="no"):
        change_and_fail()
    store.check()
