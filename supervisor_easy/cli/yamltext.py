"""Plain data as YAML text, for `-o yaml`; writing only, and only what JSON has.

Strings are quoted whenever a YAML reader could take them for something else.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence

_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./+-]*")
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})


def to_yaml(document: object) -> str:
    """Return `document` (as for JSON) as YAML in block style, one line feed behind."""
    return "\n".join(_lines(document)) + "\n"


def _lines(value: object) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _entry(f"{_scalar(str(key))}:", inner)
    elif _is_list(value) and value:
        assert isinstance(value, Sequence)
        for inner in value:
            yield from _item(inner)
    else:
        yield _scalar(value)


def _entry(head: str, value: object) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        yield head
        yield from (f"  {line}" for line in _lines(value))
    elif _is_list(value) and value:
        yield head
        yield from _lines(value)
    else:
        yield f"{head} {_scalar(value)}"


def _item(value: object) -> Iterator[str]:
    for number, line in enumerate(_lines(value)):
        yield f"{'  ' if number else '- '}{line}"


def _scalar(value: object) -> str:
    if isinstance(value, str):
        if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
            return value
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping):
        return "{}"
    if _is_list(value):
        return "[]"
    return json.dumps(value)


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)
