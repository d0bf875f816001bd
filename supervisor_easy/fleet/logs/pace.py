"""When to look at a log again: soon while it grows, seldom while it is quiet.

What is written between our last look and a rotation cannot be read over XML-RPC any
more, so the looks close in on the moment of a foreseeable rotation: each halves the
time that is left. Pure: no I/O, no clock.
"""

import random
from datetime import timedelta

from supervisor_easy.settings import Settings

#: How much longer each pause of a quiet log is.
_SLOWER = 1.5
#: What remains of the estimated rate after a look that brought less.
_FORGET = 0.8
#: Part of the time until a rotation that may pass before the next look.
_APPROACH = 0.5

#: How many times faster than seen a process may write before that astonishes us.
_BURST = 4


class Pace:
    """The pauses of one reader."""

    def __init__(self, settings: Settings, *, maxbytes: int = 0) -> None:
        """Expect a rotation at `maxbytes`; 0: none is foreseen."""
        self._least = settings.log_poll_min.total_seconds()
        self._most = settings.log_poll_max.total_seconds()
        self._hurry = settings.log_poll_rotation.total_seconds()
        self._retry_most = settings.log_retry_max.total_seconds()
        self._maxbytes = maxbytes
        self._pause = self._least
        self._retry = self._least
        self._rate = 0.0

    def after_read(self, count: int, *, elapsed: float, offset: int) -> timedelta:
        """Return the pause after a look that brought `count` bytes up to `offset`."""
        self._retry = self._least
        rate = count / max(elapsed, self._hurry)
        self._rate = max(rate, self._rate * _FORGET)
        slower = min(self._pause * _SLOWER, self._most)
        self._pause = self._least if count else slower
        left = self._maxbytes - offset
        if left <= 0 or self._rate < 1:
            return timedelta(seconds=self._pause)
        until_rotation = left / self._rate * _APPROACH
        hurried = max(self._hurry, until_rotation)
        return timedelta(seconds=min(self._pause, hurried))

    def may_have_reached(self, maxbytes: int, offset: int, *, elapsed: float) -> bool:
        """At the rate seen, the file may have grown to `maxbytes` in `elapsed`."""
        return offset + self._rate * elapsed * _BURST >= maxbytes

    def after_rotation(self, offset: int) -> None:
        """Learn from a file that was replaced when we stood at `offset`.

        Only a guess where the configuration is not known; it makes us look sooner at
        the next file of about that size.
        """
        if self._maxbytes == 0:
            self._maxbytes = offset
        self._pause = self._least

    def after_failure(self) -> timedelta:
        """Return the pause after a look that failed: longer each time, with jitter."""
        self._retry = min(self._retry * 2, self._retry_most)
        spread = random.uniform(0.5, 1.0)  # noqa: S311 — not a secret
        return timedelta(seconds=self._retry * spread)
