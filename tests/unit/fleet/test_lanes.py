"""Places for looks: given away after a moment, given back whatever happens."""

import asyncio
import resource
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta

import pytest

from supervisor_easy.fleet.lanes import PATIENCE, Lane
from tests.builders import FakeClock

Run = Callable[..., object]


async def a_look(lane: Lane, clock: FakeClock, *, span: timedelta) -> float:
    """Take a place, work for so long; return when it began."""
    async with lane.place():
        began = clock.monotonic()
        await clock.sleep(span)
    return began


def test_a_look_that_lasts_lets_the_next_begin(auto_clock: FakeClock) -> None:
    lane, span = Lane(1, clock=auto_clock), timedelta(seconds=10)

    async def both() -> list[float]:
        looks = [a_look(lane, auto_clock, span=span) for _ in range(2)]
        return await asyncio.gather(*looks)

    first, second = asyncio.run(both())
    assert second - first == PATIENCE.total_seconds()


def test_no_more_than_the_places_begin_at_once(auto_clock: FakeClock) -> None:
    lane, span = Lane(2, clock=auto_clock), timedelta(milliseconds=100)

    async def all_of_them() -> list[float]:
        looks = [a_look(lane, auto_clock, span=span) for _ in range(6)]
        return await asyncio.gather(*looks)

    begun = asyncio.run(all_of_them())
    assert [begun.count(moment) for moment in sorted(set(begun))] == [2, 2, 2]


def test_a_look_that_is_cancelled_at_once_gives_its_place_back(
    clock: FakeClock, run: Run
) -> None:
    lane = Lane(1, clock=clock)

    async def cancel_then_look() -> None:
        for _ in range(3):
            look = asyncio.ensure_future(a_look(lane, clock, span=PATIENCE))
            await asyncio.sleep(0)
            look.cancel()
            with suppress(asyncio.CancelledError):
                await look
        await asyncio.wait_for(a_look(lane, clock, span=timedelta(0)), 10)

    run(cancel_then_look())


@pytest.fixture
def few_files() -> Iterator[int]:
    """The limit of open files that a login shell sets; returns what may be had."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_more_files_may_be_open_than_a_login_shell_allows(
    clock: FakeClock, run: Run, few_files: int
) -> None:
    run(a_look(Lane(1, clock=clock), clock, span=timedelta(0)))

    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert allowed == (65_536 if few_files < 0 else min(few_files, 65_536))
