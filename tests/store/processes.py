"""Start other processes of ours, and hear what they did."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ROOT = Path(__file__).parents[2]
#: Seconds.
_DEADLINE = 60


def start(what: str, url: str, *args: str) -> "subprocess.Popen[str]":
    """Start `tests.store.other_process`."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.store.other_process", what, url, *args],
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@contextmanager
def running(what: str, url: str, *args: str) -> Iterator["subprocess.Popen[str]"]:
    """Have one that has done its work and lives on."""
    process = start(what, url, *args)
    try:
        assert process.stdout is not None
        assert process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.communicate(timeout=_DEADLINE)


def answers(*commands: tuple[str, ...]) -> list[str]:
    """Run several at the same moment; return what each said.

    All live until each has said it: one that has ended owns nothing any more.
    """
    processes = [start(*command) for command in commands]
    try:
        said = [each.stdout.readline().strip() for each in processes if each.stdout]
        for process in processes:
            process.communicate(timeout=_DEADLINE)
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0] * len(processes)
    return said
