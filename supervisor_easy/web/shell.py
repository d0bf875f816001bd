"""The thin ASGI layer around Flask: streams leave here, and nothing holds a thread.

Bodies are read before and answers are sent after Flask ran, both with a deadline, so
that a slow client costs memory for a while and never one of the few threads.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, cast

from a2wsgi import WSGIMiddleware
from flask import Flask

from supervisor_easy.settings import Settings
from supervisor_easy.web.errors import error_body
from supervisor_easy.web.feeds import HANDOVER_HEADER, SCOPE_KEY
from supervisor_easy.web.hub import Feed, Hub
from supervisor_easy.web.security import HEADERS

logger = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_PRIVATE = HANDOVER_HEADER.lower().encode()


class _Refused(Exception):
    """The request ends here, with this answer."""

    def __init__(self, status: int, code: str, message: str) -> None:
        self.status = status
        self.code = code
        super().__init__(message)


class Shell:
    """The ASGI application of the console."""

    def __init__(self, app: Flask, hub: Hub, *, settings: Settings) -> None:
        """Run `app` in `web_threads` threads."""
        self._hub = hub
        self._limit = settings.max_request_bytes
        self._patience = settings.client_timeout.total_seconds()
        self._wsgi = WSGIMiddleware(
            cast("Any", app.wsgi_app), workers=settings.web_threads
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection of the server."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await self._hub.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._hub.stop()
        self._wsgi.executor.shutdown(wait=False, cancel_futures=True)
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await self._read(scope, receive)
        except _Refused as refused:
            await self._send_all(_refusal(scope, refused), send)
            return
        if body is None:  # the client went away
            return
        messages = await self._run_flask(scope, body)
        start, rest = _split(messages)
        feed = scope.pop(SCOPE_KEY, None)
        if _strip(start) and feed is not None and scope["method"] == "GET":
            await self._stream(cast("Feed", feed), scope, start, receive, send)
        else:
            await self._send_all([start, rest], send)

    # -- the request

    async def _read(self, scope: Scope, receive: Receive) -> bytes | None:
        """Return the whole body, None if the client has gone."""
        headers = dict(scope["headers"])
        said = headers.get(b"content-length", b"0")
        if said.isdigit() and int(said) > self._limit:
            raise _Refused(413, "too_large", "the request is too large")
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._patience):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
                    if size > self._limit:
                        raise _Refused(413, "too_large", "the request is too large")
                    if not message.get("more_body"):
                        return b"".join(parts)
        except TimeoutError:
            raise _Refused(408, "timeout", "the request took too long") from None

    async def _run_flask(self, scope: Scope, body: bytes) -> list[Message]:
        messages: list[Message] = []
        # What comes in chunks has no length of its own, and WSGI goes by the length.
        kept = [
            (name, value)
            for name, value in scope["headers"]
            if name not in (b"content-length", b"transfer-encoding")
        ]
        scope["headers"] = [*kept, (b"content-length", str(len(body)).encode())]

        async def replay() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def collect(message: Message) -> None:
            messages.append(message)

        await self._wsgi(cast("Any", scope), cast("Any", replay), cast("Any", collect))
        return messages

    # -- the answer

    async def _send_all(self, messages: list[Message], send: Send) -> None:
        try:
            async with asyncio.timeout(self._patience):
                for message in messages:
                    await send(message)
        except TimeoutError:
            logger.info("a client took its answer too slowly and was left")

    async def _stream(
        self, feed: Feed, scope: Scope, start: Message, receive: Receive, send: Send
    ) -> None:
        channel = self._hub.open(feed)
        if channel is None:
            refused = _Refused(503, "too_many_streams", "too many streams are open")
            await self._send_all(_refusal(scope, refused), send)
            return
        start["headers"] = [
            (name, value)
            for name, value in start["headers"]
            if name != b"content-length"
        ]

        async def wait_for_end() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            channel.close()

        watching = asyncio.create_task(wait_for_end())
        try:
            await send(start)
            while chunk := await channel.take():
                async with asyncio.timeout(self._patience):
                    await send(_body(chunk, is_last=False))
            await send(_body(b"", is_last=True))
        except TimeoutError:
            logger.info("a viewer does not read its stream and was left")
        finally:
            self._hub.close(feed, channel)
            watching.cancel()


def _split(messages: list[Message]) -> tuple[Message, Message]:
    """Return the start of an answer and its whole body as one message."""
    start = next(m for m in messages if m["type"] == "http.response.start")
    body = b"".join(
        m.get("body", b"") for m in messages if m["type"] == "http.response.body"
    )
    return start, _body(body, is_last=True)


def _strip(start: Message) -> bool:
    """Take the private header off every answer; say whether it was there."""
    kept = [(name, value) for name, value in start["headers"] if name != _PRIVATE]
    was_there = len(kept) != len(start["headers"])
    start["headers"] = kept
    return was_there


def _body(data: bytes, *, is_last: bool) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": not is_last}


def _refusal(scope: Scope, refused: _Refused) -> list[Message]:
    text = str(refused)
    kind = b"text/plain; charset=utf-8"
    if "/api/" in scope["path"]:
        text = json.dumps(error_body(refused.code, text, {}))
        kind = b"application/json"
    body = text.encode()
    headers = [(n.lower().encode(), v.encode()) for n, v in HEADERS.items()]
    headers += [
        (b"content-type", kind),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    start = {
        "type": "http.response.start",
        "status": refused.status,
        "headers": headers,
    }
    return [start, _body(body, is_last=True)]
