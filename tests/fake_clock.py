"""A clock that the test owns.

`FakeClock()` moves only when told to (`advance`). `FakeClock(is_auto=True)` jumps to
the next sleeper as soon as every task of the loop waits, so hours pass in no time; use
that one only where nothing waits for a real socket or thread.
"""

import asyncio
import heapq
import itertools
import threading
from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

#: Turns of the loop without a new sleeper after which every task is taken to wait.
_IDLE_TURNS = 30


class FakeClock:
    """A `Clock` under the test's control; safe to advance from another thread."""

    def __init__(self, start: datetime = START, *, is_auto: bool = False) -> None:
        """Begin at `start`, with the monotonic clock at 1000 seconds."""
        self._start = start
        self._elapsed = timedelta(0)
        self._is_auto = is_auto
        self._lock = threading.Lock()
        self._order = itertools.count()
        self._sleepers: list[
            tuple[timedelta, int, asyncio.AbstractEventLoop, asyncio.Future[None]]
        ] = []

    def now(self) -> datetime:
        """Return the time of day."""
        return self._start + self._elapsed

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""
        return 1000.0 + self._elapsed.total_seconds()

    async def sleep(self, span: timedelta) -> None:
        """Wait until the clock has moved by `span`; let others run in any case."""
        if span <= timedelta(0):
            await asyncio.sleep(0)
            return
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        with self._lock:
            entry = (self._elapsed + span, next(self._order), loop, future)
            heapq.heappush(self._sleepers, entry)
        if self._is_auto:
            self._jump_when_idle(loop, entry[1], _IDLE_TURNS)
        await future

    def advance(self, span: timedelta | float) -> None:
        """Move on by a span (or seconds), and wake whoever is due, in order."""
        span = timedelta(seconds=span) if isinstance(span, int | float) else span
        with self._lock:
            goal = self._elapsed + span
        self._move_to(goal)

    def set_back(self, span: timedelta) -> None:
        """Set the time of day back, as a clock step does; monotonic time stays."""
        self._start -= span

    @property
    def sleepers(self) -> int:
        """How many tasks wait on this clock."""
        with self._lock:
            return sum(not future.done() for *_, future in self._sleepers)

    def _move_to(self, goal: timedelta) -> None:
        with self._lock:
            self._elapsed = max(self._elapsed, goal)
            due = []
            while self._sleepers and self._sleepers[0][0] <= self._elapsed:
                due.append(heapq.heappop(self._sleepers))
        for _, _, loop, future in due:
            if not loop.is_closed():
                loop.call_soon_threadsafe(_wake, future)

    def _jump_when_idle(
        self, loop: asyncio.AbstractEventLoop, newest: int, turns: int
    ) -> None:
        if turns:
            loop.call_soon(self._jump_when_idle, loop, newest, turns - 1)
            return
        with self._lock:
            while self._sleepers and self._sleepers[0][3].done():
                heapq.heappop(self._sleepers)
            # A later sleeper has a countdown of its own.
            is_latest = all(order <= newest for _, order, *_ in self._sleepers)
            goal = self._sleepers[0][0] if self._sleepers else None
        if goal is not None and is_latest:
            self._move_to(goal)
            if self.sleepers:
                self._jump_when_idle(loop, newest, _IDLE_TURNS)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
