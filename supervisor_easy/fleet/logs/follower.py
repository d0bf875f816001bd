"""Follows one log: every line once, and a marker for whatever cannot be shown.

The log file on the host is the buffer: while `emit` blocks nothing is read, and no
await changes the position, so a cancelled `run` goes on exactly where it was.

Lost at a rotation is only what was written after the last look: supervisord renames
the file in the very call that writes its last bytes, and backups cannot be read over
XML-RPC. `/logtail` loses them as well and starts anywhere, so it is not used.
"""

import logging
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeAlias

from supervisor_easy.clock import Clock
from supervisor_easy.errors import Fault, RpcError
from supervisor_easy.fleet.logs.backlog import Backlog, BacklogReader
from supervisor_easy.fleet.logs.cursor import Cursor
from supervisor_easy.fleet.logs.entries import (
    EntryKind,
    LogEntry,
    LogPosition,
    LogSource,
    MarkerKind,
    Unseen,
)
from supervisor_easy.fleet.logs.file import NO_FILE, HostGate, open_log
from supervisor_easy.fleet.logs.lines import LineSplitter
from supervisor_easy.fleet.logs.pace import Pace
from supervisor_easy.fleet.logs.reader import (
    Piece,
    PieceKind,
    Reading,
    RepairBudget,
    SliceReader,
)
from supervisor_easy.fleet.logs.splitting import EntryMaker
from supervisor_easy.model import ProcessConfig, Stream
from supervisor_easy.rpc.supervisor import Supervisor
from supervisor_easy.settings import Settings

logger = logging.getLogger(__name__)

Emit: TypeAlias = Callable[[LogEntry], Awaitable[None]]
#: Where to begin: a known position, or what finds it and tells what came before.
Opening: TypeAlias = Callable[[], Awaitable[Backlog]]


class LogFollower:
    """Follows the log of one source; `run` it in one task at a time."""

    def __init__(
        self,
        supervisor: Supervisor,
        source: LogSource,
        *,
        settings: Settings,
        clock: Clock,
        config: ProcessConfig | None = None,
        start: LogPosition | Opening | None = None,
        gate: HostGate | None = None,
    ) -> None:
        """Begin at `start`, by default at the log's present end.

        `config` tells when the log rotates; `gate` bounds the reads on this host.
        """
        self.source = source
        self._settings = settings
        self._clock = clock
        self.use_config(config)
        self._reader = SliceReader(
            open_log(supervisor, source, gate=gate),
            budget=RepairBudget(settings, clock=clock),
        )
        self._pending: deque[LogEntry] = deque()
        self._trouble: MarkerKind | None = None
        self._trouble_since = 0.0
        self._clear_expected = False
        self._opening: Opening | None = None
        self._begin_at(start if isinstance(start, LogPosition) else LogPosition())
        if not isinstance(start, LogPosition):
            reader = BacklogReader(
                supervisor, source, settings=settings, clock=clock, gate=gate
            )
            self._opening = start or (lambda: reader.last(0))

    @property
    def position(self) -> LogPosition:
        """Where another follower would go on; unfinished and unemitted lines count.

        Lines of a file that is gone already live only in this follower.
        """
        unemitted = next((e for e in self._pending if e.kind is EntryKind.LINE), None)
        if unemitted is not None:
            return LogPosition(
                unemitted.offset, self._cursor.anchor, unemitted.is_continuation
            )
        return LogPosition(
            self._splitter.unfinished_start,
            self._cursor.anchor,
            self._splitter.is_mid_line,
        )

    def note(self, text: str) -> None:
        """Put a marker of the caller's into the stream, such as a restart."""
        self._mark(MarkerKind.NOTE, text)

    def expect_clear(self) -> None:
        """Be told that this log is being cleared, so that the marker can say so."""
        self._clear_expected = True

    def use_config(self, config: ProcessConfig | None) -> None:
        """Learn from the configuration when the log rotates."""
        self._maxbytes = _maxbytes(config, self.source)
        self._pace = Pace(self._settings, maxbytes=self._maxbytes or 0)

    async def run(self, emit: Emit) -> None:
        """Follow until cancelled; `emit` gets each entry in order and may block."""
        while True:
            await self._emit_pending(emit)
            pause = await self._look()
            await self._emit_pending(emit)
            if pause:
                await self._clock.sleep(pause)

    async def _emit_pending(self, emit: Emit) -> None:
        while self._pending:
            # Removed only when it was taken: a cancelled emit is repeated.
            await emit(self._pending[0])
            self._pending.popleft()

    async def _look(self) -> timedelta:
        """Look at the log once; return how long to pause, zero to read on."""
        try:
            if self._opening is not None:
                await self._open(self._opening)
            reading = await self._reader.read_new(
                self._cursor, length=self._settings.log_chunk_bytes
            )
        except RpcError as error:
            self._flush_when_due()
            return self._failed(error)
        self._recovered()
        return self._take(reading)

    async def _open(self, opening: Opening) -> None:
        backlog = await opening()
        self._opening = None
        self._pending.extend(backlog.entries)
        self._begin_at(backlog.position)

    def _begin_at(self, position: LogPosition) -> None:
        settings = self._settings
        # The anchor may reach beyond the position: it still tells which file it is.
        self._cursor = Cursor(position, anchor_bytes=settings.log_anchor_bytes)
        self._splitter = LineSplitter(
            max_bytes=settings.log_line_bytes,
            offset=position.offset,
            is_mid_line=position.is_mid_line,
        )
        self._maker = EntryMaker(self.source, self._splitter, clock=self._clock)
        self._looked_at = self._clock.monotonic()
        self._unfinished_at: int | None = None
        self._unfinished_since = 0.0
        self._hole: int | None = None
        self._least_hole = 0

    def _take(self, reading: Reading) -> timedelta:
        """Make entries of what was read, all at once: no await in here."""
        now = self._clock.monotonic()
        elapsed = now - self._looked_at
        self._looked_at = now
        if reading.is_replaced:
            self._begin_file(elapsed)
            return timedelta(0)
        for piece in reading.pieces:
            self._pending.extend(self._entries_of(piece))
        self._watch_unfinished(now)
        self._flush_when_due()
        if reading.has_skipped:
            return self._pace.after_failure()
        pause = self._pace.after_read(
            reading.count, elapsed=elapsed, offset=self._cursor.offset
        )
        return timedelta(0) if reading.has_more else self._at_most(pause, now)

    def _entries_of(self, piece: Piece) -> list[LogEntry]:
        if self._hole is None:
            return self._maker.take(piece, self._cursor)
        # A new file whose NULs reach where we stood in the old one was truncated in
        # place while supervisord kept its place: they are a hole, nobody's output.
        text = piece.data.lstrip(b"\0")
        zeros = len(piece.data) - len(text)
        self._hole += zeros
        self._cursor.advance(bytes(zeros))
        if not text and piece.kind is PieceKind.TEXT:
            return []
        entries = self._end_of_hole(self._hole)
        self._hole = None
        rest = Piece(piece.kind, piece.offset + zeros, piece.end, text)
        return [*entries, *self._maker.take(rest, self._cursor)]

    def _end_of_hole(self, size: int) -> list[LogEntry]:
        if size < self._least_hole:
            return self._maker.lines_of(bytes(size), offset=0)
        self._splitter.begin_at(size)
        text = f"the log was truncated in place: its first {size} bytes are a hole"
        return [self._maker.marker(MarkerKind.TRUNCATED, text, offset=0)]

    def _begin_file(self, elapsed: float) -> None:
        """Say that the file was replaced and what that hides; go to its start."""
        offset = self._cursor.offset
        kind = self._replacement_kind(offset, elapsed=elapsed)
        at_least = 0
        if kind is MarkerKind.ROTATED and self._maxbytes:
            at_least = max(0, self._maxbytes - offset)
        self._pending.extend(self._maker.flush())
        self._mark(
            kind, _replacement_text(kind, offset, at_least), Unseen(offset, at_least)
        )
        logger.info(
            "log replaced source=%s kind=%s offset=%d", self.source, kind, offset
        )
        self._clear_expected = False
        self._pace.after_rotation(offset)
        self._cursor.begin_file()
        self._splitter.begin_at(0)
        self._unfinished_at = None
        self._hole = 0
        self._least_hole = max(offset, 1)

    def _replacement_kind(self, offset: int, *, elapsed: float) -> MarkerKind:
        if self._clear_expected:
            return MarkerKind.CLEARED
        if self._maxbytes == 0:
            return MarkerKind.TRUNCATED
        if self._maxbytes and self._pace.may_have_reached(
            self._maxbytes, offset, elapsed=elapsed
        ):
            return MarkerKind.ROTATED
        return MarkerKind.REPLACED

    def _watch_unfinished(self, now: float) -> None:
        """Remember since when the present unfinished line waits."""
        at = self._splitter.unfinished_start
        if not self._splitter.has_unfinished:
            self._unfinished_at = None
        elif at != self._unfinished_at:
            self._unfinished_at = at
            self._unfinished_since = now

    def _flush_when_due(self) -> None:
        if self._unfinished_at is None:
            return
        waited = self._clock.monotonic() - self._unfinished_since
        if waited >= self._settings.log_partial_after.total_seconds():
            self._pending.extend(self._maker.flush())
            self._unfinished_at = None

    def _at_most(self, pause: timedelta, now: float) -> timedelta:
        """Shorten the pause to when an unfinished line is due."""
        if self._unfinished_at is None:
            return pause
        waited = timedelta(seconds=now - self._unfinished_since)
        left = self._settings.log_partial_after - waited
        return max(min(pause, left), self._settings.log_poll_rotation)

    def _failed(self, error: RpcError) -> timedelta:
        """Say once what is wrong; return the pause before the next try."""
        is_missing = isinstance(error, Fault) and error.fault_code == NO_FILE
        kind = MarkerKind.NO_LOG if is_missing else MarkerKind.UNREACHABLE
        if kind is not self._trouble:
            self._trouble = kind
            self._trouble_since = self._clock.monotonic()
            text = f"cannot be read since {self._clock.now():%H:%M:%S} UTC: {error}"
            if is_missing:
                text = f"there is no {self.source.stream} log file; waiting for one"
            self._mark(kind, text)
        if is_missing and self._opening is not None:
            # Whatever a file that appears later holds is new.
            self._opening = None
        return self._pace.after_failure()

    def _recovered(self) -> None:
        """Say that a log that could not be read can be again."""
        if self._trouble is MarkerKind.UNREACHABLE:
            away = self._clock.monotonic() - self._trouble_since
            text = f"can be read again after {away:.0f} s"
            if self._cursor.anchor is None:
                text += "; a log that rotated meanwhile may be missing"
            self._mark(MarkerKind.BACK, text)
        self._trouble = None

    def _mark(self, kind: MarkerKind, text: str, unseen: Unseen | None = None) -> None:
        self._pending.append(
            self._maker.marker(kind, text, offset=self._cursor.offset, unseen=unseen)
        )


def _maxbytes(config: ProcessConfig | None, source: LogSource) -> int | None:
    """Return at how many bytes the log rotates; 0: never, None: not known."""
    if config is None:
        return None
    if source.stream is Stream.STDERR:
        return config.stderr_logfile_maxbytes
    return config.stdout_logfile_maxbytes


def _replacement_text(kind: MarkerKind, offset: int, at_least: int) -> str:
    how = {
        MarkerKind.ROTATED: "the log rotated",
        MarkerKind.CLEARED: "the log was cleared",
        MarkerKind.TRUNCATED: "the log was emptied on its host",
    }.get(kind, "the log was replaced")
    known = f", at least {at_least} bytes," if at_least else ""
    return f"{how}; what the old one held behind byte {offset}{known} is not shown"
