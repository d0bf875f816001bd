"""How many looks at hosts begin at the same moment, so that slow ones hold up nobody.

A look that lasts gives its place to the next after a moment and goes on without one;
then only the open files that a process may have bound it. It knows nothing of hosts.
"""

import asyncio
import logging
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from supervisor_easy.clock import Clock

logger = logging.getLogger(__name__)

#: How long a look keeps its place. A host that is well answers in a tenth of it.
PATIENCE = timedelta(milliseconds=500)
#: Open files that all but looks may need.
_OTHER_FILES = 512
#: Open files that are enough for every inventory.
_ENOUGH_FILES = 65_536


class Lane:
    """Places for looks; used on one loop."""

    def __init__(self, places: int, *, clock: Clock) -> None:
        self._clock = clock
        self._places = asyncio.Semaphore(places)
        self._most: asyncio.Semaphore | None = None

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Wait for a place and keep it, to the end or until the patience does."""
        if self._most is None:
            # Two lanes may be full of slow hosts.
            self._most = asyncio.Semaphore(_sockets() // 2)
        async with self._most:
            await self._places.acquire()
            keeping = asyncio.ensure_future(self._clock.sleep(PATIENCE))
            # Not in the task itself, which may be cancelled before it begins.
            keeping.add_done_callback(lambda _: self._places.release())
            try:
                yield
            finally:
                keeping.cancel()


def _sockets() -> int:
    """Return how many sockets looks may hold open.

    A login shell mostly allows 1,024 files and lets each process ask for more.
    """
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH_FILES if most < 0 else min(most, _ENOUGH_FILES)
    if 0 <= allowed < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
        except (OSError, ValueError) as error:
            logger.warning("cannot open more files files=%d: %s", allowed, error)
        else:
            allowed = wanted
    return max(_OTHER_FILES, (allowed if allowed >= 0 else wanted) - _OTHER_FILES)
