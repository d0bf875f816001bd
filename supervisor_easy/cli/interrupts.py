"""Ctrl-C while an operation is under way: nothing of it may be lost on the way out.

The first one is only counted, the second one leaves, further ones do nothing more.
Handlers belong to the main thread; anywhere else this does nothing.
"""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self


class Interrupts:
    """Counts Ctrl-C for the length of a block."""

    def __init__(self) -> None:
        """Count none yet."""
        self._before: Any = None
        self._is_ours = threading.current_thread() is threading.main_thread()
        self._may_leave = True
        self.count = 0

    def __enter__(self) -> Self:
        """Take the signal over."""
        if self._is_ours:
            self._before = signal.signal(signal.SIGINT, self._take)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give it back."""
        if self._is_ours:
            signal.signal(signal.SIGINT, self._before)

    def hold(self) -> None:
        """Let none leave from now on: the last words are being said."""
        self._may_leave = False

    def _take(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1
        if self.count > 1 and self._may_leave:
            self._may_leave = False
            raise KeyboardInterrupt
