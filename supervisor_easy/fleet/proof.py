"""What two looks at a process prove, and what an error says about a command.

The pid is the identity; times only corroborate.
`start` and `stop` are whole seconds on the host's clock: they repeat within a second
and move when that clock is set back.
"""

from supervisor_easy.errors import (
    BadReply,
    HostUnreachable,
    RpcError,
    SpawnFailed,
    UnknownProcess,
)
from supervisor_easy.model import Process, ProcessState, Sighting


def is_replaced(
    seen: Process, before: Sighting | None, *, baseline: Process | None
) -> bool:
    """Say whether another process runs than ran before.

    The same pid can be given out twice; then both times must have moved on.
    """
    if seen.state not in (ProcessState.STARTING, ProcessState.RUNNING):
        return False
    if before is None or before.pid == 0 or seen.pid != before.pid:
        return True
    return (
        baseline is not None
        and seen.host_stop > baseline.host_stop
        and seen.host_start >= seen.host_stop
    )


def has_moved(seen: Process, *, since: Process) -> bool:
    """Tell an end apart from the one that stood there before a start."""
    return (
        seen.state is not since.state
        or seen.host_start != since.host_start
        or seen.host_stop != since.host_stop
        or seen.spawn_error != since.spawn_error
    )


def may_be_done(error: RpcError) -> bool:
    """Say whether a command that failed so may have been carried out."""
    return isinstance(error, BadReply) or (
        isinstance(error, HostUnreachable) and error.maybe_executed
    )


def is_final(error: RpcError) -> bool:
    """Say whether a refusal is supervisord's last word.

    Faults 20 and 21 come before anything is spawned; 50 (SPAWN_ERROR) is not final,
    since supervisord goes on trying in BACKOFF.
    """
    is_missing = isinstance(error, SpawnFailed) and error.fault_code in (20, 21)
    return is_missing or isinstance(error, UnknownProcess)
