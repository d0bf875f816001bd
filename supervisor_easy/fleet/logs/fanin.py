"""Many logs in one stream: a follower each, one bounded queue, gates for the hosts.

A source's own order is kept; among sources the order is that of reading. A slow
consumer stops the followers, and the logs themselves hold what is to come. The unit a
later hub shares is the follower: one reader a log, however many watch.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from supervisor_easy.clock import Clock
from supervisor_easy.errors import Fault, RpcError
from supervisor_easy.fleet.logs.backlog import Backlog, BacklogReader
from supervisor_easy.fleet.logs.entries import (
    EntryKind,
    LogEntry,
    LogPosition,
    LogSource,
    MarkerKind,
)
from supervisor_easy.fleet.logs.file import NO_FILE, HostGate
from supervisor_easy.fleet.logs.follower import LogFollower
from supervisor_easy.fleet.logs.grep import LineFilter
from supervisor_easy.model import ProcessConfig, Target
from supervisor_easy.rpc.supervisor import Supervisor
from supervisor_easy.settings import Settings

logger = logging.getLogger(__name__)

_SLOW = "the pattern takes too long and is switched off; every line follows"


class _Host:
    """What the followers of one host share."""

    def __init__(self, supervisor: Supervisor, *, gate: HostGate) -> None:
        self.supervisor = supervisor
        self.gate = gate
        self._lock = asyncio.Lock()
        self._configs: dict[Target, ProcessConfig] | None = None

    async def config_of(self, target: Target) -> ProcessConfig | None:
        """Return the configuration of `target`, asked of the host once for all."""
        async with self._lock:
            if self._configs is None:
                try:
                    configs = await self.supervisor.configs()
                except RpcError as error:
                    # Without it rotations are only less well foreseen.
                    logger.debug("no configs for logs: %s", error)
                    return None
                self._configs = {config.target: config for config in configs}
        return self._configs.get(target)


@dataclass(slots=True)
class _Request:
    """What one call of `follow` or `last` asks for."""

    lines: int
    since_start: bool
    starts: Mapping[LogSource, LogPosition]
    grep: LineFilter | None

    def keeps(self, entry: LogEntry) -> bool:
        """Judge an entry by the pattern, if there is one."""
        return self.grep is None or self.grep.keeps(entry)

    @property
    def is_unfiltered(self) -> bool:
        """Every line passes."""
        return self.grep is None or self.grep.is_off


@dataclass(slots=True)
class _Following:
    """One open stream."""

    queue: "asyncio.Queue[LogEntry | None]"
    tasks: "set[asyncio.Task[None]]" = field(default_factory=set)
    followers: dict[LogSource, LogFollower] = field(default_factory=dict)
    failures: list[BaseException] = field(default_factory=list)

    def ended(self, task: "asyncio.Task[None]") -> None:
        """Wake the consumer when a follower died of a bug."""
        failure = None if task.cancelled() else task.exception()
        if failure is not None:
            self.failures.append(failure)
            if not self.queue.full():
                self.queue.put_nowait(None)


class LogFanIn:
    """Follows many logs of many hosts at once."""

    def __init__(
        self,
        open_supervisor: Callable[[str], Supervisor],
        *,
        settings: Settings,
        clock: Clock,
    ) -> None:
        """Reach hosts by name through `open_supervisor`, whose owner closes them."""
        self._open_supervisor = open_supervisor
        self._settings = settings
        self._clock = clock
        self._hosts: dict[str, _Host] = {}
        self._streams: list[_Following] = []

    async def follow(
        self,
        sources: Sequence[LogSource],
        *,
        lines: int = 0,
        since_start: bool = False,
        starts: Mapping[LogSource, LogPosition] | None = None,
        grep: str | None = None,
    ) -> AsyncIterator[LogEntry]:
        """Yield the last `lines` lines of each source, then all that comes.

        `since_start` begins at the process's last start instead: exactly where
        `starts` knows it (see `mark_end`), else as far back as the bound allows.
        Close the iterator to end it; that waits for the followers, within a limit.

        Raises:
            BadPattern: `grep` is not usable.
        """
        request = self._request(lines, since_start, starts=starts, grep=grep)
        stream = _Following(asyncio.Queue(self._settings.log_buffer_lines))
        self._streams.append(stream)
        try:
            for source in dict.fromkeys(sources):
                self._begin(source, request, stream)
            was_off = False
            while stream.tasks:
                entry = await _next(stream)
                if entry is not None:
                    yield entry
                if entry and grep is not None and request.is_unfiltered and not was_off:
                    was_off = True
                    yield self._marker(entry.source, MarkerKind.FILTER_OFF, _SLOW)
        finally:
            self._streams.remove(stream)
            await self._close(stream)
            if not self._streams:
                # The inventory may have changed when the next stream opens.
                self._hosts.clear()

    async def last(
        self,
        sources: Sequence[LogSource],
        *,
        lines: int,
        since_start: bool = False,
        starts: Mapping[LogSource, LogPosition] | None = None,
        grep: str | None = None,
    ) -> dict[LogSource, list[LogEntry]]:
        """Return what each log holds now, read from all hosts at once.

        A log that cannot be read has one marker that says why.

        Raises:
            BadPattern: `grep` is not usable.
        """
        request = self._request(lines, since_start, starts=starts, grep=grep)
        unique = list(dict.fromkeys(sources))
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._read_once(source, request)) for source in unique
            ]
        return {
            source: task.result() for source, task in zip(unique, tasks, strict=True)
        }

    def note(self, target: Target, text: str) -> None:
        """Put a marker into the followed streams of `target`, such as a restart."""
        for stream in self._streams:
            for source, follower in stream.followers.items():
                if source.target == target:
                    follower.note(text)

    def _request(
        self,
        lines: int,
        since_start: bool,  # noqa: FBT001 — private, and named by every caller
        *,
        starts: Mapping[LogSource, LogPosition] | None,
        grep: str | None,
    ) -> _Request:
        line_filter = None
        if grep is not None:
            line_filter = LineFilter(grep, settings=self._settings, clock=self._clock)
        return _Request(lines, since_start, starts or {}, line_filter)

    def _host(self, name: str) -> _Host:
        host = self._hosts.get(name)
        if host is None:
            supervisor = self._open_supervisor(name)
            gate = HostGate(self._settings, clock=self._clock)
            host = self._hosts[name] = _Host(supervisor, gate=gate)
        return host

    def _backlog_reader(self, source: LogSource) -> BacklogReader:
        host = self._host(source.target.host)
        return BacklogReader(
            host.supervisor,
            source,
            settings=self._settings,
            clock=self._clock,
            gate=host.gate,
        )

    async def _read_back(self, source: LogSource, request: _Request) -> Backlog:
        reader = self._backlog_reader(source)
        if request.since_start:
            return await reader.since(request.starts.get(source))
        return await reader.last(request.lines)

    async def _read_once(self, source: LogSource, request: _Request) -> list[LogEntry]:
        try:
            backlog = await self._read_back(source, request)
        except RpcError as error:
            is_missing = isinstance(error, Fault) and error.fault_code == NO_FILE
            kind = MarkerKind.NO_LOG if is_missing else MarkerKind.UNREACHABLE
            return [self._marker(source, kind, str(error))]
        rest = [backlog.unfinished] if backlog.unfinished else []
        return [entry for entry in (*backlog.entries, *rest) if request.keeps(entry)]

    def _begin(self, source: LogSource, request: _Request, stream: _Following) -> None:
        """Start a follower of one source that writes into `stream`."""
        host = self._host(source.target.host)

        async def open_source() -> Backlog:
            backlog = await self._read_back(source, request)
            follower.use_config(await host.config_of(source.target))
            return backlog

        async def put(entry: LogEntry) -> None:
            if request.keeps(entry):
                await stream.queue.put(entry)

        follower = LogFollower(
            host.supervisor,
            source,
            settings=self._settings,
            clock=self._clock,
            start=open_source,
            gate=host.gate,
        )
        stream.followers[source] = follower
        task = asyncio.create_task(follower.run(put), name=f"follow {source}")
        stream.tasks.add(task)
        task.add_done_callback(stream.ended)

    async def _close(self, stream: _Following) -> None:
        """Cancel all followers of a stream and wait for them, within the limit."""
        for task in stream.tasks:
            task.cancel()
        if not stream.tasks:
            return
        limit = self._settings.log_close_timeout.total_seconds()
        _, late = await asyncio.wait(stream.tasks, timeout=limit)
        if late:
            logger.warning("log followers did not end in time count=%d", len(late))

    def _marker(self, source: LogSource, kind: MarkerKind, text: str) -> LogEntry:
        now = self._clock.now()
        return LogEntry(source, EntryKind.MARKER, text, now, 0, marker=kind)


async def _next(stream: _Following) -> LogEntry | None:
    """Return the next entry; None only says that something ended.

    A follower never ends by itself, so what ended one is a bug of ours: raise it.
    """
    if stream.failures and stream.queue.empty():
        raise stream.failures[0]
    return await stream.queue.get()
