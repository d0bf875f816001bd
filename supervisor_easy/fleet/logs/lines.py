"""Bytes of a log to lines: split on line feeds only, bounded, each byte once.

A carriage return stays inside its line (a progress bar is one line) unless it stands
before the line feed. Pure: no I/O, no clock.
"""

from dataclasses import dataclass

#: Shown for a byte that is not UTF-8.
REPLACEMENT = "�".encode()
#: Bytes that continue a UTF-8 character: 0b10xxxxxx.
_CONTINUES = range(0x80, 0xC0)


@dataclass(frozen=True, slots=True)
class Line:
    """A line or a part of one; `end` is the offset behind it and its line feed."""

    text: str
    offset: int
    end: int
    is_partial: bool = False
    is_continuation: bool = False


class LineSplitter:
    """Collects bytes of one file in order and gives back lines."""

    def __init__(
        self, *, max_bytes: int, offset: int = 0, is_mid_line: bool = False
    ) -> None:
        """Split lines longer than `max_bytes`; `is_mid_line`: go on with a line."""
        self._max_bytes = max(max_bytes, 4)
        self._is_mid_line = is_mid_line
        self._held = b""
        self._end = offset
        #: Where parts of the held bytes stand: (index in held, offset in the file).
        self._parts: list[tuple[int, int]] = []

    @property
    def has_unfinished(self) -> bool:
        """Bytes wait for their line's end."""
        return bool(self._held)

    @property
    def unfinished_start(self) -> int:
        """Where the waiting bytes begin; where the next ones will, if none wait."""
        return self._parts[0][1] if self._held else self._end

    @property
    def is_mid_line(self) -> bool:
        """A part of the present line was given back already."""
        return self._is_mid_line

    def feed(self, data: bytes, *, offset: int) -> list[Line]:
        """Take bytes that stand at `offset`; return the lines they complete."""
        lines: list[Line] = []
        at = 0
        while (found := data.find(b"\n", at)) >= 0:
            self._hold(data[at:found], offset=offset + at, end=offset + found)
            lines += self._split_long()
            self._end = offset + found + 1
            lines += self._finish()
            at = found + 1
        self._hold(data[at:], offset=offset + at, end=offset + len(data))
        return lines + self._split_long()

    def feed_broken(self, count: int, *, offset: int) -> list[Line]:
        """Take `count` bytes at `offset` that are no text, shown as one U+FFFD."""
        self._hold(REPLACEMENT, offset=offset, end=offset + count)
        return self._split_long()

    def flush(self) -> list[Line]:
        """Return what waits as a partial line; its rest will be a continuation."""
        if not self._held:
            return []
        line = self._line(self._held, end=self._end, is_partial=True)
        self._drop()
        self._is_mid_line = True
        return [line]

    def begin_at(self, offset: int) -> None:
        """Forget the line under way: what comes stands at `offset`, after a gap."""
        self._drop()
        self._is_mid_line = False
        self._end = offset

    def _hold(self, data: bytes, *, offset: int, end: int) -> None:
        if data:
            self._parts.append((len(self._held), offset))
            self._held += data
        self._end = end

    def _drop(self) -> None:
        self._held = b""
        self._parts.clear()

    def _finish(self) -> list[Line]:
        text = self._held.removesuffix(b"\r")
        # A partial line was shown without its line feed; that alone is no news.
        is_news = bool(text) or not self._is_mid_line
        line = self._line(text, end=self._end)
        self._drop()
        self._is_mid_line = False
        return [line] if is_news else []

    def _split_long(self) -> list[Line]:
        lines = []
        while len(self._held) > self._max_bytes:
            cut = _character_start(self._held, self._max_bytes)
            place = self._offset_of(cut)
            lines.append(self._line(self._held[:cut], end=place, is_partial=True))
            later = [(at - cut, offset) for at, offset in self._parts if at > cut]
            self._held = self._held[cut:]
            self._parts = [(0, place), *later]
            self._is_mid_line = True
        return lines

    def _offset_of(self, index: int) -> int:
        """Return where the held byte of this index stands in the file."""
        at, offset = next(part for part in reversed(self._parts) if part[0] <= index)
        return offset + index - at

    def _line(self, data: bytes, *, end: int, is_partial: bool = False) -> Line:
        start = self._parts[0][1] if self._parts else end - 1
        return Line(
            text=data.decode("utf-8", "replace"),
            offset=start,
            end=end,
            is_partial=is_partial,
            is_continuation=self._is_mid_line,
        )


def _character_start(data: bytes, at: int) -> int:
    """Return the last place not after `at` where a character begins."""
    for place in range(at, max(at - 4, 0), -1):
        if data[place] not in _CONTINUES:
            return place
    return at
