"""A running console's inventory: reloads what is good, survives what is not."""

import os
import threading
from pathlib import Path

import pytest

from supervisor_easy.errors import InventoryError
from supervisor_easy.inventory import InventoryFile

GOOD = "version: 1\nhosts: {web1: }\n"
BETTER = "version: 1\nhosts: {web1: , web2: }\n"
BROKEN = "version: 1\nhosts: {web1: {prot: 1}}\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "inventory.yaml"
    path.write_text(GOOD, encoding="utf-8")
    return path


def replace(path: Path, text: str) -> None:
    """Write as careful editors do: another file, moved over the first."""
    other = path.with_suffix(".new")
    other.write_text(text, encoding="utf-8")
    other.replace(path)


def test_a_console_does_not_start_on_a_broken_inventory(path: Path) -> None:
    path.write_text(BROKEN, encoding="utf-8")

    with pytest.raises(InventoryError):
        InventoryFile(path, {})


def test_an_unchanged_file_is_not_loaded_again(path: Path) -> None:
    file = InventoryFile(path, {})
    before = file.current

    assert not file.reload_if_changed()
    assert file.current is before


def test_a_replaced_file_is_loaded(path: Path) -> None:
    file = InventoryFile(path, {})

    replace(path, BETTER)

    assert file.reload_if_changed()
    assert list(file.current.hosts) == ["web1", "web2"]


def test_a_file_written_in_place_is_loaded(path: Path) -> None:
    file = InventoryFile(path, {})

    path.write_text(BETTER, encoding="utf-8")

    assert file.reload_if_changed()


def test_a_touched_file_changes_nothing(path: Path) -> None:
    file = InventoryFile(path, {})
    before = file.current

    os.utime(path, (1, 1))

    assert not file.reload_if_changed()
    assert file.current is before


def test_a_broken_file_keeps_the_last_good_one_and_says_so_once(path: Path) -> None:
    file = InventoryFile(path, {})
    before = file.current

    replace(path, BROKEN)

    assert file.reload_if_changed()
    assert file.current is before
    assert file.error is not None
    assert not file.reload()


def test_a_mended_file_clears_the_error(path: Path) -> None:
    file = InventoryFile(path, {})
    replace(path, BROKEN)
    file.reload_if_changed()

    replace(path, GOOD)

    assert file.reload_if_changed()
    assert file.error is None


def test_a_vanished_file_keeps_the_last_good_one(path: Path) -> None:
    file = InventoryFile(path, {})

    path.unlink()

    assert file.reload_if_changed()
    assert not file.reload_if_changed()
    assert list(file.current.hosts) == ["web1"]
    assert "no such file" in str(file.error)


def test_a_forced_reload_reads_secrets_again(path: Path) -> None:
    path.write_text("version: 1\nhosts: {a: {password: {env: X}}}", encoding="utf-8")
    environ = {"X": "old"}
    file = InventoryFile(path, environ)

    environ["X"] = "new"

    assert not file.reload_if_changed()
    assert file.reload()
    assert file.current.hosts["a"].password == "new"


def test_many_threads_may_reload_at_once(path: Path) -> None:
    file = InventoryFile(path, {})
    changes: list[bool] = []
    replace(path, BETTER)

    threads = [
        threading.Thread(target=lambda: changes.append(file.reload_if_changed()))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)

    assert changes.count(True) == 1
