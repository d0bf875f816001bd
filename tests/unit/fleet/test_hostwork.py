"""One host's part of an operation, on a simulated host with fake time."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from supervisor_easy.errors import StoreError
from supervisor_easy.fleet.hostwork import HostWork, WorkContext
from supervisor_easy.fleet.state import FleetState
from supervisor_easy.fleet.steps import Step
from supervisor_easy.model import (
    Action,
    Outcome,
    OutcomeKind,
    ProcessState,
    Sighting,
    Target,
)
from supervisor_easy.rpc.fake import FakeSupervisor
from supervisor_easy.rpc.fake_process import FakeProgram
from supervisor_easy.rpc.fake_trouble import Trouble
from supervisor_easy.settings import Settings
from tests.builders import FakeClock, a_host

Run = Callable[..., None]


@dataclass
class Bench:
    """One simulated host and what the work on it wrote and reported."""

    fake: FakeSupervisor
    clock: FakeClock
    settings: Settings
    intended: list[Mapping[Target, Sighting]] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    is_disk_full: bool = False
    is_cancelled: bool = False
    is_ours: bool = True

    async def intend(self, baselines: Mapping[Target, Sighting]) -> None:
        if self.is_disk_full:
            raise StoreError("the disk is full")
        self.intended.append(baselines)

    async def confirm(self) -> bool:
        return self.is_ours

    def report(self, outcomes: Sequence[Outcome]) -> None:
        self.outcomes.extend(outcomes)

    def work(self, action: Action, *names: str, signal: str = "") -> HostWork:
        state = FleetState(clock=self.clock)
        state.set_hosts([self.fake.host])
        context = WorkContext(
            supervisor=self.fake,
            state=state,
            settings=self.settings,
            clock=self.clock,
            intend=self.intend,
            report=self.report,
            is_cancelled=lambda: self.is_cancelled,
            explain=lambda _: None,
            confirm=self.confirm,
            rescue_until=self.clock.monotonic() + 24 * 3600,
            slots=asyncio.Semaphore(4),
        )
        now = self.clock.monotonic()
        targets = [Target("scan01", name, name) for name in names]
        steps = [Step(t, action, timedelta(seconds=5), now) for t in targets]
        return HostWork(context, steps, signal=signal)

    async def act(self, action: Action, *names: str) -> None:
        work = self.work(action, *names)
        await work.begin()
        await work.run()

    def asked(self, method: str) -> int:
        return sum(1 for called, _ in self.fake.calls if called == method)


@pytest.fixture
def bench(auto_clock: FakeClock, settings: Settings) -> Bench:
    programs = [
        FakeProgram("web"),
        FakeProgram("slow", stop_time=4.0),
        FakeProgram("broken", autostart=False, fails_after=0.0, startretries=1),
    ]
    fake = FakeSupervisor(a_host(), clock=auto_clock, programs=programs)
    return Bench(fake, auto_clock, settings)


def test_the_baseline_is_written_before_anything_is_sent(
    bench: Bench, run: Run
) -> None:
    bench.is_disk_full = True

    run(bench.act(Action.RESTART, "web"))

    assert bench.asked("stopProcess") == 0
    assert bench.outcomes[0].kind is OutcomeKind.FAILED
    assert "could not be written down" in str(bench.outcomes[0].error)


def test_what_the_database_says_is_in_the_log_and_not_in_the_outcome(
    bench: Bench, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    bench.is_disk_full = True

    run(bench.act(Action.RESTART, "web"))

    assert "disk is full" in caplog.text
    assert "disk is full" not in str(bench.outcomes[0].error)


def test_a_start_after_our_stop_is_sent_even_if_the_disk_is_full(
    bench: Bench, run: Run
) -> None:
    async def scenario() -> None:
        work = bench.work(Action.RESTART, "slow")
        await work.begin()
        bench.is_disk_full = True
        await work.run()

    run(scenario())

    assert bench.outcomes[0].kind is OutcomeKind.CHANGED
    assert bench.fake.process("slow:slow").state is ProcessState.RUNNING


def test_an_answer_that_got_lost_makes_no_second_restart(
    bench: Bench, run: Run
) -> None:
    async def scenario() -> None:
        await bench.clock.sleep(timedelta(seconds=5))
        work = bench.work(Action.RESTART, "slow")
        await work.begin()
        bench.fake.trouble = Trouble.LOST_REPLY
        await bench.clock.sleep(timedelta(seconds=3))
        bench.fake.trouble = Trouble.NONE
        await work.run()

    run(scenario())

    assert [o.kind for o in bench.outcomes] == [OutcomeKind.CHANGED]
    assert bench.asked("stopProcess") == 1
    assert bench.asked("startProcess") == 1


def test_a_host_away_for_an_hour_gets_its_start_when_it_is_back(
    bench: Bench, run: Run
) -> None:
    async def scenario() -> None:
        work = bench.work(Action.RESTART, "slow")
        await work.begin()
        bench.fake.trouble = Trouble.HANG
        running = asyncio.ensure_future(work.run())
        await bench.clock.sleep(timedelta(hours=1))
        assert bench.outcomes == []
        bench.fake.trouble = Trouble.NONE
        await running

    run(scenario())

    assert [o.kind for o in bench.outcomes] == [OutcomeKind.CHANGED]


def test_a_host_away_from_the_beginning_fails_at_once(bench: Bench, run: Run) -> None:
    bench.fake.trouble = Trouble.REFUSED

    run(bench.act(Action.RESTART, "web", "slow"))

    assert {o.kind for o in bench.outcomes} == {OutcomeKind.FAILED}
    assert bench.intended == []


def test_one_failure_harms_no_other(bench: Bench, run: Run) -> None:
    run(bench.act(Action.START, "broken", "web"))

    kinds = {o.target.name: o.kind for o in bench.outcomes}
    assert kinds == {"broken": OutcomeKind.FAILED, "web": OutcomeKind.UNCHANGED}


def test_a_cancelled_work_sends_nothing(bench: Bench, run: Run) -> None:
    bench.is_cancelled = True

    run(bench.act(Action.RESTART, "web"))

    assert bench.outcomes[0].kind is OutcomeKind.SKIPPED
    assert bench.asked("stopProcess") == 0


def test_a_supervisord_that_tells_no_config_is_served_by_defaults(
    auto_clock: FakeClock, settings: Settings, run: Run
) -> None:
    fake = FakeSupervisor(
        a_host(), clock=auto_clock, programs=[FakeProgram("web")], has_configs=False
    )
    bench = Bench(fake, auto_clock, settings)

    run(bench.act(Action.RESTART, "web"))

    assert bench.outcomes[0].kind is OutcomeKind.CHANGED


def test_a_console_that_lost_the_operation_sends_nothing_more(
    bench: Bench, run: Run
) -> None:
    async def scenario() -> None:
        work = bench.work(Action.RESTART, "slow")
        await work.begin()
        bench.is_ours = False
        await work.run()

    run(scenario())

    assert bench.asked("startProcess") == 0
    assert bench.outcomes[0].kind is OutcomeKind.UNKNOWN


def test_a_cancel_while_the_host_is_asked_is_heeded(bench: Bench, run: Run) -> None:
    async def scenario() -> None:
        work = bench.work(Action.RESTART, "web")
        bench.fake.latency = timedelta(seconds=2)
        beginning = asyncio.ensure_future(work.begin())
        await bench.clock.sleep(timedelta(seconds=1))
        bench.is_cancelled = True
        await beginning

    run(scenario())

    assert bench.outcomes[0].kind is OutcomeKind.SKIPPED
    assert bench.asked("stopProcess") == 0


def test_a_lost_start_is_sent_again_when_the_host_is_back(
    bench: Bench, run: Run
) -> None:
    async def scenario() -> None:
        work = bench.work(Action.RESTART, "slow")
        await work.begin()
        running = asyncio.ensure_future(work.run())
        await bench.clock.sleep(timedelta(seconds=3.9))
        bench.fake.trouble = Trouble.HANG
        await bench.clock.sleep(timedelta(minutes=10))
        bench.fake.trouble = Trouble.NONE
        await running

    run(scenario())

    assert bench.outcomes[0].kind is OutcomeKind.CHANGED
    assert bench.fake.process("slow:slow").state is ProcessState.RUNNING


def test_a_host_that_is_away_is_asked_no_more_often_than_the_watcher_does(
    bench: Bench, run: Run
) -> None:
    async def scenario() -> int:
        work = bench.work(Action.RESTART, "slow")
        await work.begin()
        bench.fake.trouble = Trouble.REFUSED
        running = asyncio.ensure_future(work.run())
        await bench.clock.sleep(timedelta(minutes=1))
        asked = len(bench.fake.calls)
        await bench.clock.sleep(timedelta(hours=1))
        asked = len(bench.fake.calls) - asked
        bench.fake.trouble = Trouble.NONE
        await running
        return asked

    assert asyncio.run(scenario()) <= 3600 / 5 + 1
