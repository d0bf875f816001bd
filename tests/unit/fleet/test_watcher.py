"""One task a host; time is fake, hosts are simulated."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from supervisor_easy.fleet.state import FleetState
from supervisor_easy.fleet.supervisors import Supervisors
from supervisor_easy.fleet.watcher import Watcher, pause
from supervisor_easy.model import Host, HostCondition, HostStatus, ProcessState
from supervisor_easy.rpc.fake import FakeSupervisor
from supervisor_easy.rpc.fake_process import FakeProgram
from supervisor_easy.rpc.fake_trouble import Trouble
from supervisor_easy.settings import Settings
from tests.builders import FakeClock, a_host, a_process, an_observation

Run = Callable[..., None]


class Farm:
    """Simulated hosts and one watcher over them."""

    def __init__(self, settings: Settings, clock: FakeClock) -> None:
        self.clock = clock
        self.fakes: dict[str, FakeSupervisor] = {}
        self.state = FleetState(clock=clock)
        self.watcher = Watcher(
            self.state, Supervisors(self._make), settings=settings, clock=clock
        )

    def _make(self, host: Host) -> FakeSupervisor:
        fake = FakeSupervisor(host, clock=self.clock, programs=[FakeProgram("web")])
        self.fakes[host.name] = fake
        return fake

    async def pass_time(self, seconds: float) -> None:
        await self.clock.sleep(timedelta(seconds=seconds))

    def condition(self, host: str) -> HostCondition:
        status = self.state.status(host)
        assert status is not None
        return status.condition


@pytest.fixture
def farm(settings: Settings, auto_clock: FakeClock) -> Farm:
    return Farm(settings, auto_clock)


def test_every_host_is_seen(farm: Farm, run: Run) -> None:
    async def scenario() -> None:
        farm.watcher.watch([a_host("a"), a_host("b")])
        await farm.pass_time(2)
        await farm.watcher.stop()

    run(scenario())

    assert farm.condition("a") is farm.condition("b") is HostCondition.UP


def test_a_host_that_hangs_delays_nobody(farm: Farm, run: Run) -> None:
    async def scenario() -> None:
        farm.watcher.watch([a_host("dead"), a_host("good")])
        await farm.pass_time(2)
        farm.fakes["dead"].trouble = Trouble.HANG
        await farm.pass_time(60)
        farm.fakes["good"].exit("web:web", 1)
        await farm.pass_time(7)
        await farm.watcher.stop()

    run(scenario())

    [good] = [p for p in farm.state.snapshot().processes() if p.host == "good"]
    assert good.pid != 1000
    assert farm.condition("dead") is HostCondition.UNREACHABLE


def test_a_host_that_comes_back_recovers_by_itself(farm: Farm, run: Run) -> None:
    async def scenario() -> None:
        farm.watcher.watch([a_host("a")])
        await farm.pass_time(2)
        farm.fakes["a"].trouble = Trouble.REFUSED
        await farm.pass_time(300)
        assert farm.condition("a") is HostCondition.UNREACHABLE
        farm.fakes["a"].trouble = Trouble.NONE
        await farm.pass_time(80)
        await farm.watcher.stop()

    run(scenario())

    assert farm.condition("a") is HostCondition.UP


def test_a_host_taken_out_is_asked_no_more(farm: Farm, run: Run) -> None:
    async def scenario() -> int:
        farm.watcher.watch([a_host("a"), a_host("b")])
        await farm.pass_time(2)
        farm.watcher.watch([a_host("b")])
        asked = len(farm.fakes["a"].calls)
        await farm.pass_time(60)
        await farm.watcher.stop()
        return len(farm.fakes["a"].calls) - asked

    assert asyncio.run(scenario()) == 0


def test_a_nudge_does_not_wait_for_the_interval(farm: Farm, run: Run) -> None:
    async def scenario() -> int:
        farm.watcher.watch([a_host("a")])
        await farm.pass_time(2)
        asked = len(farm.fakes["a"].calls)
        farm.watcher.nudge("a")
        await farm.pass_time(0.1)
        await farm.watcher.stop()
        return len(farm.fakes["a"].calls) - asked

    assert asyncio.run(scenario()) == 1


def a_status(**changes: object) -> HostStatus:
    defaults: dict[str, object] = {
        "host": a_host(),
        "condition": HostCondition.UP,
        "last": an_observation(a_process()),
    }
    return HostStatus(**(defaults | changes))  # type: ignore[arg-type]


def test_the_pause_is_the_interval(settings: Settings) -> None:
    assert pause(a_status(), settings, spread=0.5) == timedelta(seconds=5)


def test_the_pause_differs_by_a_tenth_so_that_hosts_spread(settings: Settings) -> None:
    spans = [pause(a_status(), settings, spread=each) for each in (0.0, 0.999)]

    assert spans[0] == timedelta(seconds=4.5)
    assert timedelta(seconds=5.4) < spans[1] < timedelta(seconds=5.5)


def test_the_pause_grows_with_failures_up_to_a_bound(settings: Settings) -> None:
    pauses = [
        pause(
            a_status(condition=HostCondition.UNREACHABLE, failures=failures),
            settings,
            spread=0.5,
        ).total_seconds()
        for failures in (1, 2, 3, 50)
    ]

    assert pauses == [5, 10, 20, 60]


def test_a_process_between_two_states_is_watched_closely(settings: Settings) -> None:
    starting = an_observation(a_process(state=ProcessState.STARTING))

    assert pause(a_status(last=starting), settings, spread=0.5) == timedelta(seconds=1)
