"""A log on a host that is a real file, and what follows it."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from supervisor_easy.fleet.logs import LogEntry, LogFollower
from supervisor_easy.settings import Settings
from tests.fake_clock import FakeClock
from tests.unit.fleet_logs.hosts import SOURCE, FileHost

Rounds = Callable[..., list[LogEntry]]


@pytest.fixture
def host(tmp_path: Path) -> FileHost:
    return FileHost(tmp_path / "log")


@pytest.fixture
def options() -> Settings:
    return Settings()


@pytest.fixture
def make_follower(
    host: FileHost, clock: FakeClock, options: Settings
) -> Callable[..., LogFollower]:
    def make(**arguments: object) -> LogFollower:
        return LogFollower(
            host.as_supervisor(),
            SOURCE,
            **{"settings": options, "clock": clock, **arguments},  # type: ignore[arg-type]
        )

    return make


@pytest.fixture
def rounds() -> Rounds:
    """Let a follower look some times; return what it emitted."""

    def go(follower: LogFollower, times: int = 1) -> list[LogEntry]:
        entries: list[LogEntry] = []

        async def emit(entry: LogEntry) -> None:
            entries.append(entry)

        async def look() -> None:
            for _ in range(times):
                await follower._look()
                await follower._emit_pending(emit)

        asyncio.run(look())
        return entries

    return go
