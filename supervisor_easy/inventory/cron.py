"""Whether a text is a cron expression; when it fires is for the scheduler to say."""

import re

_MACROS = frozenset(
    {"@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually"}
)
_MONTHS = [
    *("jan", "feb", "mar", "apr", "may", "jun"),
    *("jul", "aug", "sep", "oct", "nov", "dec"),
]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
#: Name, least and most value, words allowed (the first stands for the least value).
_FIELDS: tuple[tuple[str, int, int, list[str]], ...] = (
    ("minute", 0, 59, []),
    ("hour", 0, 23, []),
    ("day of month", 1, 31, []),
    ("month", 1, 12, _MONTHS),
    ("weekday", 0, 7, _DAYS),
)
_LONGEST_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_ITEM = re.compile(r"(\*|[0-9a-z]{1,3}(?:-[0-9a-z]{1,3})?)(?:/([0-9]{1,3}))?")


def check_cron(text: str) -> None:
    """Accept five fields as Debian's cron reads them, `L`, `5#2`, or `@daily`.

    Raises:
        ValueError: it is no cron expression, or can never fire.
    """
    compact = text.strip().lower()
    if compact.startswith("@"):
        if compact not in _MACROS:
            raise ValueError(f"{text!r} is not known; there are {_list(_MACROS)}")
        return
    words = compact.split()
    if len(words) != len(_FIELDS):
        raise ValueError(
            f"{text!r} has {len(words)} fields; a cron expression has 5: "
            'minute, hour, day of month, month, weekday, such as "0 4 * * *"'
        )
    values = [_field(word, *field) for word, field in zip(words, _FIELDS, strict=True)]
    days, months = values[2], values[3]
    if words[4] == "*" and "l" not in words[2]:
        longest = max(_LONGEST_MONTH[month - 1] for month in months)
        if min(days) > longest:
            raise ValueError(f"{text!r} never fires: no such month has day {min(days)}")


def _list(words: frozenset[str]) -> str:
    return ", ".join(sorted(words))


def _field(word: str, name: str, least: int, most: int, names: list[str]) -> set[int]:
    values: set[int] = set()
    for item in word.split(","):
        if (name == "day of month" and item in ("l", "lw")) or (
            name == "weekday" and re.fullmatch(r"([0-7]|[a-z]{3})(#[1-5]|l)", item)
        ):
            continue
        match = _ITEM.fullmatch(item)
        if match is None:
            raise ValueError(f"{item!r} is no {name}; write {least}-{most}, * or */5")
        first, last = _span(match[1], name, least, most, names)
        step = int(match[2] or 1)
        if step < 1:
            raise ValueError(f"{item!r} as {name}: the least step is 1")
        values.update(range(first, last + 1, step))
    return values


def _span(
    text: str, name: str, least: int, most: int, names: list[str]
) -> tuple[int, int]:
    if text == "*":
        return least, most
    low, dash, high = text.partition("-")
    first = _number(low, name, least, most, names)
    last = _number(high, name, least, most, names) if dash else first
    if last < first:
        raise ValueError(f"{text!r} as {name} runs backwards")
    return first, last


def _number(text: str, name: str, least: int, most: int, names: list[str]) -> int:
    if text in names:
        return least + names.index(text)
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise ValueError(f"{text!r} is no {name}; that is from {least} to {most}")
    return int(text)
