"""Operations over simulated hosts, with a real journal."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from supervisor_easy.fleet.actions import Actions, Request
from supervisor_easy.fleet.journaling import JournalWriter
from supervisor_easy.fleet.state import FleetState
from supervisor_easy.fleet.supervisors import Supervisors
from supervisor_easy.model import (
    Action,
    Actor,
    Host,
    Operation,
    Outcome,
    OutcomeKind,
    Target,
)
from supervisor_easy.rpc.fake import FakeSupervisor
from supervisor_easy.rpc.fake_process import FakeProgram
from supervisor_easy.rpc.supervisor import Supervisor
from supervisor_easy.settings import Settings
from supervisor_easy.store import Store
from supervisor_easy.store.journal import Journal
from supervisor_easy.store.owners import Owner, Owners
from tests.builders import a_host
from tests.fake_clock import START, FakeClock

ANA = Actor("ana", "cli")
WEB = Target("scan01", "web", "web")


class Faulty(FakeSupervisor):
    """A simulated host; our own code breaks at its start calls, some times."""

    faults = 0

    async def start_many(self, namespecs: Any) -> Any:
        if self.faults:
            self.faults -= 1
            raise ZeroDivisionError
        return await super().start_many(namespecs)


@dataclass
class Console:
    """The parts of a console that act."""

    actions: Actions
    writer: JournalWriter
    fake: Faulty
    store: Store
    journal: Journal

    async def act(self, action: Action, *targets: Target) -> Operation:
        writing = asyncio.ensure_future(self.writer.run())
        try:
            begun = await self.actions.submit(Request(action, targets, ANA))
            return await self.actions.wait(begun.id)
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)


@pytest.fixture
def console(tmp_path: Path, settings: Settings) -> Console:
    clock = FakeClock(is_auto=False)
    store = Store(f"sqlite:///{tmp_path / 'fleet.db'}", clock=clock, settings=settings)
    store.upgrade()
    fake = Faulty(a_host(), clock=clock, programs=[FakeProgram("web")])

    def make(host: Host) -> Supervisor:
        assert host.name == fake.host.name
        return fake

    state = FleetState(clock=clock)
    state.set_hosts([fake.host])
    journal, owner = Journal(store), Owner.this_process(clock)
    writer = JournalWriter(
        store,
        journal,
        owners=Owners(store),
        owner=owner,
        settings=settings,
        clock=clock,
    )
    actions = Actions(
        state, Supervisors(make), writer=writer, settings=settings, clock=clock
    )
    return Console(actions, writer, fake, store, journal)


@pytest.fixture
def elsewhere() -> Owner:
    """A console on another machine."""
    return replace(
        Owner.this_process(FakeClock()),
        id="elsewhere",
        hostname="elsewhere",
        boot_id="another",
    )


async def passing(clock: FakeClock, work: Coroutine[Any, Any, Operation]) -> Operation:
    """Let time pass, a tenth of a second a turn, until the work has ended."""
    task = asyncio.ensure_future(work)
    while not task.done():
        # The store's thread is real, so the loop gives it real time.
        await asyncio.sleep(0.001)
        clock.advance(timedelta(seconds=0.1))
    return await task


def run(console: Console, work: Coroutine[Any, Any, Operation]) -> Operation:
    clock = console.fake._clock
    assert isinstance(clock, FakeClock)
    try:
        return asyncio.run(passing(clock, work))
    finally:
        console.store.close()


def test_a_fault_of_ours_after_the_stop_leaves_no_process_stopped(
    console: Console,
) -> None:
    console.fake.faults = 2

    ended = run(console, console.act(Action.RESTART, WEB))

    assert [outcome.kind for outcome in ended.outcomes] == [OutcomeKind.CHANGED]


def test_a_fault_of_ours_where_nothing_is_owed_is_told(console: Console) -> None:
    async def scenario() -> Operation:
        await console.act(Action.STOP, WEB)
        console.fake.faults = 1
        return await console.act(Action.START, WEB)

    ended = run(console, scenario())

    [outcome] = ended.outcomes
    assert outcome.kind is OutcomeKind.UNKNOWN
    assert outcome.error is not None
    assert "ZeroDivisionError" in outcome.error.message


def test_outcomes_that_wait_when_the_console_ends_are_written(
    console: Console,
) -> None:
    async def scenario() -> Operation:
        writing = asyncio.ensure_future(console.writer.run())
        await asyncio.sleep(0)
        wanted = Operation("op", Action.STOP, (WEB,), ANA, START)
        await console.writer.open(wanted)
        console.writer.record("op", [Outcome(WEB, OutcomeKind.CHANGED)])
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        return await console.actions.operation("op")

    assert run(console, scenario()).outcomes[0].kind is OutcomeKind.CHANGED


def test_whoever_renewed_a_lapsed_lease_the_journal_is_asked_again(
    console: Console, elsewhere: Owner
) -> None:
    clock = console.fake._clock
    assert isinstance(clock, FakeClock)

    async def scenario() -> list[bool]:
        await console.writer.renew()
        wanted = Operation("op", Action.RESTART, (WEB,), ANA, START)
        await console.writer.open(wanted)
        before = await console.writer.confirm("op")
        clock.advance(timedelta(minutes=1))
        console.journal.adopt("op", elsewhere)
        # The task that keeps the lease alive wakes first, and finds nothing odd.
        await console.writer.renew()
        return [before, await console.writer.confirm("op")]

    try:
        assert asyncio.run(scenario()) == [True, False]
    finally:
        console.store.close()
