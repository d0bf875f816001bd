"""A connection to PostgreSQL whose every wait has a deadline on this side too.

The server's own limits say better what is wrong, but a server that is stopped, or
behind a network that swallows everything, cannot apply them.
"""

import math
import time
from collections.abc import Callable, Generator
from datetime import timedelta
from typing import Any

from psycopg import Connection, OperationalError
from sqlalchemy import Engine, event

#: Deadlines in terms of `store_timeout`: of a statement (the server itself ends one
#: after twice that, and shall be heard), and of what is asked between transactions,
#: such as whether the connection still lives.
_STATEMENT, _BETWEEN = 2.5, 1.0


def bound_waits(engine: Engine, *, timeout: timedelta) -> None:
    """Have the engine make such connections."""

    def connect(
        _dialect: object, _record: object, args: list[Any], options: dict[str, Any]
    ) -> Any:
        made = _Bounded.connect(*args, **options)
        made.limit_seconds = timeout.total_seconds()
        return made

    event.listen(engine, "do_connect", connect)


class _Bounded(Connection[Any]):
    limit_seconds = math.inf

    def wait(self, gen: Generator[Any, Any, Any], *args: Any, **options: Any) -> Any:
        share = _BETWEEN if self.autocommit else _STATEMENT
        waits = _until(gen, self.limit_seconds * share, give_up=self._give_up)
        return super().wait(waits, *args, **options)

    def _give_up(self, seconds: float) -> OperationalError:
        # Nobody can know what the server still does with this connection. Closed, it
        # is thrown away together with the rest of the pool.
        self.close()
        return OperationalError(f"no answer within {seconds:g} s")


def _until(
    gen: Generator[Any, Any, Any],
    seconds: float,
    *,
    give_up: Callable[[float], OperationalError],
) -> Generator[Any, Any, Any]:
    """Run psycopg's own generator, which asks to be woken when the socket is ready.

    The driver resumes it a few times a second with nothing ready.
    """
    end = time.monotonic() + seconds
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if ready:
                wanted = gen.send(ready)
            elif time.monotonic() >= end:
                gen.close()
                raise give_up(seconds)
    except StopIteration as done:
        return done.value
