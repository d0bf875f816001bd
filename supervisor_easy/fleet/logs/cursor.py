"""A place in a file on another machine, and the proof that it is still that file.

Supervisord tells neither inode nor time of a log. So each read repeats the last bytes
already seen (the anchor) and compares: other bytes, or too few, mean another file,
even if that has grown past our offset. Pure: no I/O.

Limits, which no reader over XML-RPC can lift: a new file that carries the very anchor
bytes at the very offset is not noticed, nor a file that came and went between two
reads while we stood at the start of an empty one.
"""

from supervisor_easy.fleet.logs.entries import Anchor, LogPosition

#: A shorter run of bytes since the last broken byte proves too little, in bytes.
MIN_ANCHOR_BYTES = 48
#: Bytes that continue a UTF-8 character: 0b10xxxxxx.
_CONTINUES = range(0x80, 0xC0)


class Cursor:
    """The next offset to read in one file, and its anchor."""

    def __init__(self, position: LogPosition, *, anchor_bytes: int) -> None:
        """Stand at `position`; keep anchors of up to `anchor_bytes`."""
        self._limit = max(anchor_bytes, MIN_ANCHOR_BYTES + 3)
        self.offset = position.offset
        self._run = Anchor(position.offset, b"")
        self._proof: Anchor | None = None
        if position.anchor and position.anchor.end == position.offset:
            self._run = position.anchor
        elif position.anchor:
            self._proof = position.anchor

    @property
    def anchor(self) -> Anchor | None:
        """The bytes that identify the file; None if none are known."""
        is_whole = self._run.offset == 0
        if self._run.data and (is_whole or self._is_strong or self._proof is None):
            return self._run
        return self._proof

    @property
    def _is_strong(self) -> bool:
        return len(self._run.data) >= MIN_ANCHOR_BYTES

    @property
    def needs_second_look(self) -> bool:
        """The anchor does not touch the offset, so one read cannot show both."""
        return self.offset > 0 and self.anchor is not self._run

    def window(self, length: int) -> tuple[int, int]:
        """Return offset and length of a read that repeats the bytes before ours."""
        return self._run.offset, len(self._run.data) + length

    def new_bytes(self, data: bytes) -> bytes | None:
        """Return what `data`, read at `window`, holds beyond us; None: another file."""
        if not data.startswith(self._run.data):
            return None
        return data[len(self._run.data) :]

    def advance(self, data: bytes) -> None:
        """Go behind `data`, which was read as text at the offset."""
        if not data:
            return
        whole = self._run.data + data
        self.offset += len(data)
        kept = whole[-self._limit :]
        if len(kept) < len(whole):
            kept = _from_character(kept)
        self._run = Anchor(self.offset - len(kept), kept)
        if self._is_strong:
            self._proof = None

    def skip(self, count: int) -> None:
        """Go over `count` bytes that cannot be read as text."""
        self._proof = self.anchor
        self.offset += count
        self._run = Anchor(self.offset, b"")

    def begin_file(self) -> None:
        """Go to the start of another file."""
        self.offset = 0
        self._run = Anchor(0, b"")
        self._proof = None


def _from_character(data: bytes) -> bytes:
    """Drop the rest of a character cut at the start; supervisord cannot read it."""
    start = 0
    while start < min(3, len(data)) and data[start] in _CONTINUES:
        start += 1
    return data[start:]
