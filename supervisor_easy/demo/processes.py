"""Tell the demo's own processes from all others, and kill only those.

A process is the demo's if it belongs to this user and its whole command line has the
shape the demo gives it, with the demo's folder in its place. An editor or a `tail`
on a file of the folder is not; nor is a later process that got a dead one's pid.
"""

import contextlib
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

_PS_DEADLINE_SECONDS = 10
#: Between looks at a process where the system cannot tell of its end.
_PAUSE_SECONDS = 0.05


def start_mark(pid: int) -> str | None:
    """Return what, with its pid, names a process for ever; None if it is gone.

    It is the start time, on Linux in ticks and with the boot it counts from.
    """
    if sys.platform != "linux":
        return _ps("-p", str(pid), "-o", "lstart=").strip() or None
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
    except OSError:
        return None
    # The name in brackets may hold blanks and brackets; the fields follow it.
    state, *fields = stat.rpartition(")")[2].split()
    return None if state == "Z" else f"{fields[18]}@{boot.strip()}"


def find_supervisords(folder: Path) -> list[int]:
    """Return the pids of the supervisords of the demo in `folder`."""
    return _find(folder, _is_supervisord)


def find_all(folder: Path) -> list[int]:
    """Return the pids of every process of the demo in `folder`."""
    return _find(folder, lambda *facts: _is_supervisord(*facts) or _is_worker(*facts))


def kill_all(folder: Path, *, within: float = 5.0) -> list[int]:
    """Kill every process of the demo in `folder`; return those that would not go.

    Supervisords go first, for they would start their workers again.
    """
    give_up_at = time.monotonic() + within
    while left := find_supervisords(folder) or find_all(folder):
        for pid in left:
            _kill(pid, folder)
        if time.monotonic() >= give_up_at:
            return find_all(folder)
        for pid in left:
            _await_end(pid, give_up_at)
    return []


def _is_supervisord(command: str, folder: str) -> bool:
    means = r"(?:-P -m supervisor\.supervisord|\S.*launch\.py \d+)"
    conf = re.escape(folder) + r"/[\w-]+/supervisord\.conf"
    return re.fullmatch(rf"\S.* {means} -n -c {conf}", command) is not None


def _is_worker(command: str, folder: str) -> bool:
    mark = re.escape(f"--demo={folder}")
    shape = rf"\S.* -S -E -u /.*worker\.py [a-z]+ [\w-]+ {mark}"
    return re.fullmatch(shape, command) is not None


def _find(folder: Path, is_ours: Callable[[str, str], bool]) -> list[int]:
    return [pid for pid, command in _commands() if is_ours(command, str(folder))]


def _commands() -> list[tuple[int, str]]:
    """Return pid and command line of every process of this user."""
    if sys.platform == "linux":
        pids = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
        return [(pid, command) for pid in pids if (command := _command(pid))]
    rows = _ps("-ax", "-o", "pid=,uid=,args=").splitlines()
    parts = [row.split(maxsplit=2) for row in rows]
    return [
        (int(part[0]), part[2])
        for part in parts
        if len(part) == 3 and int(part[1]) == os.getuid()
    ]


def _command(pid: int) -> str | None:
    """Return the command line of one process; None if it is gone or not ours."""
    if sys.platform != "linux":
        return _ps("-p", str(pid), "-o", "args=").strip() or None
    try:
        if Path(f"/proc/{pid}").stat().st_uid != os.getuid():
            return None
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return None
    return os.fsdecode(line).rstrip("\0").replace("\0", " ") or None


def _ps(*arguments: str) -> str:
    done = subprocess.run(  # noqa: S603 (our own words)
        ["ps", "-ww", *arguments],  # noqa: S607 (where it is differs)
        capture_output=True,
        text=True,
        timeout=_PS_DEADLINE_SECONDS,
        check=False,
    )
    return done.stdout


def _kill(pid: int, folder: Path) -> None:
    """Kill `pid` if it is still the demo's process, not one that got its number."""
    with contextlib.suppress(OSError):
        if not hasattr(os, "pidfd_open"):
            _kill_if_ours(pid, folder, lambda: os.kill(pid, signal.SIGKILL))
            return
        handle = os.pidfd_open(pid)
        try:
            _kill_if_ours(
                pid, folder, lambda: signal.pidfd_send_signal(handle, signal.SIGKILL)
            )
        finally:
            os.close(handle)


def _kill_if_ours(pid: int, folder: Path, kill: Callable[[], None]) -> None:
    command = _command(pid) or ""
    if _is_supervisord(command, str(folder)) or _is_worker(command, str(folder)):
        kill()


def _await_end(pid: int, give_up_at: float) -> None:
    """Wait for the end of a process that need not be our child."""
    left = max(0.0, give_up_at - time.monotonic())
    if not hasattr(os, "pidfd_open"):
        threading.Event().wait(min(left, _PAUSE_SECONDS))
        return
    with contextlib.suppress(OSError):  # it has gone already
        handle = os.pidfd_open(pid)
        try:
            select.select([handle], [], [], left)
        finally:
            os.close(handle)
