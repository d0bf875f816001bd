"""What every test may use: a clock, a way to run a coroutine, real supervisords."""

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from supervisor_easy.settings import Settings
from tests.daemons import Program, Supervisord
from tests.fake_clock import FakeClock
from tests.older_supervisor import NotProvisioned, older_supervisor

T = TypeVar("T")

Run = Callable[[Coroutine[Any, Any, T]], T]

#: Where programs and log tests find something of each kind.
PROGRAMS = (
    Program("web"),
    Program("worker", numprocs=3),
    Program("manual", autostart=False),
    Program("slow_start", startsecs=2, autostart=False),
    # Its stop signal does nothing, so it is killed after stopwaitsecs.
    Program(
        "slow_stop", autostart=False, stopwaitsecs=1, options={"stopsignal": "WINCH"}
    ),
    Program("missing", "/no/such/program", autostart=False),
    Program(
        "crasher",
        "/bin/false",
        startsecs=1,
        autostart=False,
        options={"startretries": 1},
    ),
    Program("nolog", options={"stdout_logfile": "NONE", "redirect_stderr": "true"}),
)


@pytest.fixture
def clock() -> FakeClock:
    """A clock that moves only when told to."""
    return FakeClock()


@pytest.fixture
def auto_clock() -> FakeClock:
    """A clock that jumps ahead whenever everything waits for it."""
    return FakeClock(is_auto=True)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings that touch nothing of the user who runs the tests."""
    return Settings.model_validate({"inventory": tmp_path / "inventory.yaml"})


@pytest.fixture
def run() -> Callable[[Coroutine[Any, Any, T]], T]:
    """Run one coroutine on a new loop, and return what it returns."""
    return asyncio.run


@pytest.fixture(scope="session")
def daemon() -> Iterator[Supervisord]:
    """One real supervisord for everybody: leave its programs as they were."""
    with Supervisord(PROGRAMS) as supervisord:
        yield supervisord


@pytest.fixture(scope="session")
def older_daemon() -> Iterator[Supervisord]:
    """One real supervisord of the oldest release that runs on this Python."""
    try:
        release = older_supervisor()
    except NotProvisioned as exc:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(exc))
    with Supervisord(PROGRAMS, name="older", python_path=release) as supervisord:
        yield supervisord


@pytest.fixture
def make_daemon(tmp_path: Path) -> Iterator[Callable[..., Supervisord]]:
    """Start supervisords of one's own; they end with the test."""
    made: list[Supervisord] = []

    def make(*args: Any, **kwargs: Any) -> Supervisord:
        made.append(Supervisord(*args, **kwargs))
        return made[-1].start()

    yield make
    for supervisord in made:
        supervisord.close()
