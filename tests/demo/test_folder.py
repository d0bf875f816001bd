"""The demo's folder: who holds it, and what a dead demo's start may remove."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor_easy.demo import processes
from supervisor_easy.demo.folder import LOCK_NAME, claim
from supervisor_easy.errors import ConfigError


def leave_behind(folder: Path, *, pid: int, started: str | None) -> None:
    """Make what a demo leaves that died."""
    (folder / "scan01").mkdir(parents=True)
    (folder / "scan01" / "supervisord.conf").write_text("old")
    lock = {"kind": "supervisor-easy demo", "pid": pid, "started": started}
    (folder / LOCK_NAME).write_text(json.dumps(lock))


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A living process of ours that is no demo."""
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


def test_a_new_folder_is_private_and_locked(tmp_path: Path) -> None:
    held = claim(None, base=tmp_path / "base")

    assert held.folder.stat().st_mode & 0o777 == 0o700
    with pytest.raises(ConfigError, match="running"):
        claim(held.folder, base=tmp_path)
    held.remove()


def test_a_claimed_folder_is_gone_after_its_removal(tmp_path: Path) -> None:
    held = claim(None, base=tmp_path)

    held.remove()

    assert not held.folder.exists()


def test_the_next_claim_removes_what_a_dead_demo_left(tmp_path: Path) -> None:
    old = tmp_path / "run-old"
    leave_behind(old, pid=2**22 + 1, started="1@boot")

    claim(None, base=tmp_path).remove()

    assert not old.exists()


def test_a_pid_that_went_to_another_process_does_not_keep_a_folder(
    tmp_path: Path, bystander: subprocess.Popen[bytes]
) -> None:
    old = tmp_path / "run-old"
    leave_behind(old, pid=bystander.pid, started="1@another-boot")

    claim(None, base=tmp_path).remove()

    assert not old.exists()
    assert bystander.poll() is None


def test_a_demo_that_lives_keeps_its_folder_even_without_its_lock(
    tmp_path: Path, bystander: subprocess.Popen[bytes]
) -> None:
    old = tmp_path / "run-old"
    leave_behind(old, pid=bystander.pid, started=processes.start_mark(bystander.pid))

    claim(None, base=tmp_path).remove()

    assert (old / "scan01" / "supervisord.conf").exists()


def test_a_foreign_file_of_the_locks_name_is_never_taken_for_ours(
    tmp_path: Path,
) -> None:
    (tmp_path / LOCK_NAME).write_text("[package]\nname = 'other'\n")
    (tmp_path / "notes.txt").write_text("mine")

    with pytest.raises(ConfigError, match="not a demo's lock file"):
        claim(tmp_path, base=tmp_path)

    assert (tmp_path / "notes.txt").exists()


def test_a_link_for_a_lock_file_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("")
    folder = tmp_path / "demo"
    folder.mkdir()
    (folder / LOCK_NAME).symlink_to(victim)

    with pytest.raises(ConfigError, match="cannot use"):
        claim(folder, base=tmp_path)


def test_a_links_target_outside_the_folder_survives_the_clearing(
    tmp_path: Path,
) -> None:
    old = tmp_path / "run-old"
    leave_behind(old, pid=2**22 + 1, started=None)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("")
    (old / "link").symlink_to(outside)

    claim(None, base=tmp_path).remove()

    assert (outside / "kept").exists()


def test_a_folder_that_supervisord_cannot_spell_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="without %"):
        claim(tmp_path / "100%", base=tmp_path)


def spawn(*argv: str) -> "subprocess.Popen[bytes]":
    code = "import signal; signal.pause()"
    return subprocess.Popen([sys.executable, "-c", code, *argv])


@pytest.mark.parametrize(
    "argv",
    [
        ("{folder}/scan01/supervisord.conf",),
        ("-f", "{folder}/scan01/logs/beat.log"),
        ("worker.py", "json", "x", "--demo={folder}"),
        ("-n", "-c", "{folder}/scan01/supervisord.conf"),
    ],
)
def test_a_foreign_process_that_names_the_folder_is_never_killed(
    tmp_path: Path, argv: tuple[str, ...]
) -> None:
    with spawn(*(word.format(folder=tmp_path) for word in argv)) as foreign:
        assert processes.kill_all(tmp_path) == []

        assert foreign.poll() is None
        foreign.kill()


def test_a_process_has_one_mark_for_its_whole_life() -> None:
    mark = processes.start_mark(os.getpid())

    assert mark is not None
    assert mark == processes.start_mark(os.getpid())


def test_a_process_that_is_gone_has_no_mark() -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait(10)

    assert processes.start_mark(process.pid) is None
