"""What waits for one viewer: a bounded queue of bytes on the web server's loop."""

import asyncio
from collections import deque

from supervisor_easy.web import sse
from supervisor_easy.web.credentials import Credential


class Channel:
    """One open stream. Every method belongs to the web server's loop."""

    def __init__(
        self, limit: int, credential: Credential, *, has_names: bool = True
    ) -> None:
        """Hold at most `limit` messages for whoever showed `credential`.

        Without `has_names` every event is an entry, so the server's own words are
        comments, which no reader takes for one.
        """
        self.credential = credential
        self._has_names = has_names
        self._limit = limit
        self._waiting: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._is_closed = False

    @property
    def is_closed(self) -> bool:
        """Nothing more is taken."""
        return self._is_closed

    def keep_alive(self, version: int) -> None:
        """Give a sign of life where nothing else is sent."""
        if not self._waiting:
            named = sse.event("ping", {"version": version})
            self.offer(named if self._has_names else sse.comment("keep-alive"))

    def farewell(self, reason: str) -> None:
        """Say why this is the end, and end."""
        named = sse.event("bye", {"reason": reason})
        self.close(named if self._has_names else sse.comment(f"bye: {reason}"))

    def offer(self, message: bytes) -> bool:
        """Take a message if there is room."""
        if self._is_closed:
            return True
        if len(self._waiting) >= self._limit:
            return False
        self._waiting.append(message)
        self._news.set()
        return True

    async def put(self, message: bytes) -> None:
        """Take a message, waiting for room: whoever sends must be able to wait."""
        while not self.offer(message):
            self._room.clear()
            await self._room.wait()

    def start_over(self, message: bytes) -> None:
        """Drop what waits and leave one message that says so."""
        self._waiting.clear()
        self._waiting.append(message)
        self._news.set()

    def close(self, last: bytes = b"") -> None:
        """Take nothing more; the viewer gets what waits, then `last`, then the end."""
        if self._is_closed:
            return
        if last:
            self._waiting.append(last)
        self._is_closed = True
        self._news.set()
        self._room.set()

    async def take(self) -> bytes:
        """Wait for messages and return all that are there; empty at the end."""
        while not self._waiting:
            if self._is_closed:
                return b""
            self._news.clear()
            await self._news.wait()
        messages = b"".join(self._waiting)
        self._waiting.clear()
        self._room.set()
        return messages
