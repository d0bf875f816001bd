"""Many logs in one stream, and patterns over it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path

import pytest

from supervisor_easy.clock import SystemClock
from supervisor_easy.errors import HostUnreachable
from supervisor_easy.fleet.logs import (
    BadPattern,
    EntryKind,
    LineFilter,
    LogEntry,
    LogFanIn,
    LogSource,
    MarkerKind,
)
from supervisor_easy.fleet.logs.file import HostGate
from supervisor_easy.model import Stream, Target
from supervisor_easy.settings import Settings
from tests.fake_clock import FakeClock
from tests.unit.fleet_logs.hosts import FileHost, texts

EDGE = LogSource(Target("edge", "app", "web"))
CORE = LogSource(Target("core", "app", "web"))


@pytest.fixture
def hosts(tmp_path: Path) -> dict[str, FileHost]:
    return {name: FileHost(tmp_path / name) for name in ("edge", "core")}


@pytest.fixture
def fan_in(hosts: dict[str, FileHost], options: Settings) -> LogFanIn:
    return LogFanIn(
        lambda name: hosts[name].as_supervisor(), settings=options, clock=SystemClock()
    )


async def take(stream: AsyncIterator[LogEntry], count: int) -> list[LogEntry]:
    entries: list[LogEntry] = []
    async with aclosing(stream), asyncio.timeout(5):  # type: ignore[type-var]
        async for entry in stream:
            entries.append(entry)
            if len(entries) == count:
                break
    return entries


def test_each_source_keeps_its_order(
    hosts: dict[str, FileHost], fan_in: LogFanIn
) -> None:
    for name, host in hosts.items():
        host.append("".join(f"{name} {n}\n" for n in range(50)).encode())

    entries = asyncio.run(take(fan_in.follow([EDGE, CORE], lines=50), 100))

    of_edge = [entry.text for entry in entries if entry.source == EDGE]
    assert of_edge == [f"edge {n}" for n in range(50)]


def test_a_source_named_twice_is_followed_once(
    hosts: dict[str, FileHost], fan_in: LogFanIn
) -> None:
    hosts["edge"].append(b"one\ntwo\n")
    hosts["core"].append(b"three\n")

    entries = asyncio.run(take(fan_in.follow([EDGE, EDGE, CORE], lines=5), 3))

    assert sorted(texts(entries)) == ["one", "three", "two"]


def test_a_dead_host_does_not_hold_up_the_others(
    hosts: dict[str, FileHost], fan_in: LogFanIn
) -> None:
    hosts["core"].is_down = True
    hosts["edge"].append(b"alive\n")

    entries = asyncio.run(take(fan_in.follow([CORE, EDGE], lines=5), 2))

    assert {entry.source: entry.marker for entry in entries} == {
        CORE: MarkerKind.UNREACHABLE,
        EDGE: None,
    }


def test_closing_the_stream_ends_every_follower(
    hosts: dict[str, FileHost], fan_in: LogFanIn
) -> None:
    hosts["edge"].append(b"one\n")

    async def follow() -> int:
        await take(fan_in.follow([EDGE, CORE], lines=1), 1)
        return len(asyncio.all_tasks())

    assert asyncio.run(follow()) == 1


def test_a_grep_keeps_what_matches_without_its_colours(
    hosts: dict[str, FileHost], fan_in: LogFanIn
) -> None:
    hosts["edge"].append(b"\x1b[31mERR\x1b[1mOR\x1b[0m disk\nfine\nERROR net\n")

    entries = asyncio.run(take(fan_in.follow([EDGE], lines=9, grep="ERROR"), 2))

    assert [entry.text[-4:] for entry in entries] == ["disk", " net"]


def test_a_bad_pattern_is_refused_before_anything_is_read(
    hosts: dict[str, FileHost], fan_in: LogFanIn
) -> None:
    with pytest.raises(BadPattern):
        asyncio.run(take(fan_in.follow([EDGE], grep="("), 1))


def test_an_error_of_ours_reaches_the_consumer(
    hosts: dict[str, FileHost], fan_in: LogFanIn
) -> None:
    def burst() -> None:
        raise ZeroDivisionError

    hosts["edge"].meanwhile = burst

    with pytest.raises(ZeroDivisionError):
        asyncio.run(take(fan_in.follow([EDGE]), 1))


def test_a_note_reaches_the_streams_of_its_process(
    hosts: dict[str, FileHost], fan_in: LogFanIn
) -> None:
    hosts["edge"].append(b"one\n")

    async def follow() -> list[LogEntry]:
        stream = fan_in.follow([EDGE, CORE], lines=1)
        await anext(stream)
        fan_in.note(EDGE.target, "restarted, pid 12 -> 34")
        return await take(stream, 2)

    notes = [e for e in asyncio.run(follow()) if e.marker is MarkerKind.NOTE]
    assert texts(notes) == ["restarted, pid 12 -> 34"]


def test_without_following_every_source_has_an_answer(
    hosts: dict[str, FileHost], fan_in: LogFanIn
) -> None:
    hosts["edge"].append(b"one\ntwo\nthr")
    hosts["core"].is_down = True

    answers = asyncio.run(fan_in.last([EDGE, CORE], lines=2))

    assert (texts(answers[EDGE]), answers[CORE][0].marker) == (
        ["two", "thr"],
        MarkerKind.UNREACHABLE,
    )


def test_a_host_is_not_asked_faster_than_its_gate_allows(options: Settings) -> None:
    clock = FakeClock(is_auto=True)

    async def ask() -> float:
        gate = HostGate(options, clock=clock)

        async def once() -> None:
            async with gate.turn():
                pass

        began = clock.monotonic()
        await asyncio.gather(*(once() for _ in range(301)))
        return clock.monotonic() - began

    # One second's reads pass at once, the rest at 100 a second.
    assert asyncio.run(ask()) == pytest.approx(2.0)


def test_many_logs_of_a_dead_host_wait_for_one_timeout(options: Settings) -> None:
    clock = FakeClock(is_auto=True)

    async def ask() -> tuple[float, int]:
        gate = HostGate(options, clock=clock)

        async def once() -> None:
            async with gate.turn():
                await clock.sleep(timedelta(seconds=3))
                raise HostUnreachable("no answer", host="edge", reason="timeout")

        began = clock.monotonic()
        answers = await asyncio.gather(
            *(once() for _ in range(50)), return_exceptions=True
        )
        failed = sum(isinstance(each, HostUnreachable) for each in answers)
        return clock.monotonic() - began, failed

    seconds, failed = asyncio.run(ask())

    assert (round(seconds, 3), failed) == (3.0, 50)


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+$", "(a|aa)+$", "((ab)*c)*", "(x*){2,9}", ".*.*.*.*.*x", "(", "a" * 1001],
)
def test_a_pattern_that_could_take_for_ever_is_refused(pattern: str) -> None:
    with pytest.raises(BadPattern):
        LineFilter(pattern, settings=Settings(), clock=SystemClock())


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("ERROR|WARN", "a WARN b"),
        (r"took \d+\.\d+ ?s", "took 12.5 s"),
        ("(?i)error", "Error"),
        ("[(|+*]+", "(+"),
        (r"\(a+\)", "(aa)"),
        ("(ab){3}", "ababab"),
        ("(a|b)?c", "c"),
        ("x{", "x{"),
    ],
)
def test_ordinary_patterns_work(pattern: str, text: str) -> None:
    line_filter = LineFilter(pattern, settings=Settings(), clock=SystemClock())

    assert line_filter.keeps(entry(text))


def test_only_the_beginning_of_a_long_line_is_searched() -> None:
    options = Settings(log_grep_chars=100)
    line_filter = LineFilter("needle", settings=options, clock=SystemClock())

    assert not line_filter.keeps(entry("x" * 200 + "needle"))


def test_a_slow_pattern_is_switched_off() -> None:
    class SlowClock(FakeClock):
        def monotonic(self) -> float:
            self.advance(1)
            return super().monotonic()

    line_filter = LineFilter("a", settings=Settings(), clock=SlowClock())
    line_filter.keeps(entry("b"))

    assert line_filter.keeps(entry("b"))


def entry(text: str) -> LogEntry:
    source = LogSource(Target("edge", "app", "web"), Stream.STDERR)
    return LogEntry(source, EntryKind.LINE, text, SystemClock().now(), 0)
