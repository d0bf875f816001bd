"""Bodies to hosts and back: HTTP, HTTPS and unix sockets, every wait bounded.

It knows nothing of XML-RPC. It follows no redirect, keeps no cookie, uses no proxy of
the environment, and holds nothing larger than `max_reply_bytes`.
"""

import asyncio
import base64
import logging
import socket
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit
from weakref import WeakSet

import aiohttp
from yarl import URL

from supervisor_easy.errors import BadReply, HostUnreachable, RpcError
from supervisor_easy.model import Host
from supervisor_easy.rpc.network import (
    network_error,
    status_error,
    timeout_error,
    unsendable,
)
from supervisor_easy.rpc.resolver import Resolver
from supervisor_easy.settings import Settings

logger = logging.getLogger(__name__)

#: Where supervisord answers, below the path of the host's URL.
DEFAULT_PATH = "/RPC2"
#: Seconds that a resolved name is kept.
_NAME_TTL = 30
#: Seconds that an idle connection for commands is kept; supervisord itself keeps it
#: for 30 minutes, proxies mostly for a minute.
_KEEPALIVE = 15.0

#: Most turns of the loop in which a connection that was cut finishes to close.
_CLOSING_TURNS = 50

_HEADERS = {
    "Content-Type": "text/xml",
    "Accept": "text/xml",
    "Accept-Encoding": "identity",
    "User-Agent": "supervisor-easy",
}


class Exchange(Enum):
    """What kind of request this is, which decides on connection and retry."""

    #: A large answer: on a connection of its own, because supervisord stalls for
    #: 40 ms on a kept one for each answer above 4 KB (Nagle and delayed ACK).
    POLL = "poll"
    #: A small question, on a kept connection; asked again if that was stale.
    QUERY = "query"
    #: It changes something: on a kept connection, and never sent twice.
    COMMAND = "command"
    #: As `COMMAND`, on a connection of its own.
    LONE_COMMAND = "lone_command"

    @property
    def is_fresh(self) -> bool:
        """It gets a new connection."""
        return self in (Exchange.POLL, Exchange.LONE_COMMAND)


@dataclass(slots=True)
class _Progress:
    """How far a request got; the HTTP client's tracing fills it in."""

    was_sent: bool = False
    was_reused: bool = False


@dataclass(frozen=True, slots=True)
class _Sessions:
    fresh: aiohttp.ClientSession
    kept: aiohttp.ClientSession

    def of(self, exchange: Exchange) -> aiohttp.ClientSession:
        return self.fresh if exchange.is_fresh else self.kept


class Connections:
    """All connections of this program to supervisords.

    Made, used and closed on one asyncio loop: `async with Connections(settings)`.
    """

    def __init__(self, settings: Settings) -> None:
        """Take the bounds from the settings; nothing is opened yet."""
        self._max_bytes = settings.max_reply_bytes
        self._resolver = Resolver(settings.dns_threads)
        self._sessions: dict[str, _Sessions] = {}
        self._tls: dict[tuple[object, ...], tuple[object, ssl.SSLContext]] = {}
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._is_closed = False

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close everything."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection; later requests fail."""
        self._is_closed = True
        for sessions in self._sessions.values():
            await sessions.fresh.close()
            await sessions.kept.close()
        self._sessions.clear()
        await self._cut_lingering()
        await self._resolver.close()

    async def _cut_lingering(self) -> None:
        """Cut TLS connections whose goodbye the other side does not answer.

        The HTTP client has let go of them, and would leave them to the loop.
        """
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for _ in range(_CLOSING_TURNS):
            if all(each.fileno() < 0 for each in self._sockets):
                return
            await asyncio.sleep(0)

    def _make_socket(self, address: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, protocol, _, _ = address
        made = socket.socket(family, kind, protocol)
        self._sockets.add(made)
        return made

    async def post(self, host: Host, body: bytes, *, exchange: Exchange) -> bytes:
        """Send one body and return the reply's, within the host's `request_timeout`.

        Raises:
            HostUnreachable: no answer; `maybe_executed` once the request had left.
            AuthenticationFailed: 401 or 403.
            BadReply: another status than 200, cut off, or too large.
        """
        progress, began = _Progress(), time.monotonic()
        try:
            async with asyncio.timeout(host.request_timeout.total_seconds()):
                try:
                    return await self._attempt(host, body, exchange, progress)
                except HostUnreachable as error:
                    if not _is_stale(error, exchange, progress):
                        raise
                progress = _Progress()
                return await self._attempt(host, body, Exchange.POLL, progress)
        except TimeoutError as exc:
            raise timeout_error(host, was_sent=progress.was_sent) from exc
        finally:
            logger.debug(
                "rpc exchange host=%s kind=%s sent_bytes=%d seconds=%.3f",
                host.name,
                exchange.value,
                len(body),
                time.monotonic() - began,
            )

    async def _attempt(
        self, host: Host, body: bytes, exchange: Exchange, progress: _Progress
    ) -> bytes:
        if self._is_closed:
            raise HostUnreachable(
                f"{host.name}: not asked, because this program is ending",
                host=host.name,
                reason="closed",
            )
        try:
            return await self._exchange(host, body, exchange, progress)
        except aiohttp.ClientResponseError as exc:
            # Not chained: this exception carries our request's headers.
            failure: RpcError = network_error(exc, host, was_sent=True)
        except (aiohttp.ClientError, OSError) as exc:
            # Our own deadline arrives as a cancellation, so this timeout is the
            # connection's.
            raise network_error(exc, host, was_sent=progress.was_sent) from exc
        except ValueError as exc:
            # A name no resolver takes, a text no header holds. Not chained: it may
            # quote the password.
            failure = unsendable(exc, host, was_sent=progress.was_sent)
        raise failure from None

    async def _exchange(
        self, host: Host, body: bytes, exchange: Exchange, progress: _Progress
    ) -> bytes:
        url, socket_path = _address(host)
        session = self._session(socket_path).of(exchange)
        async with session.post(
            url,
            data=body,
            headers=_headers(host, exchange),
            allow_redirects=False,
            ssl=self._tls_context(host) if url.scheme == "https" else True,
            timeout=aiohttp.ClientTimeout(
                total=None, connect=host.connect_timeout.total_seconds()
            ),
            trace_request_ctx=progress,
        ) as response:
            if response.status != 200:
                location = response.headers.get("Location")
                response.close()
                raise status_error(response.status, location, host)
            try:
                return await self._read(response, host)
            except BaseException:
                response.close()
                raise

    async def _read(self, response: aiohttp.ClientResponse, host: Host) -> bytes:
        announced = response.content_length or 0
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise BadReply(
                f"{host.name}: {host.display_url} compresses its reply, which was not "
                "asked for",
                host=host.name,
                status=200,
            )
        pieces: list[bytes] = []
        size = 0
        while size <= self._max_bytes and announced <= self._max_bytes:
            piece = await response.content.readany()
            if not piece:
                return b"".join(pieces)
            pieces.append(piece)
            size += len(piece)
        raise BadReply(
            f"{host.name}: the reply of {host.display_url} is larger than "
            f"{self._max_bytes} bytes (max_reply_bytes)",
            host=host.name,
            status=200,
        )

    def _session(self, socket_path: str | None) -> _Sessions:
        key = socket_path or ""
        if key not in self._sessions:
            self._sessions[key] = _Sessions(
                fresh=_make_session(self._connector(socket_path, is_kept=False)),
                kept=_make_session(self._connector(socket_path, is_kept=True)),
            )
        return self._sessions[key]

    def _connector(
        self, socket_path: str | None, *, is_kept: bool
    ) -> aiohttp.BaseConnector:
        keepalive = _KEEPALIVE if is_kept else None
        if socket_path is not None:
            return aiohttp.UnixConnector(
                socket_path,
                force_close=not is_kept,
                keepalive_timeout=keepalive,
                limit=0,
            )
        return aiohttp.TCPConnector(
            resolver=self._resolver,
            socket_factory=self._make_socket,
            ttl_dns_cache=_NAME_TTL,
            dns_cache_max_size=10_000,
            force_close=not is_kept,
            keepalive_timeout=keepalive,
            limit=0,
        )

    def _tls_context(self, host: Host) -> ssl.SSLContext:
        files = (host.ca_file, host.client_cert, host.client_key)
        key = (*files, host.verify_tls)
        try:
            # Certificates are renewed while we run.
            changed = tuple(Path(file).stat().st_mtime_ns for file in files if file)
            known = self._tls.get(key)
            if known is None or known[0] != changed:
                self._tls[key] = known = (changed, _make_tls_context(host))
        except OSError as exc:  # ssl.SSLError is one
            name = exc.filename or ", ".join(file for file in files if file)
            raise HostUnreachable(
                f"{host.name}: cannot use the certificate files {name}: "
                f"{exc.strerror or exc}",
                host=host.name,
                reason="tls",
            ) from exc
        return known[1]


def _is_stale(error: HostUnreachable, exchange: Exchange, progress: _Progress) -> bool:
    return (
        exchange is Exchange.QUERY and progress.was_reused and error.reason == "closed"
    )


def _address(host: Host) -> tuple[URL, str | None]:
    """Return the URL to post to, without any credentials, and the unix socket."""
    parts = urlsplit(host.url)
    if parts.scheme == "unix":
        return URL(f"http://localhost{DEFAULT_PATH}"), unquote(parts.path)
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="")
    # A path is where a proxy put this supervisord; its own path follows.
    base = bare.path.rstrip("/").removesuffix(DEFAULT_PATH)
    return URL(bare._replace(path=base + DEFAULT_PATH).geturl()), None


def _headers(host: Host, exchange: Exchange) -> dict[str, str]:
    headers = dict(_HEADERS)
    if exchange.is_fresh:
        headers["Connection"] = "close"
    if host.username is not None:
        secret = f"{host.username}:{host.password or ''}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(secret).decode('ascii')}"
    return headers


def _make_tls_context(host: Host) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=host.ca_file)
    if host.client_cert:
        context.load_cert_chain(host.client_cert, host.client_key, password="")
    if not host.verify_tls:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _make_session(connector: aiohttp.BaseConnector) -> aiohttp.ClientSession:
    tracing = aiohttp.TraceConfig()
    tracing.on_connection_reuseconn.append(_note_reuse)
    tracing.on_request_headers_sent.append(_note_sent)
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        trace_configs=[tracing],
    )


async def _note_reuse(
    _session: aiohttp.ClientSession,
    context: SimpleNamespace,
    _params: aiohttp.TraceConnectionReuseconnParams,
) -> None:
    context.trace_request_ctx.was_reused = True


async def _note_sent(
    _session: aiohttp.ClientSession,
    context: SimpleNamespace,
    _params: aiohttp.TraceRequestHeadersSentParams,
) -> None:
    context.trace_request_ctx.was_sent = True
