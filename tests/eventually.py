"""Waiting for what must become true soon: the only place in the tests that sleeps."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

T = TypeVar("T")

#: Seconds between two looks.
_PAUSE = 0.02


def eventually(
    check: Callable[[], T],
    *,
    within: float | timedelta = 10.0,
    expecting: str = "",
    ignoring: type[Exception] | tuple[type[Exception], ...] = AssertionError,
) -> T:
    """Return the first true result of `check`; fail after `within` (seconds).

    `check` may assert: such failures, and `ignoring`, count as "not yet", and the last
    one is what the failure shows.
    """
    seconds = within.total_seconds() if isinstance(within, timedelta) else within
    give_up_at = time.monotonic() + seconds
    last: object = None
    cause: Exception | None = None
    while True:
        try:
            last = result = check()
            cause = None
            if result:
                return result
        except ignoring as exc:
            cause = exc
        if time.monotonic() >= give_up_at:
            what = expecting or getattr(check, "__name__", "it")
            raise AssertionError(
                f"{what} was not so within {seconds:g} s; last: {cause or last!r}"
            ) from cause
        time.sleep(_PAUSE)
