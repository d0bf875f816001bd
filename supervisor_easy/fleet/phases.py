"""The words of a step: what can be sent, and where it stands."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

#: How often a command that was taken and showed no effect is sent again.
MAX_SENDS = 3
#: How long a taken command may show no effect before it is sent again.
RESEND_AFTER = timedelta(seconds=2)


class Command(StrEnum):
    """What can be sent to a host for one process."""

    START = "start"
    STOP = "stop"
    SIGNAL = "signal"
    CLEAR_LOGS = "clear_logs"


class Phase(StrEnum):
    """Where a step stands."""

    NEW = "new"  # nothing was sent
    RESUMED = "resumed"  # taken over from a dead console; something may have been sent
    STOPPING = "stopping"
    STARTING = "starting"
    DONE = "done"


@dataclass(slots=True)
class Attempt:
    """How often a phase's command was sent, and when last; monotonic seconds."""

    sent_at: float | None = None
    sends: int = 0

    def note(self, now: float) -> None:
        """Count one more."""
        self.sent_at = now
        self.sends += 1

    def may_repeat(self, now: float) -> bool:
        """Say whether it may be sent now: the first time, or again after a while."""
        if self.sent_at is None:
            return True
        has_waited = now - self.sent_at >= RESEND_AFTER.total_seconds()
        return has_waited and self.sends < MAX_SENDS
