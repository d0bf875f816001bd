"""All open event streams, on the web server's loop; nobody holds a thread.

What the engine's loop tells is gathered for a moment, made into bytes once and given
to every viewer in small batches. A viewer that is too slow loses its queue and is told
to look again (`resync`); it never slows anybody else.
"""

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from datetime import timedelta
from typing import Any, Protocol

from supervisor_easy.engine import Engine
from supervisor_easy.errors import FleetError
from supervisor_easy.services import Services
from supervisor_easy.web import sse
from supervisor_easy.web.changes import Changes
from supervisor_easy.web.channel import Channel
from supervisor_easy.web.credentials import Credential

logger = logging.getLogger(__name__)

#: Viewers served between two turns of everybody else; larger makes pages wait.
BATCH = 25
#: How long news gathers before it is sent; short against any poll interval.
GATHER = timedelta(milliseconds=50)
#: One keep-alive for all, and the look at whose login has ended.
KEEP_ALIVE = timedelta(seconds=15)


class Feed(Protocol):
    """Somebody's request for a stream, made by a view that has checked everything."""

    @property
    def credential(self) -> Credential:
        """What the viewer showed."""
        ...

    def open(self, hub: "Hub") -> Channel:
        """Begin; on the web server's loop."""
        ...

    def close(self) -> None:
        """End what feeds the channel; on the web server's loop."""
        ...


class Hub:
    """The streams of one console."""

    def __init__(self, services: Services, engine: Engine) -> None:
        """Make it; `start` begins."""
        self._services = services
        self._engine = engine
        self._settings = services.settings
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changes = Changes(services.state, services.actions, wake=self._wake_up)
        self._news = asyncio.Event()
        self._channels: set[Channel] = set()
        self._watchers: set[Channel] = set()
        # The last messages, for a viewer whose connection broke for a moment.
        self._recent: deque[tuple[str, bytes]] = deque(
            maxlen=self._settings.stream_buffer
        )
        self._run = secrets.token_hex(4)
        self._number = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._end_feed: Callable[[], None] | None = None
        self._is_open = False

    # -- life, on the web server's loop

    async def start(self) -> None:
        """Listen to the engine and begin to publish."""
        self._loop = asyncio.get_running_loop()
        self._end_feed = await self._on_engine(self._changes.subscribe)
        self._is_open = True
        self._tasks = [
            asyncio.create_task(self._guard(self._publish_news()), name="hub news"),
            asyncio.create_task(self._guard(self._keep_alive()), name="hub keep-alive"),
        ]

    async def stop(self) -> None:
        """End all streams and stop listening."""
        self.close_all()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._end_feed is not None:
            end, self._end_feed = self._end_feed, None
            await self._on_engine(end)
        self._loop = None

    def close_all(self) -> None:
        """Take no more viewers and end the streams that are open."""
        self._is_open = False
        for channel in tuple(self._channels):
            channel.farewell("restart")

    # -- viewers, on the web server's loop

    @property
    def count(self) -> int:
        """How many streams are open; any thread may ask."""
        return len(self._channels)

    @property
    def is_full(self) -> bool:
        """No stream more is taken; any thread may ask."""
        return not self._is_open or self.count >= self._settings.max_streams

    def open(self, feed: Feed) -> Channel | None:
        """Begin a stream; None if there is no room."""
        if self.is_full:
            return None
        channel = feed.open(self)
        self._channels.add(channel)
        return channel

    def close(self, feed: Feed, channel: Channel) -> None:
        """Forget a stream whose viewer has gone."""
        self._channels.discard(channel)
        self._watchers.discard(channel)
        channel.close()
        feed.close()

    def watch_state(self, credential: Credential, *, last_id: str) -> Channel:
        """Return a channel of state and operations, from where the viewer was."""
        channel = Channel(self._settings.stream_buffer, credential)
        self._watchers.add(channel)
        missed = self._since(last_id) if last_id else []
        version = self._services.state.snapshot().version
        hello = {"version": version, "run": self._run, "is_complete": True}
        if missed is None:
            channel.offer(sse.RETRY + self._resync())
        else:
            channel.offer(sse.RETRY + sse.event("hello", hello) + b"".join(missed))
        return channel

    def _since(self, last_id: str) -> list[bytes] | None:
        """Return what came after an event, or None if nobody knows any more."""
        if last_id == self._id():
            return []
        ids = [event_id for event_id, _ in self._recent]
        if last_id not in ids:
            return None
        place = ids.index(last_id)
        return [message for _, message in list(self._recent)[place + 1 :]]

    def _resync(self) -> bytes:
        version = self._services.state.snapshot().version
        return sse.event(
            "resync", {"version": version, "run": self._run}, event_id=self._id()
        )

    def _id(self) -> str:
        return f"{self._run}-{self._number}"

    # -- logins that end; from any thread

    def end_streams_of(self, credential: Credential) -> None:
        """End the streams of a login that has ended."""
        loop = self._loop
        if loop is not None:
            loop.call_soon_threadsafe(self._end_streams_of, credential)

    def _end_streams_of(self, credential: Credential) -> None:
        for channel in tuple(self._channels):
            if channel.credential == credential:
                channel.farewell("logged_out")

    # -- publishing

    def _wake_up(self) -> None:
        loop = self._loop
        if loop is not None:
            # The loop may close between the two lines; then nobody wants the news.
            try:
                loop.call_soon_threadsafe(self._news.set)
            except RuntimeError:
                logger.debug("news after the end")

    async def _publish_news(self) -> None:
        while True:
            await self._news.wait()
            await asyncio.sleep(GATHER.total_seconds())
            self._news.clear()
            # Building a large message takes time that the loop does not have.
            for name, data in await asyncio.to_thread(self._changes.take):
                await self._publish(name, data)

    async def _publish(self, name: str, data: Any) -> None:
        self._number += 1
        message = sse.event(name, data, event_id=self._id())
        self._recent.append((self._id(), message))
        for place, channel in enumerate(tuple(self._watchers), start=1):
            if not channel.offer(message):
                channel.start_over(self._resync())
            if place % BATCH == 0:
                await asyncio.sleep(0)

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(KEEP_ALIVE.total_seconds())
            version = self._services.state.snapshot().version
            for place, channel in enumerate(tuple(self._channels), start=1):
                channel.keep_alive(version)
                if place % BATCH == 0:
                    await asyncio.sleep(0)
            await self._end_old_logins()

    async def _end_old_logins(self) -> None:
        shown = {channel.credential for channel in self._channels}
        try:
            ended = await asyncio.to_thread(
                lambda: [each for each in shown if not each.is_good(self._services)]
            )
        except FleetError as error:
            logger.warning("cannot look whose login has ended: %s", error)
            return
        for each in ended:
            self._end_streams_of(each)

    # -- the engine's loop

    def run_on_engine(
        self, work: Callable[[], Coroutine[Any, Any, None]]
    ) -> "Future[None]":
        """Begin work beside the engine, such as following logs."""
        return self._engine.submit(work)

    async def _on_engine(self, function: Callable[[], Any]) -> Any:
        async def call() -> Any:
            return function()

        return await asyncio.wrap_future(self._engine.submit(call))

    async def _guard(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception:
            # The task's edge: nobody awaits it before the end.
            logger.exception("the event streams have stopped")
            self.close_all()
            raise
