"""Runs the console: one web server and one engine in this process.

TLS is a proxy's work. The server ends in order: streams first, then what is being
answered, within a limit; the engine belongs to the caller, who stops it after.
"""

import asyncio
import contextlib
import errno
import logging
import os
import signal
import socket
import stat
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn

from supervisor_easy.engine import Engine
from supervisor_easy.errors import ConfigError
from supervisor_easy.services import Services
from supervisor_easy.settings import Settings
from supervisor_easy.web.app import create_app
from supervisor_easy.web.hub import Hub
from supervisor_easy.web.metrics import OperationMetrics
from supervisor_easy.web.patience import protocol_with
from supervisor_easy.web.security import is_loopback
from supervisor_easy.web.shell import Shell

logger = logging.getLogger(__name__)

#: Seconds for requests under way when the console ends.
GRACE = 5
#: Connections beside the streams: pages, programs, proxies.
_OTHER_CONNECTIONS = 1000
_BACKLOG = 1024
_UNIX = "unix:"


def serve(
    services: Services,
    engine: Engine,
    *,
    ready: Callable[[str], None] | None = None,
    ends_on_hangup: bool = False,
) -> int:
    """Serve the console until SIGINT or SIGTERM; return the exit code.

    `engine` is started already and watches. `ready` is told the URL as soon as the
    console answers. SIGHUP reads the inventory and its secrets again, or ends the
    console if it `ends_on_hangup`, as what lives in one terminal should.

    Raises:
        ConfigError: the address is taken, or no address at all.
    """
    console = make_console(services, engine, ready=ready, ends_on_hangup=ends_on_hangup)
    console.run()
    return 0


class Console(uvicorn.Server):
    """The server with our way to end it."""

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        hub: Hub,
        listener: socket.socket,
        reload: Callable[[], bool],
        ready: Callable[[str], None] | None,
        ends_on_hangup: bool,
    ) -> None:
        super().__init__(config)
        self._hub = hub
        self._listener = listener
        self._reload = reload
        self._ready = ready
        self._ends_on_hangup = ends_on_hangup
        self._serving: asyncio.AbstractEventLoop | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return _url_of(self._listener)

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve in this thread until told to end."""
        path = _socket_path(self._listener)
        try:
            super().run(sockets or [self._listener])
        finally:
            self._listener.close()
            if path is not None:
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """End it, from any thread."""
        loop = self._serving
        if loop is None:
            self.should_exit = True
        else:
            with contextlib.suppress(RuntimeError):  # it has ended already
                loop.call_soon_threadsafe(self.handle_exit, signal.SIGTERM, None)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer, and say so."""
        self._serving = asyncio.get_running_loop()
        await super().startup(sockets)
        logger.info("the console answers url=%s", self.url)
        if self._ready is not None:
            self._ready(self.url)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End the streams first: the server waits for what is still being sent."""
        self._hub.close_all()
        super().handle_exit(sig, frame)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take signals on the loop, so that ending by one is an orderly end."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        loop.add_signal_handler(signal.SIGHUP, self._hang_up)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                loop.remove_signal_handler(number)

    def _hang_up(self) -> None:
        if self._ends_on_hangup:
            self.handle_exit(signal.SIGHUP, None)
            return
        # Reading files takes a thread; nobody waits for its end.
        asyncio.get_running_loop().run_in_executor(None, self._reload)


def make_console(
    services: Services,
    engine: Engine,
    *,
    ready: Callable[[str], None] | None = None,
    ends_on_hangup: bool = False,
) -> Console:
    """Listen, and return the server that will answer.

    Raises:
        ConfigError: the address is taken or unusable.
    """
    settings = services.settings
    listener = listen(settings.bind)
    try:
        hub = Hub(services, engine)
        metrics = OperationMetrics(services.actions)
        app = create_app(services, engine, hub=hub, metrics=metrics)
        engine.call(_calling(metrics.subscribe))
    except BaseException:
        listener.close()
        raise
    _warn_about_exposure(settings)
    config = uvicorn.Config(
        Shell(app, hub, settings=settings),
        lifespan="on",
        interface="asgi3",
        # Named, so that no other package that happens to be there takes its place.
        http=protocol_with(settings.client_timeout),
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=settings.max_streams + _OTHER_CONNECTIONS,
        timeout_graceful_shutdown=GRACE,
    )
    return Console(
        config,
        hub=hub,
        listener=listener,
        reload=engine.reload_inventory,
        ready=ready,
        ends_on_hangup=ends_on_hangup,
    )


def listen(bind: str) -> socket.socket:
    """Return a listening socket for `ADDRESS:PORT` or `unix:/path`.

    Raises:
        ConfigError: the text is unusable, or the address is taken.
    """
    try:
        if bind.startswith(_UNIX):
            return _listen_on_path(Path(bind.removeprefix(_UNIX)))
        return _listen_on_port(*_address(bind))
    except OSError as exc:
        raise ConfigError(f"cannot listen on {bind}: {_reason(exc)}") from exc


def _address(bind: str) -> tuple[str, int]:
    address, colon, port = bind.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise ConfigError(
            f"FLEET_BIND: {bind!r} is no address; write ADDRESS:PORT, "
            "such as 127.0.0.1:8080, or unix:/path"
        )
    return address.strip("[]"), int(port)


def _listen_on_port(address: str, port: int) -> socket.socket:
    family, kind, protocol, _, where = socket.getaddrinfo(
        address or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    # With its protocol named: asyncio switches Nagle's delay off for TCP by that word,
    # and without it each answer takes 40 ms.
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(where)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _listen_on_path(path: Path) -> socket.socket:
    _remove_dead_socket(path)
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(str(path))
        # The proxy's user reaches it through the group, nobody else does.
        path.chmod(0o660)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _remove_dead_socket(path: Path) -> None:
    """Remove the socket of a console that was killed; a living one's stays."""
    try:
        is_socket = stat.S_ISSOCK(path.stat().st_mode)
    except FileNotFoundError:
        return
    if not is_socket:
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()


def _reason(exc: OSError) -> str:
    if exc.errno == errno.EADDRINUSE:
        return (
            "it is taken, perhaps by another console; end that one, or choose another "
            "address with FLEET_BIND"
        )
    if exc.errno == errno.EACCES:
        return "not allowed; ports below 1024 belong to root: put a proxy in front"
    return exc.strerror or str(exc)


def _warn_about_exposure(settings: Settings) -> None:
    if settings.bind.startswith(_UNIX):
        return
    address, _ = _address(settings.bind)
    if is_loopback(address) or settings.trusted_proxies:
        return
    logger.warning(
        "the console listens on %s without TLS: passwords and sessions can be read on "
        "the way. Put a proxy with TLS in front, listen on loopback, and set "
        "FLEET_TRUSTED_PROXIES",
        settings.bind,
    )


def _socket_path(listener: socket.socket) -> Path | None:
    if listener.family != socket.AF_UNIX:
        return None
    return Path(listener.getsockname())


def _url_of(listener: socket.socket) -> str:
    if listener.family == socket.AF_UNIX:
        return f"{_UNIX}{listener.getsockname()}"
    address, port = listener.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(address, address)  # noqa: S104
    if ":" in shown and not shown.startswith("["):
        shown = f"[{shown}]"
    return f"http://{shown}:{port}"


def _calling(function: Callable[[], object]) -> Callable[[], Coroutine[Any, Any, None]]:
    async def call() -> None:
        function()

    return call
