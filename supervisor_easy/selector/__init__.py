"""Selectors: `scan*/celery:*`, `@scanners`, `!web1` - text that picks processes.

Pure: text and values in, values out. A selector that is malformed or matches nothing
is an error with the nearest names; it never means "everything".
"""

from supervisor_easy.selector.completion import complete
from supervisor_easy.selector.patterns import Selector, exact, parse_selector
from supervisor_easy.selector.selection import (
    MAX_GROUP_DEPTH,
    Catalog,
    Matcher,
    Narrowing,
    NoneInState,
    Selection,
    matcher,
    select,
)

__all__ = [
    "MAX_GROUP_DEPTH",
    "Catalog",
    "Matcher",
    "Narrowing",
    "NoneInState",
    "Selection",
    "Selector",
    "complete",
    "exact",
    "matcher",
    "parse_selector",
    "select",
]
