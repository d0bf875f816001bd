"""Runs many real supervisords cheaply: imports supervisor once, then forks.

It is run by the Python whose supervisor is wanted, with a folder that holds one folder
a host, each with its supervisord.conf. Every supervisord reads the standard input it
inherits, so all of them end in order when whoever holds the other end is gone.
"""

import os
import re
import signal
import socket
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path

from supervisor import supervisord

#: Supervisords that start at the same moment.
PARALLEL = 4
#: Seconds in which a supervisord answers, and in which all of them have ended.
PATIENCE = 60.0
_PORT = re.compile(r"^port=([\d.]+):(\d+)$", re.MULTILINE)


def main(folder: Path) -> int:
    """Start them all, say so, and wait until they have ended."""
    homes = sorted(path.parent for path in folder.glob("*/supervisord.conf"))
    pids: list[int] = []
    starting: deque[tuple[str, int]] = deque()
    for home in homes:
        pids.append(_launch(home))
        found = _PORT.search((home / "supervisord.conf").read_text())
        assert found
        starting.append((found[1], int(found[2])))
        if len(starting) >= PARALLEL:
            _await_answer(starting.popleft())
    for address in starting:
        _await_answer(address)
    sys.stdout.write("up\n")
    sys.stdout.flush()
    _await_end_of_input()
    return _await_children(pids)


def _launch(home: Path) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        os.chdir(home)
        output = os.open("output", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(output, 1)
        os.dup2(output, 2)
        threading.Thread(target=_end_with_input, daemon=True).start()
        sys.argv[:] = ["supervisord"]
        supervisord.main(["-n", "-c", "supervisord.conf"])
        status = 0
    finally:
        os._exit(status)


def _end_with_input() -> None:
    _await_end_of_input()
    os.kill(os.getpid(), signal.SIGTERM)


def _await_end_of_input() -> None:
    with suppress(OSError):
        while os.read(0, 1):
            pass


def _await_answer(address: tuple[str, int]) -> None:
    give_up_at = time.monotonic() + PATIENCE
    while time.monotonic() < give_up_at:
        with suppress(OSError), socket.create_connection(address, 1):
            return
        if os.waitpid(-1, os.WNOHANG)[0]:
            break
        time.sleep(0.01)
    raise SystemExit(f"the supervisord on {address} did not start")


def _await_children(pids: list[int]) -> int:
    give_up_at = time.monotonic() + PATIENCE / 3
    alive = set(pids)
    while alive and time.monotonic() < give_up_at:
        alive -= {pid for pid in alive if os.waitpid(pid, os.WNOHANG)[0]}
        time.sleep(0.05)
    for pid in alive:
        os.kill(pid, signal.SIGKILL)
    return len(alive)


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
