"""The hint for a misspelt word."""

import difflib
from collections.abc import Iterable


def close(word: str, names: Iterable[str]) -> str:
    """Return `; did you mean X?`, or nothing where no name is like `word`."""
    by_lower = {name.lower(): name for name in names}
    near = difflib.get_close_matches(word.lower(), by_lower, n=1)
    return f"; did you mean {by_lower[near[0]]}?" if near else ""
