"""A way to PostgreSQL that can fall silent: nothing comes through, nothing ends."""

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from sqlalchemy import make_url


class Relay:
    """Listens on loopback for one server."""

    def __init__(self, url: str) -> None:
        self._may_talk = asyncio.Event()
        self._may_talk.set()
        self._server = make_url(url)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._port = 0

    @property
    def url(self) -> str:
        """The server's URL by this way."""
        query = {k: v for k, v in self._server.query.items() if k != "host"}
        here = self._server.set(host="127.0.0.1", port=self._port, query=query)
        return here.render_as_string(hide_password=False)

    def fall_silent(self) -> None:
        """Hold back whatever comes."""
        self._loop.call_soon_threadsafe(self._may_talk.clear)

    def talk(self) -> None:
        """Let through what comes, and what was held back."""
        self._loop.call_soon_threadsafe(self._may_talk.set)

    def __enter__(self) -> Self:
        self._thread.start()
        self._wait_for(self._listen())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._wait_for(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _wait_for(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._port = self._listener.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        self._listener.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        host = str(self._server.query.get("host") or self._server.host)
        port = self._server.port or 5432
        if host.startswith("/"):
            path = f"{host}/.s.PGSQL.{port}"
            there_reader, there_writer = await asyncio.open_unix_connection(path)
        else:
            there_reader, there_writer = await asyncio.open_connection(host, port)
        try:
            await asyncio.gather(
                self._copy(reader, there_writer), self._copy(there_reader, writer)
            )
        finally:
            writer.close()
            there_writer.close()

    async def _copy(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                await self._may_talk.wait()
                writer.write(data)
                await writer.drain()
        writer.close()
