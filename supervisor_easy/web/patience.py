"""The connections of the web server: none stays open for a client that does nothing.

Bodies and answers have their deadlines in `shell`; here are those of what comes before
a request and after an answer.
"""

import asyncio
from datetime import timedelta

from uvicorn.protocols.http.h11_impl import H11Protocol


class PatientProtocol(H11Protocol):
    """Closes a connection on which no complete request head came for `patience`.

    Bytes that trickle in change nothing: only a whole head ends the waiting. What was
    closed with bytes left that nobody takes is given up, too.
    """

    #: Seconds; `protocol_with` sets it.
    patience: float = 30
    _idle_since: float = 0
    _is_ending: bool = False
    _timer: asyncio.TimerHandle | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a request is being read or answered."""
        return self.cycle is not None and not self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._idle_since = self.loop.time()
        self._look_in(self.patience)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        # First: a request that was sent ahead begins inside.
        self._idle_since = self.loop.time()
        super().on_response_complete()

    def _look_in(self, seconds: float) -> None:
        self._timer = self.loop.call_later(seconds, self._look)

    def _look(self) -> None:
        left = self.patience
        if self.transport.is_closing():
            if self._is_ending:
                self.transport.abort()
                return
            self._is_ending = True
        elif not self.is_busy:
            left = self._idle_since + self.patience - self.loop.time()
            if left <= 0:
                self._give_up()
                return
        self._look_in(left)

    def _give_up(self) -> None:
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()


def protocol_with(patience: timedelta) -> type[PatientProtocol]:
    """Return the protocol with this patience."""
    return type(
        "Connection", (PatientProtocol,), {"patience": patience.total_seconds()}
    )
