"""A host that misbehaves on the wire: each behaviour is one function.

`with HostileHost(answers(b"...")) as hostile:` listens on loopback in a thread of its
own, so that it can be asked from any loop or thread.
"""

import asyncio
import itertools
import ssl
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from types import TracebackType
from typing import Self

from supervisor_easy.model import Host
from tests.eventually import eventually

Behaviour = Callable[["Exchange"], Awaitable[None]]

OK_REPLY = (
    b"<?xml version='1.0'?><methodResponse><params><param><value><boolean>1</boolean>"
    b"</value></param></params></methodResponse>"
)


class Exchange:
    """One request as it came, and the line back."""

    def __init__(self, head: bytes, body: bytes, writer: asyncio.StreamWriter) -> None:
        self.head = head
        self.body = body
        self.writer = writer

    @property
    def path(self) -> str:
        """The path that was asked for."""
        return self.head.split(b" ", 2)[1].decode()

    async def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.writer.write(data)
        await self.writer.drain()

    async def answer(
        self,
        body: bytes,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Send a proper HTTP answer."""
        lines = {"Content-Length": str(len(body)), **(headers or {})}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        await self.send(f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + body)


class HostileHost:
    """A listening socket with a behaviour; keeps what it was asked."""

    def __init__(
        self, behaviour: Behaviour, *, tls: ssl.SSLContext | None = None
    ) -> None:
        self.behaviour = behaviour
        #: Every request so far.
        self.exchanges: list[Exchange] = []
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._port = 0
        self._connections = 0

    @property
    def connections(self) -> int:
        """How many connections were made so far."""
        return self._connections

    @property
    def host(self) -> Host:
        """It as a host of the inventory, with short timeouts."""
        scheme = "https" if self._tls else "http"
        return Host(
            name="hostile",
            url=f"{scheme}://127.0.0.1:{self._port}",
            username="fleet",
            password="s3cret-Pässword",
            connect_timeout=timedelta(seconds=5),
            request_timeout=timedelta(seconds=5),
        )

    @property
    def impatient(self) -> Host:
        """The same with a short deadline, for behaviours that never end."""
        return replace(self.host, request_timeout=timedelta(seconds=0.4))

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._listen())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _run(self, coroutine: Awaitable[None]) -> None:
        async def wrapped() -> None:
            await coroutine

        asyncio.run_coroutine_threadsafe(wrapped(), self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", 0, ssl=self._tls
        )
        self._port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        self._server.close()
        tasks = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=5) if tasks else None

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._connections += 1
        try:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while not writer.is_closing():
                    head = await reader.readuntil(b"\r\n\r\n")
                    body = await reader.readexactly(_content_length(head))
                    exchange = Exchange(head, body, writer)
                    self.exchanges.append(exchange)
                    await self.behaviour(exchange)
        finally:
            writer.close()


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


def answers(
    body: bytes = OK_REPLY,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Behaviour:
    """Answer every request with this."""

    async def behave(exchange: Exchange) -> None:
        await exchange.answer(body, status=status, headers=headers)

    return behave


def sends(data: bytes, *, is_closing: bool = True) -> Behaviour:
    """Send these bytes, whatever they are, and close."""

    async def behave(exchange: Exchange) -> None:
        await exchange.send(data)
        if is_closing:
            exchange.writer.close()

    return behave


def drips(start: bytes, *, every: float = 0.05, drop: bytes = b" ") -> Behaviour:
    """Send a beginning, then one drop at a time, for ever."""

    async def behave(exchange: Exchange) -> None:
        await exchange.send(start)
        for _ in itertools.count():
            await asyncio.sleep(every)
            await exchange.send(drop)

    return behave


def floods(start: bytes, wave: bytes) -> Behaviour:
    """Send a beginning, then the same again and again, as fast as it goes."""

    async def behave(exchange: Exchange) -> None:
        await exchange.send(start)
        while True:
            await exchange.send(wave)

    return behave


async def hangs(exchange: Exchange) -> None:
    """Take the request and never answer."""
    await asyncio.sleep(3600)


async def closes(exchange: Exchange) -> None:
    """Take the request and close."""
    exchange.writer.close()


async def resets(exchange: Exchange) -> None:
    """Take the request and reset the connection."""
    exchange.writer.transport.abort()


def answers_then_closes(count: int) -> Behaviour:
    """Answer so many requests, then close at each further one, unasked."""
    left = itertools.count(count, -1)

    async def behave(exchange: Exchange) -> None:
        if next(left) > 0:
            await exchange.answer(OK_REPLY)
        else:
            exchange.writer.close()

    return behave


def wait_for_requests(hostile: HostileHost, count: int) -> None:
    """Wait until so many requests have come."""
    eventually(lambda: len(hostile.exchanges) >= count)
