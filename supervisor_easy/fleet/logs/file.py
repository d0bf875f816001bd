"""One log file on a host, as bytes by offset, and the gate that spares the host.

Supervisord reads all logs in its single thread, so every read of every log of a host
passes one `HostGate`.
"""

from asyncio import Semaphore
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from datetime import timedelta
from typing import Protocol

from supervisor_easy.clock import Clock
from supervisor_easy.errors import BadReply, HostUnreachable, UnknownMethod
from supervisor_easy.fleet.logs.entries import LogSource
from supervisor_easy.model import Stream
from supervisor_easy.rpc.supervisor import Supervisor, UndecodableLog
from supervisor_easy.settings import Settings

#: Supervisord's fault for a log file that is not there.
NO_FILE = 20
#: How much of its rate a host's gate lets through at once, in seconds.
_BURST = 1.0
#: No log is longer, in bytes.
_LARGEST = 1 << 62


class HostGate:
    """Bounds how many reads of logs a host gets, at once and a second.

    One second's reads may come in a burst: logs often rotate at the same moment.
    Whoever waits while the host turns out to be unreachable shares that answer, so
    that a hundred logs do not wait for a hundred timeouts.
    """

    def __init__(self, settings: Settings, *, clock: Clock) -> None:
        """Take the bounds from the settings."""
        self._clock = clock
        self._semaphore = Semaphore(settings.log_host_concurrency)
        self._spacing = 1 / settings.log_host_rate
        self._free_at = 0.0
        self._failure: HostUnreachable | None = None
        self._failed_at = 0.0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn and hold it, first come first served.

        Raises:
            HostUnreachable: another's turn just found it so.
        """
        asked_at = self._clock.monotonic()
        async with self._semaphore:
            self._share_failure(asked_at)
            now = self._clock.monotonic()
            self._free_at = max(self._free_at + self._spacing, now)
            wait = self._free_at - now - _BURST
            if wait > 0:
                await self._clock.sleep(timedelta(seconds=wait))
            try:
                yield
            except HostUnreachable as error:
                self._failure, self._failed_at = error, self._clock.monotonic()
                raise

    def _share_failure(self, asked_at: float) -> None:
        failure = self._failure
        if failure is not None and self._failed_at > asked_at:
            raise HostUnreachable(
                str(failure), host=failure.host, reason=failure.reason
            )


class LogFile(Protocol):
    """A file on a host that can be read by byte offset."""

    async def read(self, offset: int, length: int) -> bytes:
        """Return what exists of [offset, offset + length).

        Raises:
            UndecodableLog: ask for another slice.
            SpawnFailed: there is no such file.
        """
        ...

    async def size(self) -> int:
        """Return the file's size in bytes, 0 if there is none."""
        ...


def open_log(
    supervisor: Supervisor, source: LogSource, *, gate: HostGate | None = None
) -> "LogFile":
    """Return the file behind `source`; nothing is read yet."""
    if source.is_main:
        return MainLog(supervisor, gate=gate)
    return ProcessLog(
        supervisor, source.target.namespec, stream=source.stream, gate=gate
    )


class ProcessLog:
    """The stdout or stderr log of a process."""

    def __init__(
        self,
        supervisor: Supervisor,
        namespec: str,
        *,
        stream: Stream,
        gate: HostGate | None = None,
    ) -> None:
        """Read through `supervisor`, each call in turn at `gate`."""
        self._supervisor = supervisor
        self._namespec = namespec
        self._stream = stream
        self._gate = gate
        self._tells_size = True

    async def read(self, offset: int, length: int) -> bytes:
        """Return what exists of [offset, offset + length)."""
        async with _turn(self._gate):
            data = await self._supervisor.read_log(
                self._namespec, self._stream, offset=offset, length=length
            )
        return data[:length]

    async def size(self) -> int:
        """Return the file's size; a tail of length 0 tells it and reads nothing."""
        if self._tells_size:
            try:
                async with _turn(self._gate):
                    tail = await self._supervisor.tail_log(
                        self._namespec, self._stream, offset=0, length=0
                    )
            except (BadReply, UndecodableLog, UnknownMethod):
                # XML-RPC has no integer for a size from 2 GB.
                self._tells_size = False
            else:
                return max(0, tail.size)
        return await _search_size(self)


class MainLog:
    """Supervisord's own log."""

    def __init__(self, supervisor: Supervisor, *, gate: HostGate | None = None) -> None:
        """Read through `supervisor`, each call in turn at `gate`."""
        self._supervisor = supervisor
        self._gate = gate

    async def read(self, offset: int, length: int) -> bytes:
        """Return what exists of [offset, offset + length)."""
        async with _turn(self._gate):
            data = await self._supervisor.read_main_log(offset=offset, length=length)
        return data[:length]

    async def size(self) -> int:
        """Return the file's size, found by search: no call tells it."""
        return await _search_size(self)


def _turn(gate: HostGate | None) -> AbstractAsyncContextManager[None]:
    return gate.turn() if gate else nullcontext()


async def _search_size(file: LogFile) -> int:
    """Find the size by reading single bytes: some 2 x log2(size) calls."""
    low, high = 0, 1 << 16
    while high < _LARGEST and await _has_byte(file, high - 1):
        low, high = high, high * 4
    while high - low > 1:
        middle = (low + high) // 2
        if await _has_byte(file, middle - 1):
            low = middle
        else:
            high = middle
    return low if low or not await _has_byte(file, 0) else 1


async def _has_byte(file: LogFile, offset: int) -> bool:
    try:
        return bool(await file.read(offset, 1))
    except UndecodableLog:
        return True
