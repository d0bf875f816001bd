"""Names written short: `scan[01-20]`, `rack[a:c]-[1:9:2]`, `{web,db}1`, and back.

Pure text. Both Ansible's colon and the dash of cluster tools are read; numbers keep
their zeros. Nested brackets are refused.
"""

import ipaddress
import itertools
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: Most names that one text may stand for.
MAX_NAMES = 20_000
#: Longest text that is expanded, in characters.
MAX_LENGTH = 1024

_PART = re.compile(r"\[([^\[\]{}]*)\]|\{([^\[\]{}]*)\}")
_NUMBERS = re.compile(r"([0-9]{1,18})[-:]([0-9]{1,18})(?:[:/]([0-9]{1,6}))?")
_LETTERS = re.compile(r"([a-z])[-:]([a-z])(?:[:/]([0-9]{1,6}))?", re.IGNORECASE)
_DIGITS = re.compile(r"([0-9]{1,18})")


class RangeError(ValueError):
    """The text is no range; the message says why and what would be one."""


@dataclass(frozen=True, slots=True)
class _Run:
    """Numbers from `first` on, `count` of them, `step` apart; or letters."""

    first: int
    count: int
    step: int = 1
    width: int = 0
    is_letters: bool = False

    def texts(self) -> Iterable[str]:
        """Write each of them."""
        numbers = range(self.first, self.first + self.count * self.step, self.step)
        if self.is_letters:
            return (chr(each) for each in numbers)
        return (str(each).zfill(self.width) for each in numbers)


def has_range(text: str) -> bool:
    """Whether `expand` would do anything to the text."""
    return any(len(part) != 1 or isinstance(part[0], _Run) for part in _parts(text))


def expand(text: str, limit: int = MAX_NAMES) -> list[str]:
    """Return every name the text stands for, the rightmost range turning fastest.

    Raises:
        RangeError: it is malformed, or stands for more than `limit` names.
    """
    parts = _parts(text)
    sizes = [sum(e.count if isinstance(e, _Run) else 1 for e in part) for part in parts]
    if (total := math.prod(sizes)) > limit:
        raise RangeError(f"{text} stands for {total} names; at most {limit} are taken")
    choices = [
        [each for item in part for each in _texts(item)] for part in parts if part
    ]
    return ["".join(choice) for choice in itertools.product(*choices)]


def fold(names: Iterable[str]) -> list[str]:
    """Write names short again: `scan01 … scan20` as `scan[01-20]`.

    `expand` of the answer gives the same names, provided they hold no brackets.
    """
    rows: list[_Row] = [
        tuple((piece,) for piece in _split(name)) for name in dict.fromkeys(names)
    ]
    widest = max((len(row) for row in rows), default=0)
    # Digits stand at the odd places; the last number usually is the one that counts.
    for place in reversed(range(1, widest, 2)):
        rows = _merge(rows, place)
    return ["".join(_write(piece) for piece in row) for row in rows]


def _texts(item: str | _Run) -> Iterable[str]:
    return (item,) if isinstance(item, str) else item.texts()


def _parts(text: str) -> list[list[str | _Run]]:
    """Split into literal texts and choices, each a list of alternatives."""
    if len(text) > MAX_LENGTH:
        raise RangeError(f"longer than {MAX_LENGTH} characters")
    parts: list[list[str | _Run]] = []
    end = 0
    for match in _PART.finditer(text):
        parts += [[_literal(text[end : match.start()], text)], _choice(match, text)]
        end = match.end()
    return [*parts, [_literal(text[end:], text)]]


def _literal(piece: str, text: str) -> str:
    if set(piece) & set("[]{}"):
        raise RangeError(
            f"{text!r}: brackets must come in pairs and not inside each other; "
            "write [01-20] or {a,b}"
        )
    return piece


def _choice(match: re.Match[str], text: str) -> list[str | _Run]:
    inside, braces = match.groups()
    if braces is not None:
        words: list[str | _Run] = [each.strip() for each in braces.split(",")]
        if not all(words):
            raise RangeError(f"{text!r}: {match.group()} has an empty alternative")
        return words
    if _is_ipv6(inside):
        return [match.group()]
    return [_run(item.strip(), text) for item in inside.split(",")]


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _run(item: str, text: str) -> str | _Run:
    if re.fullmatch(r"[0-9]{1,18}|[A-Za-z]", item):
        return item
    if (numbers := _NUMBERS.fullmatch(item)) is not None:
        first, last, step = numbers.groups()
        width = len(first) if first.startswith("0") else 0
        return _counted(int(first), int(last), step, item=item, width=width)
    if (letters := _LETTERS.fullmatch(item)) is not None:
        first, last, step = letters.groups()
        if first.islower() == last.islower():
            return _counted(ord(first), ord(last), step, item=item, width=None)
    raise RangeError(
        f"{text!r}: [{item}] is not a range; write [1-9], [01:20], [0:20:2] or [a-c]"
    )


def _counted(
    first: int, last: int, step: str | None, *, item: str, width: int | None
) -> _Run:
    by = int(step or 1)
    if by < 1:
        raise RangeError(f"[{item}] has a step of 0; the least is 1")
    if last < first:
        raise RangeError(f"[{item}] runs backwards; the smaller end comes first")
    count = (last - first) // by + 1
    return _Run(first, count, by, width or 0, is_letters=width is None)


_Row = tuple[tuple[str, ...], ...]


def _split(name: str) -> list[str]:
    return _DIGITS.split(name)


def _merge(rows: Sequence[_Row], place: int) -> list[_Row]:
    """Put rows together that differ only in the numbers at `place`."""
    merged: defaultdict[_Row, list[str]] = defaultdict(list)
    short: dict[_Row, None] = {}
    for row in rows:
        if place >= len(row):
            short[row] = None
        else:
            merged[(*row[:place], (), *row[place + 1 :])].extend(row[place])
    joined = [
        (*key[:place], tuple(dict.fromkeys(numbers)), *key[place + 1 :])
        for key, numbers in merged.items()
    ]
    return [*joined, *short]


def _write(numbers: Sequence[str]) -> str:
    if len(numbers) == 1:
        return numbers[0]
    runs: list[list[str]] = []
    for number in sorted(numbers, key=lambda text: (len(text), text)):
        if runs and _follows(runs[-1], number):
            runs[-1].append(number)
        else:
            runs.append([number])
    texts = (run[0] if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
    return f"[{','.join(texts)}]"


def _follows(run: Sequence[str], number: str) -> bool:
    width = len(run[0]) if run[0].startswith("0") else 0
    return number == str(int(run[-1]) + 1).zfill(width)
