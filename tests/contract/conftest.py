"""The same supervisord three times: in memory, of today, and of long ago."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Protocol, TypeVar

import pytest

from supervisor_easy.clock import SystemClock
from supervisor_easy.model import ProcessState, Stream
from supervisor_easy.rpc.client import XmlRpcSupervisor
from supervisor_easy.rpc.fake import FakeSupervisor
from supervisor_easy.rpc.fake_process import FakeProgram
from supervisor_easy.rpc.supervisor import Supervisor
from supervisor_easy.rpc.transport import Connections
from supervisor_easy.settings import Settings
from tests.builders import a_host
from tests.daemons import Supervisord
from tests.eventually import eventually
from tests.fake_clock import FakeClock

T = TypeVar("T")

FAKE_PROGRAMS = (
    FakeProgram("web", startsecs=0),
    *(FakeProgram(f"worker_0{n}", "worker", startsecs=0) for n in range(3)),
    FakeProgram("manual", autostart=False, startsecs=0),
    FakeProgram("slow_start", autostart=False, startsecs=2),
    FakeProgram(
        "slow_stop", autostart=False, startsecs=0, stop_time=60, stopwaitsecs=1
    ),
    FakeProgram("missing", autostart=False, is_missing=True),
    FakeProgram("crasher", autostart=False, fails_after=0.01, startretries=1),
    FakeProgram("nolog", startsecs=0, has_log=False),
)

NO_WAIT = False

#: Up when a test begins; everything else is down.
UP = ("web:web", "worker:worker_00", "worker:worker_01", "worker:worker_02")


class Subject(Protocol):
    """A supervisord under test, and hands on the machine it runs on."""

    def ask(self, question: Callable[[Supervisor], Awaitable[T]]) -> T:
        """Run one question (a coroutine function of the supervisor)."""
        ...

    def append(self, namespec: str, data: bytes) -> None:
        """Have the stdout log of a process grow."""
        ...

    def truncate(self, namespec: str) -> None:
        """Empty the stdout log of a process, as a rotation does."""
        ...

    def pass_time(self) -> None:
        """Let a little time go by."""
        ...


class FakeSubject:
    """The shipped fake."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.fake = FakeSupervisor(a_host(), clock=self.clock, programs=FAKE_PROGRAMS)
        self.fake.main_log.write(b"supervisord started with pid 1\n")

    def ask(self, question: Callable[[Supervisor], Awaitable[T]]) -> T:
        return asyncio.run(_ask(question, self.fake))

    def append(self, namespec: str, data: bytes) -> None:
        self.fake.write(namespec, data)

    def truncate(self, namespec: str) -> None:
        self.fake.rotate(namespec)

    def pass_time(self) -> None:
        self.clock.advance(0.1)


class RealSubject:
    """A real supervisord, brought back to its first state."""

    def __init__(self, daemon: Supervisord, runner: asyncio.Runner) -> None:
        self.daemon = daemon
        self._runner = runner
        self._settings = Settings()
        self._connections = Connections(self._settings)
        self._supervisor = XmlRpcSupervisor(
            daemon.host, self._connections, settings=self._settings, clock=SystemClock()
        )
        self._reset()

    def ask(self, question: Callable[[Supervisor], Awaitable[T]]) -> T:
        return self._runner.run(_ask(question, self._supervisor))

    def append(self, namespec: str, data: bytes) -> None:
        with self.daemon.log_file(namespec).open("ab") as log:
            log.write(data)

    def truncate(self, namespec: str) -> None:
        self.daemon.log_file(namespec).write_bytes(b"")

    def pass_time(self) -> None:
        """Nothing: real time goes by itself."""

    def close(self) -> None:
        self._runner.run(self._connections.aclose())

    def _reset(self) -> None:
        processes = self.daemon.call("getAllProcessInfo")
        assert isinstance(processes, list)
        for each in processes:
            namespec = f"{each['group']}:{each['name']}"
            is_up = each["state"] in (10, 20, 30, 40)
            if is_up and namespec not in UP:
                self._bring_down(namespec)
            elif not is_up and namespec in UP:
                self.daemon.call("startProcess", namespec)
            if each["stdout_logfile"]:
                self.truncate(namespec)

    def _bring_down(self, namespec: str) -> None:
        def is_down() -> bool:
            if self.daemon.state(namespec) in ("RUNNING", "STARTING", "BACKOFF"):
                self.daemon.call("stopProcess", namespec, NO_WAIT)
            return self.daemon.state(namespec) in ("STOPPED", "EXITED", "FATAL")

        eventually(is_down)


async def _ask(
    question: Callable[[Supervisor], Awaitable[T]], supervisor: Supervisor
) -> T:
    return await question(supervisor)


@pytest.fixture(
    params=[
        "fake",
        pytest.param("daemon", marks=pytest.mark.daemon),
        pytest.param("older_daemon", marks=pytest.mark.daemon),
    ]
)
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    """A supervisord in its first state."""
    if request.param == "fake":
        yield FakeSubject()
        return
    with asyncio.Runner() as runner:
        real = RealSubject(request.getfixturevalue(request.param), runner)
        yield real
        real.close()


def state_of(subject: Subject, namespec: str) -> ProcessState:
    """Return the state of a process now."""
    observation = subject.ask(lambda s: s.observe())
    return next(p.state for p in observation.processes if p.namespec == namespec)


def becomes(subject: Subject, namespec: str, state: ProcessState) -> None:
    """Wait until a process is in a state."""

    def is_so() -> bool:
        subject.pass_time()
        return state_of(subject, namespec) is state

    eventually(is_so, expecting=f"{namespec} {state.name}")


def log_of(subject: Subject, namespec: str, *, offset: int, length: int) -> bytes:
    """Return a slice of the stdout log of a process."""
    return subject.ask(
        lambda s: s.read_log(namespec, Stream.STDOUT, offset=offset, length=length)
    )
