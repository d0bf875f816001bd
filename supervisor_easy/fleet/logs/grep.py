"""A user's pattern over log lines, bounded.

Python's `re` can take for ever and cannot be interrupted. So a pattern that repeats a
repeat or a choice (`(a+)+`, `(a|b)*`) is refused, a line is looked at only up to
`log_grep_chars`, and a pattern that is slow on one line all the same is switched off.
"""

import re
from dataclasses import dataclass, field

from supervisor_easy.clock import Clock
from supervisor_easy.errors import FleetError
from supervisor_easy.fleet.logs.entries import EntryKind, LogEntry
from supervisor_easy.fleet.logs.text import plain
from supervisor_easy.settings import Settings

#: Most unbounded repeats in one pattern: the cost grows with this power of a line.
_MOST_REPEATS = 4
#: Longest pattern, in characters.
_LONGEST = 1000
_COUNTED = re.compile(r"\{(\d*)(,?)(\d*)\}")


class BadPattern(FleetError):
    """The pattern is no regular expression, or one that could take for ever."""

    code = "bad_pattern"


class LineFilter:
    """Keeps the lines whose text, without colours, holds the pattern.

    The parts of a line that was split are looked at one by one.
    """

    def __init__(self, pattern: str, *, settings: Settings, clock: Clock) -> None:
        """Compile `pattern`.

        Raises:
            BadPattern: it is not usable; the message says why.
        """
        if len(pattern) > _LONGEST:
            raise BadPattern(f"the pattern is longer than {_LONGEST} characters")
        try:
            self._search = re.compile(pattern).search
        except (re.error, OverflowError, RecursionError) as exc:
            raise BadPattern(f"bad pattern {pattern!r}: {exc}") from exc
        _refuse_endless(pattern)
        self._chars = settings.log_grep_chars
        self._limit = settings.log_grep_limit.total_seconds()
        self._clock = clock
        self.is_off = False

    def keeps(self, entry: LogEntry) -> bool:
        """Judge one entry; markers always stay, and everything once switched off."""
        if self.is_off or entry.kind is EntryKind.MARKER:
            return True
        began = self._clock.monotonic()
        # Cut before the colours go too, so that a huge line costs little.
        text = plain(entry.text[: 4 * self._chars])[: self._chars]
        found = self._search(text) is not None
        if self._clock.monotonic() - began > self._limit:
            self.is_off = True
        return found


@dataclass(slots=True)
class _Group:
    has_repeat: bool = False
    has_choice: bool = False


@dataclass(slots=True)
class _Scan:
    """What a walk over the pattern has seen."""

    open: list[_Group] = field(default_factory=lambda: [_Group()])
    closed: _Group | None = None
    repeats: int = 0


def _refuse_endless(pattern: str) -> None:
    """Refuse what can take exponential time, and too many repeats side by side."""
    scan = _Scan()
    at = 0
    while at < len(pattern):
        at = _step(pattern, at, scan=scan)
    if scan.repeats > _MOST_REPEATS:
        raise BadPattern(
            f"the pattern has {scan.repeats} unbounded repeats, at most "
            f"{_MOST_REPEATS} are allowed: it could take for ever on a long line"
        )


def _step(pattern: str, at: int, *, scan: _Scan) -> int:
    """Look at the token at `at`; return where the next one begins."""
    char = pattern[at]
    group, scan.closed = scan.closed, None
    end = at + 1
    if char == "\\":
        end = at + 2
    elif char == "[":
        end = _after_class(pattern, at)
    elif char == "(":
        scan.open.append(_Group())
        if pattern.startswith("(?", at):
            end = at + 2
    elif char == ")" and len(scan.open) > 1:
        scan.closed = scan.open.pop()
        # What is inside a group is inside the one around it as well.
        scan.open[-1].has_repeat |= scan.closed.has_repeat
        scan.open[-1].has_choice |= scan.closed.has_choice
    elif char == "|":
        scan.open[-1].has_choice = True
    elif char in "*+{?":
        end = _repeat(pattern, at, group=group, scan=scan)
    return end


def _repeat(pattern: str, at: int, *, group: _Group | None, scan: _Scan) -> int:
    end, most = at + 1, None
    if pattern[at] == "?":
        most = 1
    if pattern[at] == "{":
        counted = _COUNTED.match(pattern, at)
        if counted is None or not (counted[1] or counted[3]):
            return end
        end = counted.end()
        upper = counted[3] or (None if counted[2] else counted[1])
        most = int(upper) if upper is not None else None
    if pattern[end : end + 1] in {"?", "+"}:
        end += 1
    is_unbounded = most is None or most > 16
    if group and (most is None or most > 1) and (group.has_repeat or group.has_choice):
        raise BadPattern(
            f"the pattern {pattern!r} repeats a group that itself repeats or has a "
            "choice: it could take for ever; match each part once instead"
        )
    scan.repeats += is_unbounded
    scan.open[-1].has_repeat |= most is None or most > 1
    return end


def _after_class(pattern: str, at: int) -> int:
    """Return where the character class that begins at `at` ends."""
    end = at + 1
    if pattern.startswith("^", end):
        end += 1
    if pattern.startswith("]", end):
        end += 1
    while end < len(pattern) and pattern[end] != "]":
        end += 2 if pattern[end] == "\\" else 1
    return end + 1
