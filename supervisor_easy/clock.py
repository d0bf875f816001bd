"""Time as a collaborator: the wall clock, the monotonic clock, and waiting.

Nothing else in the package reads the time or sleeps, so a test can own both.
"""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What tells the time and waits."""

    def now(self) -> datetime:
        """Return the time of day, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never run backwards; only differences mean anything."""
        ...

    async def sleep(self, span: timedelta) -> None:
        """Wait for `span`, on this clock."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the time of day, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""
        return time.monotonic()

    async def sleep(self, span: timedelta) -> None:
        """Wait for `span` of real time."""
        await asyncio.sleep(span.total_seconds())
