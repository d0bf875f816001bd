"""The values of log reading: where a line comes from, what it says, what is missing.

Offsets and lengths count bytes of the file on the host, from 0.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from supervisor_easy.model import Stream, Target


@dataclass(frozen=True, slots=True, order=True)
class LogSource:
    """One log: a stream of one process."""

    target: Target
    stream: Stream = Stream.STDOUT

    @classmethod
    def main(cls, host: str) -> "LogSource":
        """Return the source for supervisord's own log on `host`."""
        # No process has an empty name, so this target is nobody else's.
        return cls(Target(host, "supervisord", ""))

    @property
    def is_main(self) -> bool:
        """It is supervisord's own log."""
        return self.target.group == "supervisord" and not self.target.name

    def __str__(self) -> str:
        """Return the target, and the stream where it is not stdout."""
        if self.is_main:
            return f"{self.target.host}/supervisord"
        suffix = "" if self.stream is Stream.STDOUT else f" ({self.stream})"
        return f"{self.target}{suffix}"


class EntryKind(StrEnum):
    """A line of the log, or a word of ours about it."""

    LINE = "line"
    MARKER = "marker"


class MarkerKind(StrEnum):
    """What a marker tells."""

    ROTATED = "rotated"  # the file reached its limit and supervisord began another
    TRUNCATED = "truncated"  # emptied on the host; supervisord never rotates it
    CLEARED = "cleared"  # emptied by an action that we were told of
    REPLACED = "replaced"  # another file, and nobody can say why
    SKIPPED = "skipped"  # bytes that are no text and were not searched further
    NO_LOG = "no_log"  # the process has no such log file now
    UNREACHABLE = "unreachable"  # the log cannot be read now, and why
    BACK = "back"  # it can be read again
    BACKLOG = "backlog"  # what is shown does not reach as far back as was asked
    NOTE = "note"  # the caller's own word, such as a restart
    FILTER_OFF = "filter_off"  # the pattern took too long; every line is shown


@dataclass(frozen=True, slots=True)
class Unseen:
    """Bytes of the log that were not shown.

    They begin at `from_offset` of the file that was being read. `at_least` follows from
    the size at which the log rotates, where that is known; `at_most` is None where
    nobody can say: whole files may have come and gone between two reads. With both
    equal the range is exact.
    """

    from_offset: int
    at_least: int
    at_most: int | None = None


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One line of a log, or one marker.

    `offset` is where the first byte of `text` stands in the file. `is_partial` says
    that the line had no end yet, or was split for its length; the entry that goes on
    with it has `is_continuation` and only the rest as its text. A line end that
    arrives alone after a partial line is not an entry.
    """

    source: LogSource
    kind: EntryKind
    text: str
    seen_at: datetime
    offset: int
    is_partial: bool = False
    is_continuation: bool = False
    marker: MarkerKind | None = None
    unseen: Unseen | None = None


@dataclass(frozen=True, slots=True)
class Anchor:
    """Bytes known to stand at `offset` of a file: what identifies the file."""

    offset: int
    data: bytes

    @property
    def end(self) -> int:
        """The offset behind the last byte."""
        return self.offset + len(self.data)


@dataclass(frozen=True, slots=True)
class LogPosition:
    """Where to read on, and how to know that it is still the same file.

    `is_mid_line` says that what follows continues a line whose beginning was shown.
    """

    offset: int = 0
    anchor: Anchor | None = None
    is_mid_line: bool = False
