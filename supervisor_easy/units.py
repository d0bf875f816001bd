"""Spans of time and sizes as people write them: `3s`, `1h30m`, `64KiB`.

Pure text conversion; where a value lives and what it limits is in `settings`.
"""

import re
from datetime import timedelta

_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]i?B?|B)?", re.IGNORECASE)
_SIZE_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


def parse_duration(text: str) -> timedelta:
    """Read `500ms`, `3s`, `2m`, `1h30m` or `7d`.

    A bare number is refused, because nobody can tell seconds from minutes.

    Raises:
        ValueError: the text is no duration; the message says what would be one.
    """
    compact = text.strip().lower()
    parts = _DURATION_PART.findall(compact)
    if not parts or "".join(number + unit for number, unit in parts) != compact:
        raise ValueError(
            f"{text!r} is not a duration; write a number with a unit, "
            "such as 500ms, 3s, 2m, 1h30m or 7d"
        )
    seconds = sum(float(number) * _DURATION_UNITS[unit] for number, unit in parts)
    try:
        return timedelta(seconds=seconds)
    except OverflowError:
        raise ValueError(f"{text[:50]!r} is too long a time") from None


def format_duration(span: timedelta) -> str:
    """Write a span with its two largest units: `1h30m`, `3s`, `250ms`, `4d2h`."""
    total = span.total_seconds()
    if total < 0:
        return "-" + format_duration(-span)
    if 0 < total < 1:
        return f"{round(total * 1000)}ms"
    rest = round(total)
    words: list[str] = []
    for unit, seconds in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, seconds)
        if count:
            words.append(f"{count}{unit}")
        elif words:
            break
    return "".join(words[:2]) or "0s"


def parse_size(text: str) -> int:
    """Read `512`, `64KiB`, `64KB`, `50MB` or `1GiB` as bytes; K is always 1024.

    Supervisord counts so too (its `stdout_logfile_maxbytes=50MB`).

    Raises:
        ValueError: the text is no size; the message says what would be one.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(
            f"{text!r} is not a size; write bytes, or a number with a unit, "
            "such as 64KiB or 50MB"
        )
    number, unit = match.groups()
    return int(float(number) * _SIZE_UNITS[(unit or "b").lower()[0].replace("b", "")])


def format_size(size_bytes: int) -> str:
    """Write bytes for people: `512 B`, `64 KiB`, `1.5 MiB`."""
    value = float(size_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024 or unit == "GiB":
            return f"{value:.0f} {unit}" if value >= 10 else f"{value:.3g} {unit}"
        value /= 1024
    raise AssertionError("unreachable")
