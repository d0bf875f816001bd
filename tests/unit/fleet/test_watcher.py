"""One task a host; time is fake, hosts are simulated."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from supervisor_easy.fleet.state import FleetState
from supervisor_easy.fleet.supervisors import Supervisors
from supervisor_easy.fleet.watcher import Watcher, look, look_once, pause
from supervisor_easy.model import (
    Host,
    HostCondition,
    HostStatus,
    Observation,
    ProcessState,
)
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
        await farm.pass_time(8)
        farm.watcher.nudge("a")
        await farm.pass_time(0.5)
        asked = len(farm.fakes["a"].calls)
        farm.watcher.nudge("a")
        await farm.pass_time(0.1)
        await farm.watcher.stop()
        return len(farm.fakes["a"].calls) - asked

    assert asyncio.run(scenario()) == 1


def test_a_host_with_another_password_is_asked_soon(farm: Farm, run: Run) -> None:
    async def scenario() -> None:
        farm.watcher.watch([a_host("a")])
        await farm.pass_time(2)
        farm.fakes["a"].trouble = Trouble.AUTH
        await farm.pass_time(300)
        farm.watcher.watch([a_host("a", password="sesame")])
        await farm.pass_time(2)
        await farm.watcher.stop()

    run(scenario())

    assert farm.condition("a") is HostCondition.UP


def test_a_host_with_other_labels_is_not_asked_for_that(farm: Farm, run: Run) -> None:
    async def scenario() -> int:
        farm.watcher.watch([a_host("a")])
        await farm.pass_time(8)
        # Asked just now, so that its next turn is an interval away.
        farm.watcher.nudge("a")
        await farm.pass_time(0.5)
        asked = len(farm.fakes["a"].calls)
        farm.watcher.watch([a_host("a", labels={"dc": "sh"})])
        await farm.pass_time(1.5)
        await farm.watcher.stop()
        return len(farm.fakes["a"].calls) - asked

    assert asyncio.run(scenario()) == 0


class Unforeseen(FakeSupervisor):
    """A host whose answers find a fault in this program, the first times."""

    faults = 3

    async def observe(self) -> Observation:
        if self.faults:
            self.faults -= 1
            raise UnicodeError("sesame")
        return await super().observe()


def test_an_error_nobody_foresaw_is_shown_at_the_host_without_its_text(
    auto_clock: FakeClock, run: Run
) -> None:
    state = FleetState(clock=auto_clock)
    state.set_hosts([a_host("a")])

    run(look(Unforeseen(a_host("a"), clock=auto_clock), state))

    status = state.status("a")
    assert status is not None
    assert status.error is not None
    assert status.condition is HostCondition.FAULT
    assert "UnicodeError" in status.error.message
    assert "sesame" not in status.error.message


def test_a_host_with_errors_nobody_foresaw_is_asked_again(
    settings: Settings, auto_clock: FakeClock, run: Run
) -> None:
    state = FleetState(clock=auto_clock)
    watcher = Watcher(
        state,
        lambda host: Unforeseen(host, clock=auto_clock),
        settings=settings,
        clock=auto_clock,
    )

    async def scenario() -> None:
        watcher.watch([a_host("a")])
        await auto_clock.sleep(timedelta(seconds=120))
        await watcher.stop()

    run(scenario())

    status = state.status("a")
    assert status is not None
    assert status.condition is HostCondition.UP


def test_one_host_with_an_error_nobody_foresaw_ends_no_look_at_the_others(
    auto_clock: FakeClock, run: Run
) -> None:
    state = FleetState(clock=auto_clock)
    bad = Unforeseen(a_host("bad"), clock=auto_clock)
    good = FakeSupervisor(a_host("good"), clock=auto_clock)
    state.set_hosts([bad.host, good.host])

    run(look_once([bad, good], state, concurrency=1))

    conditions = [each.condition for each in state.snapshot().hosts.values()]
    assert conditions == [HostCondition.FAULT, HostCondition.UP]


def a_dying_fleet(clock: FakeClock, dead: int) -> list[FakeSupervisor]:
    """Return hosts that hang, and behind them a good one."""
    fakes = [FakeSupervisor(a_host(f"dead{n}"), clock=clock) for n in range(dead)]
    for fake in fakes:
        fake.trouble = Trouble.HANG
    return [*fakes, FakeSupervisor(a_host("good"), clock=clock)]


def test_a_look_at_everything_lasts_one_deadline_however_many_hang(
    auto_clock: FakeClock, run: Run
) -> None:
    state = FleetState(clock=auto_clock)
    fakes = a_dying_fleet(auto_clock, 2000)
    state.set_hosts(fake.host for fake in fakes)
    began = auto_clock.monotonic()

    run(look_once(fakes, state, concurrency=512))

    # Each lot of 512 lets the next one begin after half a second.
    deadline = a_host().request_timeout.total_seconds()
    assert auto_clock.monotonic() - began <= deadline + 2


def test_hosts_that_hang_in_the_first_round_delay_no_good_one(
    settings: Settings, auto_clock: FakeClock, run: Run
) -> None:
    state = FleetState(clock=auto_clock)
    fakes = {fake.host.name: fake for fake in a_dying_fleet(auto_clock, 600)}
    watcher = Watcher(
        state, lambda host: fakes[host.name], settings=settings, clock=auto_clock
    )

    async def scenario() -> HostStatus | None:
        watcher.watch(fake.host for fake in fakes.values())
        await auto_clock.sleep(timedelta(seconds=2))
        seen = state.status("good")
        await watcher.stop()
        return seen

    status = asyncio.run(scenario())
    assert status is not None
    assert status.condition is HostCondition.UP


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
