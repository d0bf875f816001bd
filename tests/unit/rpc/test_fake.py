"""What simulations may do to the fake beyond the contract, and its troubles."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import TypeVar

import pytest

from supervisor_easy.errors import (
    AuthenticationFailed,
    BadConfig,
    BadReply,
    HostUnreachable,
    NotRunning,
    ShuttingDown,
    UnknownMethod,
)
from supervisor_easy.model import Process, ProcessState, Stream
from supervisor_easy.rpc.fake import FakeSupervisor
from supervisor_easy.rpc.fake_process import FakeProgram
from supervisor_easy.rpc.fake_trouble import Trouble
from tests.builders import a_host
from tests.fake_clock import FakeClock

T = TypeVar("T")


def done(answer: Awaitable[T]) -> T:
    async def wait() -> T:
        return await answer

    return asyncio.run(wait())


def a_fake(
    clock: FakeClock, *programs: FakeProgram, **options: object
) -> FakeSupervisor:
    wanted = programs or (FakeProgram("web", startsecs=0),)
    return FakeSupervisor(a_host(), clock=clock, programs=wanted, **options)  # type: ignore[arg-type]


def look(fake: FakeSupervisor, namespec: str = "web:web") -> Process:
    observation = done(fake.observe())
    return next(p for p in observation.processes if p.namespec == namespec)


def test_an_unexpected_exit_brings_the_process_back(clock: FakeClock) -> None:
    fake = a_fake(clock)
    before = look(fake).pid

    fake.exit("web:web", status=1)
    gone = look(fake)
    clock.advance(1)

    assert gone.state is ProcessState.EXITED
    assert look(fake).state is ProcessState.RUNNING
    assert look(fake).pid not in (0, before)


def test_an_expected_exit_stays_an_exit(clock: FakeClock) -> None:
    fake = a_fake(clock)

    fake.exit("web:web", status=0)
    clock.advance(60)

    assert look(fake).state is ProcessState.EXITED


def test_a_process_that_overruns_its_stop_is_killed(clock: FakeClock) -> None:
    program = FakeProgram("web", startsecs=0, stopwaitsecs=5, stop_time=60)
    fake = a_fake(clock, program)

    done(fake.stop_many(["web:web"]))
    clock.advance(4.9)
    before = look(fake)
    clock.advance(0.2)

    assert before.state is ProcessState.STOPPING
    assert (look(fake).state, look(fake).exit_status) == (ProcessState.STOPPED, -1)


def test_tries_to_start_take_longer_each_time(clock: FakeClock) -> None:
    fake = a_fake(clock, FakeProgram("web", fails_after=0.0, startretries=3))
    seen = []
    for _ in range(8):
        seen.append(look(fake).state)
        clock.advance(1)

    assert seen[:6] == [ProcessState.BACKOFF] * 6
    assert seen[6:] == [ProcessState.FATAL] * 2


def test_uptime_counts_on_the_hosts_clock(clock: FakeClock) -> None:
    fake = a_fake(clock, skew=timedelta(hours=-3))
    clock.advance(90)

    assert look(fake).uptime == timedelta(seconds=90)
    assert done(fake.observe()).clock_skew == timedelta(hours=-3)


def test_a_log_is_rotated_at_its_size(clock: FakeClock) -> None:
    fake = a_fake(clock, FakeProgram("web", log_maxbytes=10))

    fake.write("web:web", b"12345")
    fake.write("web:web", b"67890")
    fake.write("web:web", b"new")

    tail = done(fake.tail_log("web:web", Stream.STDOUT, offset=0, length=10))
    assert tail.data == b"new"


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        (Trouble.REFUSED, HostUnreachable),
        (Trouble.LOST_REPLY, HostUnreachable),
        (Trouble.AUTH, AuthenticationFailed),
        (Trouble.GARBAGE, BadReply),
    ],
)
def test_a_trouble_is_the_error_of_a_real_host(
    clock: FakeClock, trouble: Trouble, kind: type[Exception]
) -> None:
    fake = a_fake(clock)
    fake.trouble = trouble

    with pytest.raises(kind):
        done(fake.observe())


def test_a_hanging_host_takes_its_request_timeout(auto_clock: FakeClock) -> None:
    fake = a_fake(auto_clock)
    fake.trouble = Trouble.HANG
    began = auto_clock.monotonic()

    (error,) = done(fake.stop_many(["web:web"]))

    assert isinstance(error, HostUnreachable)
    assert error.maybe_executed
    assert auto_clock.monotonic() - began == 10.0


def test_a_command_with_a_lost_reply_is_carried_out(clock: FakeClock) -> None:
    fake = a_fake(clock)
    fake.trouble = Trouble.LOST_REPLY

    (error,) = done(fake.stop_many(["web:web"]))
    fake.trouble = Trouble.NONE

    assert isinstance(error, HostUnreachable)
    assert error.maybe_executed
    assert look(fake).state is ProcessState.STOPPED


def test_a_restart_shuts_down_then_boots_with_the_same_pid(clock: FakeClock) -> None:
    fake = a_fake(clock)
    before = done(fake.observe())

    done(fake.restart())
    with pytest.raises(ShuttingDown):
        done(fake.observe())
    clock.advance(1)
    after = done(fake.observe())

    assert after.supervisord_pid == before.supervisord_pid
    assert after.processes[0].pid != before.processes[0].pid


def test_a_reread_shows_what_is_pending_and_changes_nothing(clock: FakeClock) -> None:
    fake = a_fake(clock, FakeProgram("web"), FakeProgram("old"))
    fake.configure([FakeProgram("web", stopwaitsecs=60), FakeProgram("new")])

    diff = done(fake.reload_config())
    configs = {each.name: each for each in done(fake.configs())}

    assert (diff.added, diff.changed, diff.removed) == (("new",), ("web",), ("old",))
    assert configs["web"].stopwaitsecs == 60
    assert not configs["new"].is_in_use
    assert {p.name for p in done(fake.observe()).processes} == {"web", "old"}


def test_a_broken_configuration_is_refused(clock: FakeClock) -> None:
    fake = a_fake(clock)
    fake.configure([], error="bad section in /etc/supervisord.conf")

    with pytest.raises(BadConfig, match="bad section"):
        done(fake.reload_config())


def test_an_old_host_tells_no_configuration(clock: FakeClock) -> None:
    with pytest.raises(UnknownMethod):
        done(a_fake(clock, has_configs=False).configs())


def test_signals_are_remembered(clock: FakeClock) -> None:
    fake = a_fake(clock)

    done(fake.signal_many(["web:web"], "SIGUSR1"))

    assert fake.process("web:web").signals == ["USR1"]
    assert fake.calls[-1] == ("signalProcess", "web:web")


def test_a_group_wildcard_starts_every_member(clock: FakeClock) -> None:
    members = [FakeProgram(f"w{n}", "celery", autostart=False) for n in range(3)]
    fake = a_fake(clock, *members)

    assert done(fake.start_many(["celery:*"])) == [None]

    states = {p.state for p in done(fake.observe()).processes}
    assert states == {ProcessState.STARTING}


def test_a_reboot_gives_new_pids_to_everything(clock: FakeClock) -> None:
    fake = a_fake(clock)
    before = done(fake.observe())

    fake.reboot()
    after = done(fake.observe())

    assert after.supervisord_pid != before.supervisord_pid
    assert after.processes[0].pid != before.processes[0].pid


def test_a_stopped_process_refuses_a_stop_until_started(clock: FakeClock) -> None:
    fake = a_fake(clock)
    done(fake.stop_many(["web:web"]))

    (error,) = done(fake.stop_many(["web:web"]))

    assert isinstance(error, NotRunning)


def test_latency_passes_on_the_clock(auto_clock: FakeClock) -> None:
    fake = a_fake(auto_clock, latency=timedelta(milliseconds=80))

    assert done(fake.observe()).latency == timedelta(milliseconds=80)


def test_an_automatic_clock_wakes_sleepers_in_order(auto_clock: FakeClock) -> None:
    woken: list[int] = []

    async def sleeper(hours: int) -> None:
        await auto_clock.sleep(timedelta(hours=hours))
        woken.append(hours)

    async def go() -> None:
        await asyncio.gather(*(sleeper(hours) for hours in (3, 1, 2)))

    began = auto_clock.monotonic()
    asyncio.run(go())

    assert woken == [1, 2, 3]
    assert auto_clock.monotonic() - began == 3 * 3600
