"""Become a supervisord that ends when the demo ends, even if that is killed.

A script for a process of its own: `launch.py PARENT_PID supervisord-arguments…`,
with 0 for a parent whose death does not matter. It asks Linux for TERM at its
parent's death, which outlasts the exec; elsewhere the demo's next start clears up.
Asking here, not between fork and exec, keeps the parent's threads out of it.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Tie this process to its parent, then turn into supervisord."""
    parent, arguments = int(sys.argv[1]), sys.argv[2:]
    if parent and sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if parent and os.getppid() != parent:  # it died before we could ask
        sys.exit(1)
    command = [sys.executable, "-P", "-m", "supervisor.supervisord", *arguments]
    os.execv(sys.executable, command)  # noqa: S606 (no shell is the point)


if __name__ == "__main__":
    main()
