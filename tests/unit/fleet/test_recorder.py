"""What a change of the fleet means as history, and how long it is kept."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from supervisor_easy.errors import HostUnreachable, StoreError
from supervisor_easy.fleet.recorder import EventRecorder, describe, events_of
from supervisor_easy.fleet.state import FleetState, HostChange
from supervisor_easy.model import (
    Event,
    EventKind,
    OperationStatus,
    Process,
    ProcessState,
)
from supervisor_easy.settings import Settings
from supervisor_easy.store import Store
from supervisor_easy.store.events import Events
from supervisor_easy.store.journal import Journal
from supervisor_easy.store.owners import Owner
from tests.builders import FakeClock, a_host, a_process, an_observation
from tests.eventually import eventually
from tests.store.values import an_event, an_operation, close

UP = a_process(pid=12)


@pytest.fixture
def state(clock: FakeClock) -> FleetState:
    state = FleetState(clock=clock)
    state.set_hosts([a_host("scan01")])
    return state


@pytest.fixture
def told(state: FleetState) -> list[HostChange]:
    changes: list[HostChange] = []
    state.subscribe(changes.append)
    return changes


def messages(told: list[HostChange]) -> list[str]:
    return [event.message for change in told for event in events_of(change)]


def test_the_first_sight_of_a_host_is_no_event(
    state: FleetState, told: list[HostChange]
) -> None:
    state.observed(an_observation(UP))

    assert messages(told) == []


def test_a_host_that_does_not_answer_and_comes_back_are_two_events(
    state: FleetState, told: list[HostChange]
) -> None:
    state.observed(an_observation(UP))
    state.failed(
        "scan01", HostUnreachable("scan01 refused", host="scan01", reason="refused")
    )
    state.observed(an_observation(UP))

    assert messages(told) == ["scan01 refused", "answers again"]


def test_what_changed_while_a_host_was_away_is_told(
    state: FleetState, told: list[HostChange]
) -> None:
    state.observed(an_observation(UP))
    state.failed("scan01", HostUnreachable("gone", host="scan01", reason="timeout"))
    state.observed(an_observation(a_process(pid=99)))

    assert messages(told)[-1] == "RUNNING with another pid, 12 → 99"


def test_a_process_event_has_both_sightings(
    state: FleetState, told: list[HostChange]
) -> None:
    state.observed(an_observation(UP))
    told.clear()
    state.observed(an_observation(a_process(state=ProcessState.STOPPED)))

    [event] = events_of(told[0])
    assert event.kind is EventKind.PROCESS
    assert event.before is not None
    assert event.after is not None
    assert (event.before.pid, event.after.pid) == (12, 0)


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        (None, UP, "added, RUNNING"),
        (UP, None, "removed from supervisord's configuration"),
        (
            UP,
            a_process(state=ProcessState.EXITED, exit_status=3),
            "RUNNING → EXITED, exit status 3",
        ),
        (
            UP,
            a_process(state=ProcessState.FATAL, spawn_error="no such file"),
            "RUNNING → FATAL: no such file",
        ),
    ],
)
def test_a_change_is_told_in_a_few_words(
    before: Process | None, after: Process | None, text: str
) -> None:
    assert describe(before, after) == text


def test_old_events_and_operations_are_removed(
    state: FleetState, clock: FakeClock, settings: Settings, tmp_path: Path
) -> None:
    store = Store(f"sqlite:///{tmp_path / 'fleet.db'}", clock=clock, settings=settings)
    store.upgrade()
    journal, events, owner = Journal(store), Events(store), Owner.this_process(clock)
    operation = an_operation()
    journal.open(operation, owner=owner)
    close(journal, owner, operation.id, OperationStatus.DONE)
    events.append([an_event()])
    clock.advance(settings.event_retention + timedelta(seconds=1))
    recorder = EventRecorder(
        state, events, journal=journal, store=store, settings=settings, clock=clock
    )

    async def run_until_pruned() -> None:
        running = asyncio.create_task(recorder.run())
        await asyncio.to_thread(
            eventually, lambda: not journal.list() and not events.query(), within=10
        )
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(run_until_pruned())
    store.close()


class HeldEvents(Events):
    """A history whose first write takes as long as the test wants."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.store = store
        self.has_begun, self.go_on = threading.Event(), threading.Event()
        self.is_broken = False

    def append(self, batch: Sequence[Event]) -> int:
        self.has_begun.set()
        assert self.go_on.wait(10)
        if self.is_broken:
            raise StoreError("its disk is full")
        return super().append(batch)


@pytest.fixture
def events(
    clock: FakeClock, settings: Settings, tmp_path: Path
) -> Iterator[HeldEvents]:
    store = Store(f"sqlite:///{tmp_path / 'fleet.db'}", clock=clock, settings=settings)
    store.upgrade()
    yield HeldEvents(store)
    store.close()


@pytest.fixture
def recorder(
    state: FleetState, events: HeldEvents, clock: FakeClock, settings: Settings
) -> EventRecorder:
    store = events.store
    return EventRecorder(
        state,
        events,
        journal=Journal(store),
        store=store,
        settings=settings.model_copy(update={"event_buffer": 3}),
        clock=clock,
    )


async def until_written(
    recorder: EventRecorder, events: HeldEvents, clock: FakeClock
) -> "asyncio.Task[None]":
    """Have the recorder in the middle of a write of two events."""
    running = asyncio.create_task(recorder.run())
    recorder.add(an_event(message="one"))
    recorder.add(an_event(message="two"))

    def has_begun() -> bool:
        clock.advance(1)
        return events.has_begun.is_set()

    await asyncio.to_thread(eventually, has_begun, within=10)
    return running


def test_a_batch_whose_writer_is_cancelled_is_stored_once(
    recorder: EventRecorder, events: HeldEvents, clock: FakeClock
) -> None:
    async def scenario() -> None:
        running = await until_written(recorder, events, clock)
        running.cancel()
        await asyncio.sleep(0)
        events.go_on.set()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(scenario())

    assert [event.message for event in reversed(events.query())] == ["one", "two"]


def test_a_recorder_that_is_cancelled_ends_though_its_write_fails(
    recorder: EventRecorder, events: HeldEvents, clock: FakeClock
) -> None:
    events.is_broken = True

    async def scenario() -> bool:
        running = await until_written(recorder, events, clock)
        running.cancel()
        await asyncio.sleep(0)
        events.go_on.set()
        await asyncio.wait({running}, timeout=10)
        return running.cancelled()

    assert asyncio.run(scenario())


def test_what_is_dropped_while_a_write_runs_is_told(
    recorder: EventRecorder, events: HeldEvents, clock: FakeClock
) -> None:
    async def scenario() -> None:
        running = await until_written(recorder, events, clock)
        for _ in range(5):
            recorder.add(an_event(message="late"))
        events.go_on.set()

        def is_told() -> bool:
            clock.advance(1)
            return any("not kept" in event.message for event in events.query())

        await asyncio.to_thread(eventually, is_told, within=10)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(scenario())

    told = [e.message for e in events.query() if e.kind is EventKind.NOTICE]
    assert told == ["4 events were not kept: the database was too slow"]
