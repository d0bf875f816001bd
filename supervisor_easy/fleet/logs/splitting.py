"""Pieces of a log to entries: lines by their splitter, and markers between them."""

from datetime import datetime

from supervisor_easy.clock import Clock
from supervisor_easy.fleet.logs.cursor import Cursor
from supervisor_easy.fleet.logs.entries import (
    EntryKind,
    LogEntry,
    LogSource,
    MarkerKind,
    Unseen,
)
from supervisor_easy.fleet.logs.lines import Line, LineSplitter
from supervisor_easy.fleet.logs.reader import Piece, PieceKind


class EntryMaker:
    """Turns what was read of one log into entries, and moves the cursor with it."""

    def __init__(
        self, source: LogSource, splitter: LineSplitter, *, clock: Clock
    ) -> None:
        """Label entries with `source` and the clock's time."""
        self._source = source
        self._splitter = splitter
        self._clock = clock

    def take(self, piece: Piece, cursor: Cursor) -> list[LogEntry]:
        """Return the entries that `piece` completes; `cursor` goes behind it."""
        count = piece.end - piece.offset
        if piece.kind is PieceKind.TEXT:
            cursor.advance(piece.data)
            return self.lines_of(piece.data, offset=piece.offset)
        cursor.skip(count)
        if piece.kind is PieceKind.BROKEN:
            lines = self._splitter.feed_broken(count, offset=piece.offset)
            return self._entries(lines)
        before = self.flush()
        self._splitter.begin_at(piece.end)
        text = f"bytes {piece.offset} to {piece.end} are not UTF-8 text and are skipped"
        marker = self.marker(
            MarkerKind.SKIPPED,
            text,
            offset=piece.offset,
            unseen=Unseen(piece.offset, count, count),
        )
        return [*before, marker]

    def lines_of(self, data: bytes, *, offset: int) -> list[LogEntry]:
        """Return the entries that `data` completes; no cursor goes anywhere."""
        return self._entries(self._splitter.feed(data, offset=offset))

    def flush(self) -> list[LogEntry]:
        """Return the unfinished line, if any, as a partial one."""
        return self._entries(self._splitter.flush())

    def marker(
        self, kind: MarkerKind, text: str, *, offset: int, unseen: Unseen | None = None
    ) -> LogEntry:
        """Return a marker at `offset`."""
        return LogEntry(
            self._source,
            EntryKind.MARKER,
            text,
            self._clock.now(),
            offset,
            marker=kind,
            unseen=unseen,
        )

    def _entries(self, lines: list[Line]) -> list[LogEntry]:
        if not lines:
            return []
        now = self._clock.now()
        return [self._entry(line, now) for line in lines]

    def _entry(self, line: Line, seen_at: datetime) -> LogEntry:
        return LogEntry(
            self._source,
            EntryKind.LINE,
            line.text,
            seen_at,
            line.offset,
            is_partial=line.is_partial,
            is_continuation=line.is_continuation,
        )
