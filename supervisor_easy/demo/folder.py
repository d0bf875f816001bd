"""The demo's private folder: claimed by one live demo, cleared up after a dead one.

A folder is the demo's if its lock file is there and readable as ours. The lock is
held (flock) as long as the demo lives, whatever kills it; the file also names the
process and its start. Nothing is ever removed from a folder without that file.
"""

import contextlib
import fcntl
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from supervisor_easy.demo import processes
from supervisor_easy.errors import ConfigError

logger = logging.getLogger(__name__)

LOCK_NAME = "demo.lock"
_PREFIX = "run-"
_KIND = "supervisor-easy demo"


class Claim:
    """One folder held by this process; nobody else writes there or clears it."""

    def __init__(self, folder: Path, lock: IO[str]) -> None:
        """Write down whose folder this is, for the next start to read."""
        self.folder = folder
        self._lock = lock
        pid = os.getpid()
        text = json.dumps(
            {"kind": _KIND, "pid": pid, "started": processes.start_mark(pid)}
        )
        lock.seek(0)
        lock.truncate()
        lock.write(text)
        lock.flush()

    def remove(self) -> None:
        """Remove the folder, then let go of it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.folder.exists():
            logger.warning("demo folder not removed folder=%s", self.folder)
        self._lock.close()


def claim(wanted: Path | None, *, base: Path) -> Claim:
    """Return a folder of our own: `wanted`, or a new one under `base`.

    What dead demos left, in `wanted` or under `base`, is cleared up first.

    Raises:
        ConfigError: a live demo holds `wanted`, or it holds other things.
    """
    if wanted is None:
        return _claim_new(_usable(base))
    folder = _usable(wanted)
    _make_private(folder, must_be_ours=True)
    lock = _try_lock(folder)
    if lock is None:
        raise ConfigError(
            f"a demo is running in {folder} already; end it or name another folder"
        )
    _clear(folder)
    return Claim(folder, lock)


def _claim_new(base: Path) -> Claim:
    _make_private(base)
    with _one_at_a_time(base):
        for folder in sorted(base.glob(f"{_PREFIX}*")):
            clear_if_dead(folder)
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
        lock = _try_lock(folder)
        assert lock is not None, "nobody else can know a new folder"
        return Claim(folder, lock)


def _usable(path: Path) -> Path:
    folder = Path(os.path.abspath(path))  # noqa: PTH100 (resolve follows links)
    if "%" in str(folder) or "\n" in str(folder):
        # It expands some settings once and others twice, so no escape fits all.
        raise ConfigError(f"supervisord cannot work in {folder}; name one without %")
    return folder


def clear_if_dead(folder: Path) -> bool:
    """Kill and remove what a dead demo left in `folder`; return whether it is gone."""
    if not (folder / LOCK_NAME).exists():
        with contextlib.suppress(OSError):
            folder.rmdir()  # died between making the folder and its lock
        return not folder.exists()
    lock = _try_lock(folder)
    if lock is None:
        return False
    with lock:
        if _clear(folder):
            shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


def _clear(folder: Path) -> bool:
    """End a dead demo's processes and remove its files, all but the lock."""
    stubborn = processes.kill_all(folder)
    if stubborn:
        logger.warning("demo leftovers would not end pids=%s", stubborn)
        return False
    for path in folder.iterdir():
        if path.name == LOCK_NAME:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return True


def _make_private(folder: Path, *, must_be_ours: bool = False) -> None:
    """Make `folder` if need be, for this user alone; a foreign one is left as it is."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_uid != os.getuid():
            raise ConfigError(f"{folder} belongs to another user; name another folder")
        is_foreign = not (folder / LOCK_NAME).exists() and any(folder.iterdir())
        if must_be_ours and is_foreign:
            raise ConfigError(f"{folder} is not empty; name a new folder for the demo")
        folder.chmod(0o700)
    except OSError as exc:
        raise ConfigError(f"cannot use {folder} for the demo: {exc}") from exc


def _try_lock(folder: Path) -> IO[str] | None:
    """Return the held lock file; None if a live demo has it.

    Raises:
        ConfigError: the file of that name is not ours.
    """
    path = folder / LOCK_NAME
    lock = _open_lock(path)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _owner_lives(lock, path):
            lock.close()
            return None
    except BlockingIOError:
        lock.close()
        return None
    except BaseException:
        lock.close()
        raise
    return lock


def _owner_lives(lock: IO[str], path: Path) -> bool:
    """Return whether the demo named in the file lives: some file systems lose locks."""
    text = lock.read()
    if not text:
        return False
    try:
        written = json.loads(text)
        kind, pid, started = written["kind"], int(written["pid"]), written["started"]
    except (ValueError, TypeError, KeyError):
        kind, pid, started = "", 0, None
    if kind != _KIND:
        raise ConfigError(f"{path} is not a demo's lock file; name another folder")
    if pid == os.getpid():
        return False
    return started is not None and processes.start_mark(pid) == started


def _open_lock(path: Path) -> IO[str]:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
    try:
        return os.fdopen(os.open(path, flags, 0o600), "r+", encoding="utf-8")
    except OSError as exc:
        raise ConfigError(f"cannot use {path} for the demo: {exc}") from exc


@contextlib.contextmanager
def _one_at_a_time(base: Path) -> Iterator[None]:
    """Hold the base folder for a moment, so two starts do not clear each other."""
    with _open_lock(base / ".lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
