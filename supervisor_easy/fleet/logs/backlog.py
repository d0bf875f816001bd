"""The end of a log that is there already: the last lines, or those since a start.

Supervisord does not say where in a log the present pid began. Whoever restarts a
process can know it: ask `mark_end` while the process is down, and give the position
to `read_since` later. Without it, `read_since` shows what the bound allows and says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from supervisor_easy.clock import Clock, SystemClock
from supervisor_easy.fleet.logs.cursor import Cursor
from supervisor_easy.fleet.logs.entries import (
    Anchor,
    EntryKind,
    LogEntry,
    LogPosition,
    LogSource,
    MarkerKind,
    Unseen,
)
from supervisor_easy.fleet.logs.file import HostGate, open_log
from supervisor_easy.fleet.logs.lines import LineSplitter
from supervisor_easy.fleet.logs.reader import (
    Piece,
    PieceKind,
    RepairBudget,
    SliceReader,
)
from supervisor_easy.fleet.logs.splitting import EntryMaker
from supervisor_easy.model import Stream, Target
from supervisor_easy.rpc.supervisor import Supervisor
from supervisor_easy.settings import Settings

#: What is read first for each line asked for, in bytes.
_GUESSED_LINE = 160
#: How much more is read each time that was not enough.
_GROWTH = 4
#: How often a log that is replaced while we read it is begun again.
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Backlog:
    """Entries that were in a log, oldest first, and where to follow on.

    `unfinished` is a last line without its end: `position` stands before it, so a
    follower shows it, and whoever does not follow shows it after `entries`. `end` is
    behind everything.
    """

    entries: tuple[LogEntry, ...]
    unfinished: LogEntry | None
    position: LogPosition
    end: LogPosition

    @property
    def next_offset(self) -> int:
        """Where a follower reads on, in bytes."""
        return self.position.offset

    @property
    def anchor(self) -> Anchor | None:
        """What identifies the file."""
        return self.position.anchor


class BacklogReader:
    """Reads what one log holds now."""

    def __init__(
        self,
        supervisor: Supervisor,
        source: LogSource,
        *,
        settings: Settings,
        clock: Clock,
        gate: HostGate | None = None,
    ) -> None:
        """Read the log of `source` through `supervisor`."""
        self._source = source
        self._settings = settings
        self._clock = clock
        self._file = open_log(supervisor, source, gate=gate)
        budget = RepairBudget(settings, clock=clock)
        self._reader = SliceReader(self._file, budget=budget)

    async def last(self, lines: int) -> Backlog:
        """Return the last `lines` lines, as far as the bound on bytes reaches.

        Raises:
            SpawnFailed: there is no such log file.
        """
        for _ in range(_TRIES - 1):
            backlog = await self._last_once(lines)
            if await self._is_still(backlog.position):
                return backlog
        return await self._last_once(lines)

    async def since(self, start: LogPosition | None) -> Backlog:
        """Return all from `start`; if that is unknown or gone, what the bound allows.

        Raises:
            SpawnFailed: there is no such log file.
        """
        size = await self._existing_size()
        most = self._settings.log_backlog_bytes
        begin = max(0, size - most)
        if start is not None and start.offset >= begin and await self._is_still(start):
            pieces = await self._pieces(start.offset, size, is_at_end=True)
            return self._backlog(pieces, lines=None, at=start.offset, is_cut=False)
        pieces = await self._pieces(begin, size, is_at_end=True)
        at = pieces[0].offset if pieces else begin
        backlog = self._backlog(pieces, lines=None, at=at, is_cut=at > 0)
        if size == 0:
            return backlog
        return self._with_note(backlog, begin=begin, start=start)

    async def end(self) -> LogPosition:
        """Return the log's present end, and the proof that it is this file."""
        return (await self._last_once(0)).end

    async def _existing_size(self) -> int:
        # A tail of a missing file tells size 0; only a read tells that it is missing.
        size = await self._file.size()
        if size == 0:
            await self._file.read(0, 1)
        return size

    async def _last_once(self, lines: int) -> Backlog:
        size = await self._existing_size()
        begin = end = size
        step = max(self._settings.log_anchor_bytes, lines * _GUESSED_LINE)
        pieces: list[Piece] = []
        while begin > 0 and (begin == size or not _has_lines(pieces, lines)):
            most = self._settings.log_backlog_bytes - (size - begin)
            begin = max(0, end - min(step, most))
            if begin == end:
                break
            earlier = await self._pieces(begin, end, is_at_end=end == size)
            pieces = [*earlier, *pieces]
            end = pieces[0].offset if pieces else begin
            step *= _GROWTH
        at = pieces[0].offset if pieces else size
        return self._backlog(pieces, lines=lines, at=at, is_cut=0 < at < size)

    async def _pieces(self, start: int, end: int, *, is_at_end: bool) -> list[Piece]:
        """Read [start, end) in slices that supervisord answers quickly."""
        pieces: list[Piece] = []
        at = start
        chunk = self._settings.log_chunk_bytes
        while at < end:
            stop = min(end, at + chunk)
            ends = is_at_end and stop == end
            found = await self._aligned(at, stop, ends=ends, is_first=at == start)
            if not found:
                break
            pieces += found
            at = found[-1].end
        return pieces

    async def _aligned(
        self, start: int, stop: int, *, ends: bool, is_first: bool
    ) -> list[Piece]:
        """Read [start, stop), beginning up to 3 bytes later if that is a character."""
        if is_first and start > 0:
            for shift in range(4):
                data = await self._reader.read_exactly(start + shift, stop)
                if data is not None:
                    return [Piece(PieceKind.TEXT, start + shift, stop, data)]
        return await self._reader.read_range(start, stop, is_at_end=ends)

    async def _is_still(self, position: LogPosition) -> bool:
        if position.anchor is None:
            return position.offset == 0
        cursor = Cursor(position, anchor_bytes=self._settings.log_anchor_bytes)
        return await self._reader.is_same_file(cursor)

    def _backlog(
        self, pieces: Sequence[Piece], *, lines: int | None, at: int, is_cut: bool
    ) -> Backlog:
        """Make entries; `is_cut`: the first line may have begun before `at`."""
        settings = self._settings
        splitter = LineSplitter(
            max_bytes=settings.log_line_bytes, offset=at, is_mid_line=is_cut
        )
        maker = EntryMaker(self._source, splitter, clock=self._clock)
        cursor = Cursor(LogPosition(at), anchor_bytes=settings.log_anchor_bytes)
        entries = [entry for piece in pieces for entry in maker.take(piece, cursor)]
        position = LogPosition(
            splitter.unfinished_start, cursor.anchor, splitter.is_mid_line
        )
        end = LogPosition(cursor.offset, cursor.anchor)
        unfinished = next(iter(maker.flush()), None)
        if lines is not None:
            whole = _without_first_part(entries)
            kept = _last_lines(whole, lines, is_one_more=unfinished is not None)
            entries = kept
        return Backlog(tuple(entries), unfinished, position, end)

    def _with_note(
        self, backlog: Backlog, *, begin: int, start: LogPosition | None
    ) -> Backlog:
        """Say in front what `since` could not do."""
        text = (
            "the log was replaced since the start of the process; all it holds follows"
            if start is not None
            else "where the output of the present run begins is not known; "
            "earlier runs may be included"
        )
        unseen = None
        if begin > 0:
            text += f"; the first {begin} bytes of the log are not shown"
            unseen = Unseen(0, begin, begin)
        note = LogEntry(
            self._source,
            EntryKind.MARKER,
            text,
            self._clock.now(),
            begin,
            marker=MarkerKind.BACKLOG,
            unseen=unseen,
        )
        return replace(backlog, entries=(note, *backlog.entries))


async def read_last(
    supervisor: Supervisor,
    namespec: str,
    stream: Stream,
    *,
    lines: int,
    settings: Settings,
    clock: Clock | None = None,
) -> Backlog:
    """Return the last `lines` lines of a log, at most `log_backlog_bytes` of it.

    Raises:
        SpawnFailed: the process has no such log file.
    """
    reader = _reader_of(supervisor, namespec, stream, settings=settings, clock=clock)
    return await reader.last(lines)


async def read_since(
    supervisor: Supervisor,
    namespec: str,
    stream: Stream,
    *,
    start: LogPosition | None,
    settings: Settings,
    clock: Clock | None = None,
) -> Backlog:
    """Return what was logged since `start`, which `mark_end` told at the time.

    Without a start, or where the file was replaced since, a marker in front says what
    is shown instead.

    Raises:
        SpawnFailed: the process has no such log file.
    """
    reader = _reader_of(supervisor, namespec, stream, settings=settings, clock=clock)
    return await reader.since(start)


async def mark_end(
    supervisor: Supervisor,
    namespec: str,
    stream: Stream,
    *,
    settings: Settings,
    clock: Clock | None = None,
) -> LogPosition:
    """Return the end of a log now; while its process is down, where a start begins.

    Raises:
        SpawnFailed: the process has no such log file.
    """
    reader = _reader_of(supervisor, namespec, stream, settings=settings, clock=clock)
    return await reader.end()


def _reader_of(
    supervisor: Supervisor,
    namespec: str,
    stream: Stream,
    *,
    settings: Settings,
    clock: Clock | None,
) -> BacklogReader:
    group, _, name = namespec.partition(":")
    source = LogSource(Target(supervisor.host.name, group, name or group), stream)
    clock = clock or SystemClock()
    return BacklogReader(supervisor, source, settings=settings, clock=clock)


def _has_lines(pieces: Sequence[Piece], lines: int) -> bool:
    """One line feed more than lines: the first line may lack its beginning."""
    return sum(piece.data.count(b"\n") for piece in pieces) > lines


def _without_first_part(entries: list[LogEntry]) -> list[LogEntry]:
    """Drop the rest of a line that began before the first byte read."""
    for index, entry in enumerate(entries):
        if not entry.is_continuation:
            return entries[index:]
    return []


def _last_lines(
    entries: list[LogEntry], lines: int | None, *, is_one_more: bool
) -> list[LogEntry]:
    """Keep the last `lines` lines, with all parts of each and the markers between."""
    if lines is None:
        return entries
    wanted = lines - is_one_more
    if wanted <= 0:
        return []
    for index in range(len(entries) - 1, -1, -1):
        entry = entries[index]
        if entry.kind is EntryKind.LINE and not entry.is_continuation:
            wanted -= 1
            if wanted == 0:
                return entries[index:]
    return entries
