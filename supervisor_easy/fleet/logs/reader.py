"""Slices of a log on a host that decodes strictly: text, broken bytes, what to skip.

Supervisord fails on a slice that is not UTF-8 or cuts a character, and does not say
where. The place is searched, with a budget of failed reads; what that does not find is
skipped, exactly named, so a log that is no text at all costs its host little.
"""

from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from supervisor_easy.clock import Clock
from supervisor_easy.fleet.logs.cursor import Cursor
from supervisor_easy.fleet.logs.file import LogFile
from supervisor_easy.rpc.supervisor import UndecodableLog
from supervisor_easy.settings import Settings

#: Longest UTF-8 character, in bytes.
_CHARACTER = 4
#: Below this many bytes a search goes on character by character.
_NARROW = 2 * _CHARACTER


class PieceKind(StrEnum):
    """What the bytes of a piece are."""

    TEXT = "text"
    BROKEN = "broken"  # no UTF-8
    SKIPPED = "skipped"  # not looked into


@dataclass(frozen=True, slots=True)
class Piece:
    """The bytes [offset, end) of a log; `data` is empty unless they are text."""

    kind: PieceKind
    offset: int
    end: int
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one look at a log brought, in order.

    With `is_replaced` the file is another one and nothing was taken. `has_more` says
    that bytes are waiting.
    """

    pieces: tuple[Piece, ...] = ()
    has_more: bool = False
    is_replaced: bool = False

    @property
    def count(self) -> int:
        """How many bytes of the file were dealt with."""
        return sum(piece.end - piece.offset for piece in self.pieces)

    @property
    def has_skipped(self) -> bool:
        """Some bytes were given up."""
        return any(piece.kind is PieceKind.SKIPPED for piece in self.pieces)


class RepairBudget:
    """How many failed reads may still be spent; refills with time."""

    def __init__(self, settings: Settings, *, clock: Clock) -> None:
        """Start full."""
        self._clock = clock
        self._most = float(settings.log_repair_calls)
        self._per_second = self._most / settings.log_repair_interval.total_seconds()
        self._left = self._most
        self._at = clock.monotonic()

    def spend(self) -> bool:
        """Take one failed read from the budget; False if none is left."""
        now = self._clock.monotonic()
        self._left = min(self._most, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class _BudgetSpent(Exception):
    """No failed read is left."""


class _FileEnded(Exception):
    """Bytes that were there are not: the file was replaced, or its size was a lie."""


class SliceReader:
    """Reads one log; changes no cursor, so a cancelled call loses nothing."""

    def __init__(self, file: LogFile, *, budget: RepairBudget) -> None:
        """Read `file` within `budget`."""
        self._file = file
        self._budget = budget
        #: Offset and size of a file that ends within a character.
        self._waiting: tuple[int, int] | None = None

    async def read_new(self, cursor: Cursor, *, length: int) -> Reading:
        """Return up to `length` bytes behind `cursor`, proven to be of its file."""
        if await self._still_waits(cursor):
            return Reading()
        try:
            data = await self._file.read(*cursor.window(length))
        except UndecodableLog:
            return await self._read_damaged(cursor, length=length)
        new = cursor.new_bytes(data)
        if new is None or (
            cursor.needs_second_look and not await self.is_same_file(cursor)
        ):
            return Reading(is_replaced=True)
        return Reading(_text(cursor.offset, new), has_more=len(new) >= length)

    async def is_same_file(self, cursor: Cursor) -> bool:
        """Look whether the cursor's anchor stands where it stood."""
        anchor = cursor.anchor
        if anchor is None:
            return await self._file.size() >= cursor.offset
        try:
            found = await self._file.read(anchor.offset, len(anchor.data))
        except UndecodableLog:
            # The anchor itself is text, so these are other bytes.
            return False
        return found == anchor.data

    async def read_range(self, start: int, end: int, *, is_at_end: bool) -> list[Piece]:
        """Return what [start, end) holds; `is_at_end`: the file ends there now.

        A character that the end cuts is left out. When the budget is spent, all the
        rest is one skipped piece; where the file ends early, there is no more.
        """
        pieces: list[Piece] = []
        with suppress(_FileEnded):
            await self._collect(start, end, is_at_end=is_at_end, pieces=pieces)
        return pieces

    async def _collect(
        self, start: int, end: int, *, is_at_end: bool, pieces: list[Piece]
    ) -> None:
        at = start
        while at < end:
            data, broken = await self._text_then_broken(at, end)
            pieces += _text(at, data)
            at += len(data)
            if broken == 0 and is_at_end:
                broken = await self._broken_at_end(at, end)
            if broken is None:
                pieces.append(Piece(PieceKind.SKIPPED, at, end))
                return
            if broken == 0:
                return
            pieces.append(Piece(PieceKind.BROKEN, at, at + broken))
            at += broken

    async def read_exactly(self, start: int, end: int) -> bytes | None:
        """Return [start, end), or None where that is no text; may cost budget."""
        try:
            return await self._attempt(start, end - start)
        except (_BudgetSpent, _FileEnded):
            return None

    async def _still_waits(self, cursor: Cursor) -> bool:
        """Ask only for the size while a cut character waits for its rest."""
        if self._waiting is None or self._waiting[0] != cursor.offset:
            return False
        is_same = await self._file.size() == self._waiting[1]
        if not is_same or not await self.is_same_file(cursor):
            self._waiting = None
        return self._waiting is not None

    async def _read_damaged(self, cursor: Cursor, *, length: int) -> Reading:
        """Read what an undecodable slice holds, if it is of the same file."""
        if not await self.is_same_file(cursor):
            return Reading(is_replaced=True)
        size = await self._file.size()
        end = min(size, cursor.offset + length)
        pieces = await self.read_range(cursor.offset, end, is_at_end=end == size)
        # The file may have been replaced between those reads.
        if size < cursor.offset or not await self.is_same_file(cursor):
            return Reading(is_replaced=True)
        if pieces and pieces[-1].kind is PieceKind.SKIPPED:
            pieces[-1] = Piece(PieceKind.SKIPPED, pieces[-1].offset, size)
        reading = Reading(tuple(pieces))
        if reading.count == 0:
            self._waiting = (cursor.offset, size)
        rest = size - cursor.offset - reading.count
        return Reading(reading.pieces, has_more=rest > 0 and bool(pieces))

    async def _text_then_broken(self, at: int, end: int) -> tuple[bytes, int | None]:
        """Return the text at `at`, and how many broken bytes stand behind it.

        0: it reaches `end`, or but for a character that may only be cut. None: the
        budget is spent.
        """
        found = bytearray()
        try:
            whole = await self._attempt(at, end - at)
            if whole is not None:
                return whole, 0
            broken = await self._search(at, end, found=found)
        except _BudgetSpent:
            return bytes(found), None
        return bytes(found), broken

    async def _search(self, at: int, end: int, *, found: bytearray) -> int:
        """Find the longest text at `at`, into `found`; return the broken bytes."""
        length = end - at
        for cut in range(1, min(_CHARACTER, length)):
            data = await self._attempt(at, length - cut)
            if data is not None:
                found += data
                return 0
        limit = length
        while True:
            limit = await self._narrow(at, limit, found=found)
            rest = length - len(found)
            character = await self._one_character(at + len(found), rest)
            if not character:
                # Four bytes that begin no character prove that the first is broken.
                return 1 if rest >= _CHARACTER else 0
            found += character
            if len(found) >= limit:
                # The limit came from a slice that only cut a character.
                limit = length

    async def _narrow(self, at: int, limit: int, *, found: bytearray) -> int:
        """Halve [len(found), limit) until the place of the damage is nearly known."""
        while limit - len(found) >= _NARROW:
            middle = (len(found) + limit) // 2
            # In pure ASCII a failed slice is rarely a cut character: do not insist.
            attempts = 1 if found.isascii() else _CHARACTER
            for stop in range(middle, middle - attempts, -1):
                data = await self._attempt(at + len(found), stop - len(found))
                if data is not None:
                    found += data
                    break
            else:
                limit = middle
        return limit

    async def _one_character(self, at: int, rest: int) -> bytes | None:
        for length in range(1, min(_CHARACTER, rest) + 1):
            data = await self._attempt(at, length)
            if data is not None:
                return data
        return None

    async def _broken_at_end(self, at: int, end: int) -> int | None:
        """Tell a broken byte near the file's end from an unfinished character."""
        for later in range(at + 1, end):
            try:
                data = await self._attempt(later, end - later)
            except _BudgetSpent:
                return None
            # The rest of a character never decodes by itself.
            if data is not None:
                return 1
        return 0

    async def _attempt(self, offset: int, length: int) -> bytes | None:
        """Return exactly these bytes, or None; a failure costs budget.

        Raises:
            _BudgetSpent: a failure too many.
            _FileEnded: there are fewer bytes.
        """
        if length == 0:
            return b""
        try:
            data = await self._file.read(offset, length)
        except UndecodableLog:
            if not self._budget.spend():
                raise _BudgetSpent from None
            return None
        if len(data) < length:
            raise _FileEnded
        return data


def _text(offset: int, data: bytes) -> tuple[Piece, ...]:
    if not data:
        return ()
    return (Piece(PieceKind.TEXT, offset, offset + len(data), data),)
