"""A program in a terminal of its own: what it prints, keys for it, its exit code."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from tests.eventually import eventually

#: Seconds for a program to say what it should, on a loaded machine.
PATIENCE = 30.0
#: Becomes the program, with its standard input as its terminal.
_LAUNCHER = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)


class Terminal:
    """`fleet` as a person runs it."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        environ: Mapping[str, str],
        size: tuple[int, int] = (50, 200),
        program: Sequence[str] = (sys.executable, "-m", "supervisor_easy"),
    ) -> None:
        """Start it, or another program."""
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
        command = [sys.executable, "-c", _LAUNCHER, *program]
        self._process = subprocess.Popen(
            [*command, *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**environ, "TERM": "xterm-256color"},
            start_new_session=True,
        )
        os.close(slave)
        self.text = ""

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it, whatever it does."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        os.close(self._master)

    def expect(self, text: str) -> str:
        """Wait until it has printed `text`; return all it has printed."""
        eventually(
            lambda: text in self._read(),
            within=PATIENCE,
            expecting=f"{text!r} in {self.text!r}",
        )
        return self.text

    def listen(self, seconds: float) -> None:
        """Take what it prints for so long."""
        give_up_at = time.monotonic() + seconds
        while (left := give_up_at - time.monotonic()) > 0:
            select.select([self._master], [], [], min(left, 0.01))
            self._read()

    def type(self, keys: str) -> None:
        """Type keys; ETX is Ctrl-C."""
        os.write(self._master, keys.encode())

    def end(self) -> int:
        """Wait for its end and return its exit code."""
        eventually(
            lambda: self._read() is not None and self._process.poll() is not None,
            within=PATIENCE,
            expecting="the program ended",
        )
        self._read()
        return self._process.returncode

    def _read(self) -> str:
        """Take what is there now; return all there was."""
        with suppress(OSError):  # EIO: the program has gone
            while select.select([self._master], [], [], 0)[0]:
                data = os.read(self._master, 65536)
                if not data:
                    break
                self.text += data.decode("utf-8", "replace")
        return self.text
