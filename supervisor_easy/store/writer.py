"""One thread that writes, for a loop that must not wait for a disk.

Calls run in the order they came; the number that wait is bounded, and so is the time
that closing takes. A call that its caller has given up can learn so and undo what it
did. It knows nothing of databases.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from datetime import timedelta
from typing import Any, TypeVar

from supervisor_easy.errors import StoreError

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Writer:
    """A worker thread, started by the first call."""

    def __init__(self, *, limit: int) -> None:
        """Let at most `limit` calls wait."""
        self._limit = limit
        self._calls: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_closed = False
        self._running: Future[Any] | None = None
        self._given_up: Future[Any] | None = None

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """Queue a call.

        Raises:
            StoreError: closed, or too many wait.
        """
        future: Future[T] = Future()
        with self._changed:
            if self._is_closed:
                raise StoreError("the database is closed: the console is stopping")
            if len(self._calls) >= self._limit:
                raise StoreError(
                    f"the database cannot keep up: {self._limit} writes are waiting"
                )
            self._calls.append((future, call))
            self._ensure_thread()
            self._changed.notify()
        return future

    def give_up(self, future: Future[Any]) -> None:
        """Let a call that waits never run, and one that runs undo itself."""
        if future.cancel():
            return
        with self._changed:
            if future is self._running:
                self._given_up = future

    def is_given_up(self) -> bool:
        """Say, to the call that asks, whether nobody waits for it any more."""
        with self._changed:
            return (
                threading.current_thread() is self._thread
                and self._given_up is not None
                and self._given_up is self._running
            )

    def close(self, *, timeout: timedelta) -> bool:
        """Finish what waits, take nothing new; say whether it ended in time."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
            thread = self._thread
        if thread is None or thread is threading.current_thread():
            return True
        thread.join(timeout.total_seconds())
        if not thread.is_alive():
            return True
        logger.error("a write hangs, giving up waiting=%s", self._drop_waiting())
        return False

    def _drop_waiting(self) -> int:
        with self._changed:
            dropped = [future.cancel() for future, _ in self._calls]
            self._calls.clear()
        return len(dropped)

    def _ensure_thread(self) -> None:
        if self._thread is None:
            # A daemon, so that a hung disk cannot keep the program from ending.
            self._thread = threading.Thread(
                target=self._work, name="fleet-store-writer", daemon=True
            )
            self._thread.start()

    def _work(self) -> None:
        while (item := self._next()) is not None:
            future, call = item
            if future.set_running_or_notify_cancel():
                with self._changed:
                    self._running = future
                _settle(future, call)

    def _next(self) -> tuple[Future[Any], Callable[[], Any]] | None:
        with self._changed:
            while not self._calls and not self._is_closed:
                self._changed.wait()
            return self._calls.popleft() if self._calls else None


def _settle(future: Future[Any], call: Callable[[], Any]) -> None:
    try:
        result = call()
    except BaseException as exc:  # noqa: BLE001 - the thread's edge: it goes to the caller
        future.set_exception(exc)
    else:
        future.set_result(result)
