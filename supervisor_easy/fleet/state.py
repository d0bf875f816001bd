"""What the whole fleet looks like now, in memory, versioned, with a change feed.

One writer: every method that changes the state is called on the engine's loop. Any
thread may read `snapshot()`; it never waits and never asks a host.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from supervisor_easy.clock import Clock
from supervisor_easy.errors import (
    AuthenticationFailed,
    BadReply,
    HostUnreachable,
    RpcError,
    ShuttingDown,
)
from supervisor_easy.model import (
    ErrorInfo,
    Host,
    HostCondition,
    HostStatus,
    Observation,
    Process,
    Snapshot,
    Target,
)

logger = logging.getLogger(__name__)

#: Which condition an error of a host means; the first match counts.
_CONDITIONS: tuple[tuple[type[RpcError], HostCondition], ...] = (
    (HostUnreachable, HostCondition.UNREACHABLE),
    (AuthenticationFailed, HostCondition.AUTHENTICATION_FAILED),
    (BadReply, HostCondition.BAD_REPLY),
    (ShuttingDown, HostCondition.RESTARTING),
    (RpcError, HostCondition.FAULT),
)


@dataclass(frozen=True, slots=True)
class ProcessChange:
    """One process that appeared, went, or changed its state, pid or exit."""

    target: Target
    before: Process | None
    after: Process | None


@dataclass(frozen=True, slots=True)
class HostChange:
    """What one look at one host changed.

    `before` is None for a host that joined the inventory, `after` for one that left.
    Looks that changed nothing but times make no change.
    """

    version: int
    at: datetime
    host: str
    before: HostStatus | None
    after: HostStatus | None
    processes: tuple[ProcessChange, ...]

    @property
    def changes_condition(self) -> bool:
        """The host itself came, went, or answers differently."""
        if self.before is None or self.after is None:
            return True
        return self.before.condition is not self.after.condition


Listener = Callable[[HostChange], None]


class FleetState:
    """The last word of every host of the inventory."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._hosts: dict[str, HostStatus] = {}
        self._version = 0
        self._listeners: list[Listener] = []

    @property
    def clock(self) -> Clock:
        """The clock that this state is dated by."""
        return self._clock

    def snapshot(self) -> Snapshot:
        """Return the fleet as it is known now; safe from any thread."""
        # One C-level copy, so it is whole even while the writer goes on.
        return Snapshot(self._version, self._clock.now(), dict(self._hosts))

    def status(self, host: str) -> HostStatus | None:
        """Return what is known of one host; safe from any thread."""
        return self._hosts.get(host)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` on the loop at each change; return what ends it.

        A listener hands the change on and returns at once: it owns its buffer and
        the buffer's bound.
        """
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def set_hosts(self, hosts: Iterable[Host]) -> None:
        """Take the hosts of an inventory: new ones are pending, missing ones go.

        What is known of a host stays known while its address does, whatever else of
        it was edited.
        """
        wanted = {host.name: host for host in hosts}
        for name in [name for name in self._hosts if name not in wanted]:
            before = self._hosts[name]
            self._hosts = {k: v for k, v in self._hosts.items() if k != name}
            self._tell(before, None)
        known = self._hosts
        # A new dict in the inventory's order, so that every page has that order.
        self._hosts = {
            name: replace(known[name], host=host)
            if name in known and known[name].host.url == host.url
            else HostStatus(host)
            for name, host in wanted.items()
        }
        for name, status in self._hosts.items():
            if known.get(name) != status:
                self._tell(known.get(name), status)

    def observed(self, observation: Observation) -> None:
        """Take a good answer of a host; one asked before the last is ignored."""
        before = self._hosts.get(observation.host)
        if before is None or _is_older(observation, before):
            return
        is_new = before.condition is not HostCondition.UP
        after = replace(
            before,
            condition=HostCondition.UP,
            since=observation.observed_at if is_new else before.since,
            error=None,
            last=observation,
            failures=0,
        )
        self._hosts[observation.host] = after
        changes = compare(before.processes, after.processes)
        if is_new or changes:
            self._tell(before, after, changes)

    def failed(self, host: str, error: RpcError) -> None:
        """Take a failure of a host; its last good answer stays, as stale."""
        before = self._hosts.get(host)
        if before is None:
            return
        condition = condition_of(error)
        is_same = before.condition is condition
        after = replace(
            before,
            condition=condition,
            since=before.since if is_same else self._clock.now(),
            error=ErrorInfo(error.code, str(error)),
            failures=before.failures + 1,
        )
        self._hosts[host] = after
        if not is_same or before.error != after.error:
            self._tell(before, after)

    def will_poll(self, host: str, at: datetime) -> None:
        """Note when a host will be asked next, for people who wait."""
        status = self._hosts.get(host)
        if status is not None:
            self._hosts[host] = replace(status, next_poll_at=at)

    def _tell(
        self,
        before: HostStatus | None,
        after: HostStatus | None,
        processes: tuple[ProcessChange, ...] = (),
    ) -> None:
        self._version += 1
        status = after or before
        assert status is not None
        change = HostChange(
            self._version, self._clock.now(), status.name, before, after, processes
        )
        for listener in tuple(self._listeners):
            listener(change)


def condition_of(error: RpcError) -> HostCondition:
    """Return what an error says about its host."""
    return next(condition for kind, condition in _CONDITIONS if isinstance(error, kind))


def compare(
    before: Iterable[Process], after: Iterable[Process]
) -> tuple[ProcessChange, ...]:
    """Return what changed between two looks at one host, times aside."""
    old = _by_target(before)
    new = _by_target(after)
    changed = [
        ProcessChange(target, old.get(target), process)
        for target, process in new.items()
        if target not in old or identity(old[target]) != identity(process)
    ]
    gone = [
        ProcessChange(target, process, None)
        for target, process in old.items()
        if target not in new
    ]
    return (*changed, *gone)


def identity(process: Process) -> tuple[object, ...]:
    """Return what makes a process another one to look at than before.

    `host_start` is left out: it moves when the host's clock is set back.
    """
    return (process.state, process.pid, process.exit_status, process.spawn_error)


def _by_target(processes: Iterable[Process]) -> Mapping[Target, Process]:
    return {process.target: process for process in processes}


def _is_older(observation: Observation, status: HostStatus) -> bool:
    """Say whether this was asked before what is known already.

    Asked, not answered: what was asked later shows at least all that had happened
    until then, however long an earlier question took. And never by the time of day,
    which a clock step moves back for hours.
    """
    return status.last is not None and (
        observation.asked_monotonic < status.last.asked_monotonic
    )
