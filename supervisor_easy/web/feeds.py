"""What a stream tells: the fleet's state, or the lines of logs.

A feed is made by a view, in its thread, after every check; it runs later, on the web
server's loop. `handover` puts it where the server's shell finds it.
"""

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from flask import Response, request

from supervisor_easy.errors import FleetError
from supervisor_easy.fleet.logs import LogFanIn, LogSource
from supervisor_easy.web import sse
from supervisor_easy.web.channel import Channel
from supervisor_easy.web.context import web
from supervisor_easy.web.credentials import Credential
from supervisor_easy.web.errors import NoRoomForStream
from supervisor_easy.web.hub import Hub
from supervisor_easy.web.logtext import entry_to_dict

logger = logging.getLogger(__name__)

#: On an answer: stream from the feed in the request's scope. Never leaves the server.
HANDOVER_HEADER = "X-Fleet-Handover"
#: Where the shell finds the feed.
SCOPE_KEY = "fleet.feed"
#: Log messages that may wait for a slow viewer; each holds what gathered meanwhile.
_LOG_MESSAGES = 8
#: Entries gathered into one message at most.
_LOG_BATCH = 500


def handover(feed: "StateFeed | LogFeed") -> Response:
    """Answer with a stream that the server sends without holding this thread.

    Raises:
        NoRoomForStream: too many are open, or this server cannot stream.
    """
    scope = request.environ.get("asgi.scope")
    if scope is None:
        raise NoRoomForStream("event streams need the console's own server")
    if web().hub.is_full:
        raise NoRoomForStream("too many event streams are open; try again later")
    scope[SCOPE_KEY] = feed
    response = Response(status=200, content_type="text/event-stream; charset=utf-8")
    response.headers[HANDOVER_HEADER] = "1"
    # nginx would gather the events otherwise.
    response.headers["X-Accel-Buffering"] = "no"
    return response


@dataclass(slots=True)
class StateFeed:
    """The state of all hosts and the progress of operations."""

    credential: Credential
    last_id: str = ""

    def open(self, hub: Hub) -> Channel:
        """Begin where the viewer was."""
        return hub.watch_state(self.credential, last_id=self.last_id)

    def close(self) -> None:
        """Nothing runs for one viewer alone."""


@dataclass(slots=True)
class LogFeed:
    """The lines of some logs. A slow viewer stops the reading, and loses nothing."""

    credential: Credential
    logs: LogFanIn
    sources: Sequence[LogSource]
    lines: int
    grep: str | None
    _running: "Future[None] | None" = field(default=None, init=False)

    def open(self, hub: Hub) -> Channel:
        """Begin to read beside the engine."""
        channel = Channel(_LOG_MESSAGES, self.credential, has_names=False)
        channel.offer(sse.RETRY)
        loop = asyncio.get_running_loop()
        self._running = hub.run_on_engine(lambda: self._pump(channel, loop))
        return channel

    def close(self) -> None:
        """Stop reading."""
        if self._running is not None:
            self._running.cancel()

    async def _pump(
        self, channel: Channel, viewer_loop: asyncio.AbstractEventLoop
    ) -> None:
        """Carry entries over, gathering those that come while one message is sent."""
        waiting: list[bytes] = []
        sending: asyncio.Task[None] | None = None

        async def send() -> None:
            while waiting:
                message = b"".join(waiting)
                waiting.clear()
                await asyncio.wrap_future(
                    asyncio.run_coroutine_threadsafe(channel.put(message), viewer_loop)
                )

        entries = self.logs.follow(self.sources, lines=self.lines, grep=self.grep)
        try:
            async for entry in entries:
                waiting.append(sse.data_only(entry_to_dict(entry)))
                if sending is None or sending.done():
                    sending = asyncio.create_task(send())
                elif len(waiting) >= _LOG_BATCH:
                    await sending
        except FleetError as error:
            logger.warning("log stream ended: %s", error)
            viewer_loop.call_soon_threadsafe(channel.farewell, "error")
        finally:
            if sending is not None:
                sending.cancel()
            await entries.aclose()  # type: ignore[attr-defined]
