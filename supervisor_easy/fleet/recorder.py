"""Turns changes of the fleet into history, without ever slowing the watcher.

The listener only appends to a bounded buffer; a task writes the buffer in batches.
When the database is slower than the fleet, events are dropped, counted, and the loss
is itself an event.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Iterator
from datetime import timedelta

from supervisor_easy.clock import Clock
from supervisor_easy.errors import StoreError
from supervisor_easy.fleet.state import FleetState, HostChange, ProcessChange
from supervisor_easy.model import (
    Event,
    EventKind,
    HostCondition,
    Process,
    ProcessState,
    Sighting,
)
from supervisor_easy.settings import Settings
from supervisor_easy.store import Store
from supervisor_easy.store.events import Events
from supervisor_easy.store.journal import Journal

logger = logging.getLogger(__name__)

#: Events gather this long before they are written in one transaction. Long enough
#: for an action's own outcome to be there first, so that it is named as the cause.
GATHER = timedelta(seconds=1)
#: How often old events and operations are removed.
PRUNE_EVERY = timedelta(minutes=10)


class EventRecorder:
    """Writes the history of the fleet; runs on the engine's loop."""

    def __init__(
        self,
        state: FleetState,
        events: Events,
        *,
        journal: Journal,
        store: Store,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._events = events
        self._journal = journal
        self._store = store
        self._settings = settings
        self._clock = clock
        self._waiting: deque[Event] = deque()
        self._dropped = 0
        self._wake = asyncio.Event()
        self._state = state

    async def run(self) -> None:
        """Listen and write until cancelled; what waits at the end is written."""
        unsubscribe = self._state.subscribe(self._heard)
        next_prune = self._clock.monotonic()
        try:
            while True:
                if self._clock.monotonic() >= next_prune:
                    next_prune += PRUNE_EVERY.total_seconds()
                    await self._prune()
                await self._wait()
                await self._write()
        finally:
            unsubscribe()
            # What waits; and then the loss that was counted while that was written.
            await self._write()
            if self._dropped:
                await self._write()

    def add(self, event: Event) -> None:
        """Take an event from elsewhere; dropped and counted if the buffer is full."""
        if len(self._waiting) >= self._settings.event_buffer:
            self._dropped += 1
        else:
            self._waiting.append(event)
        self._wake.set()

    def _heard(self, change: HostChange) -> None:
        for event in events_of(change):
            self.add(event)

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(PRUNE_EVERY.total_seconds()):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()
        await self._clock.sleep(GATHER)

    async def _write(self) -> None:
        count, dropped = len(self._waiting), self._dropped
        batch = [*self._waiting, *self._loss(dropped)]
        if not batch:
            return
        writing = asyncio.ensure_future(self._store.run(self._events.append, batch))
        was_cancelled = await _ended(writing)
        try:
            writing.result()
        except StoreError as error:
            # They stay in the buffer, whose bound holds.
            logger.warning("cannot write events waiting=%d: %s", len(batch), error)
            self._wake.set()
        else:
            # Others came, and were dropped, while it was written.
            self._dropped -= dropped
            for _ in range(count):
                self._waiting.popleft()
        if was_cancelled:
            raise asyncio.CancelledError

    def _loss(self, dropped: int) -> Iterator[Event]:
        if dropped:
            message = f"{dropped} events were not kept: the database was too slow"
            yield Event(self._clock.now(), EventKind.NOTICE, message)

    async def _prune(self) -> None:
        try:
            await self._store.run(self._events.prune, self._clock.now())
            await self._store.run(self._journal.prune, self._clock.now())
        except StoreError as error:
            logger.warning("cannot remove old events and operations: %s", error)


def events_of(change: HostChange) -> Iterator[Event]:
    """Say in events what a change means; the first look at a host says nothing.

    What a host looks like when we first see it is not something that happened.
    """
    if change.changes_condition and not _is_first_sight(change):
        yield _host_event(change)
    if change.before is None or change.before.last is None:
        return
    for each in change.processes:
        yield _process_event(change, each)


def _is_first_sight(change: HostChange) -> bool:
    before, after = change.before, change.after
    if before is None or after is None:
        return after is not None and after.condition is HostCondition.PENDING
    is_new = before.condition is HostCondition.PENDING
    return is_new and after.condition is HostCondition.UP


def _host_event(change: HostChange) -> Event:
    if change.after is None:
        message = "left the inventory"
    elif change.after.condition is HostCondition.UP:
        message = "answers again"
    elif change.after.error is not None:
        message = change.after.error.message
    else:
        message = change.after.condition.value
    return Event(change.at, EventKind.HOST, message, host=change.host)


def _process_event(change: HostChange, each: ProcessChange) -> Event:
    return Event(
        change.at,
        EventKind.PROCESS,
        describe(each.before, each.after),
        host=each.target.host,
        group=each.target.group,
        name=each.target.name,
        before=Sighting.of(each.before) if each.before else None,
        after=Sighting.of(each.after) if each.after else None,
    )


def describe(before: Process | None, after: Process | None) -> str:
    """Say in a few words what became of a process."""
    if after is None:
        return "removed from supervisord's configuration"
    if before is None:
        return f"added, {after.state.name}"
    if before.state is after.state and before.pid != after.pid:
        return f"{after.state.name} with another pid, {before.pid} → {after.pid}"
    text = f"{before.state.name} → {after.state.name}"
    if after.state is ProcessState.EXITED:
        text += f", exit status {after.exit_status}"
    if after.state.is_problem and after.spawn_error:
        text += f": {after.spawn_error}"
    return text


async def _ended(work: "asyncio.Future[int]") -> bool:
    """Wait until `work` has ended, whoever cancels; return whether somebody did.

    A write that was sent is kept or not, whoever still waits: who did not hear which
    would write the same again. The store's own deadline bounds the wait.
    """
    was_cancelled = False
    while not work.done():
        try:
            await asyncio.wait({work})
        except asyncio.CancelledError:
            was_cancelled = True
    return was_cancelled
