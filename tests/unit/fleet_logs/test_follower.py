"""What a follower says, when it looks, and that cancelling it loses nothing."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import pytest

from supervisor_easy.fleet.logs import (
    EntryKind,
    LogEntry,
    LogFollower,
    LogPosition,
    LogSource,
    MarkerKind,
    Unseen,
)
from supervisor_easy.fleet.logs.pace import Pace
from supervisor_easy.model import Host, ProcessConfig, Target
from supervisor_easy.rpc.fake import FakeSupervisor
from supervisor_easy.rpc.fake_process import FakeProgram
from supervisor_easy.settings import Settings
from tests.fake_clock import FakeClock
from tests.unit.fleet_logs.hosts import FileHost, texts

Make = Callable[..., LogFollower]
Rounds = Callable[..., list[LogEntry]]

ROTATES_AT_100 = ProcessConfig("edge", "app", "web", stdout_logfile_maxbytes=100)
NEVER_ROTATES = ProcessConfig("edge", "app", "web", stdout_logfile_maxbytes=0)


def markers(entries: list[LogEntry]) -> list[MarkerKind | None]:
    return [each.marker for each in entries if each.kind is EntryKind.MARKER]


def test_a_follower_begins_at_the_end(
    host: FileHost, make_follower: Make, rounds: Rounds
) -> None:
    host.append(b"old\n")
    follower = make_follower()
    rounds(follower)
    host.append(b"new\n")

    assert texts(rounds(follower)) == ["new"]


def test_more_than_a_chunk_is_read_without_a_pause(
    host: FileHost, make_follower: Make
) -> None:
    host.append(b"x" * 100)
    follower = make_follower(start=LogPosition(), settings=Settings(log_chunk_bytes=50))

    assert asyncio.run(follower._look()) == timedelta(0)


def test_an_unfinished_line_is_shown_after_a_while(
    host: FileHost, make_follower: Make, rounds: Rounds, clock: FakeClock
) -> None:
    host.append(b"password: ")
    follower = make_follower(start=LogPosition())
    early = rounds(follower)
    clock.advance(1.1)
    late = rounds(follower)

    assert (early, [(e.text, e.is_partial) for e in late]) == (
        [],
        [("password: ", True)],
    )


def test_an_unfinished_line_is_never_shown_again(
    host: FileHost, make_follower: Make, rounds: Rounds, clock: FakeClock
) -> None:
    host.append(b"password: ")
    follower = make_follower(start=LogPosition())
    rounds(follower)
    clock.advance(1.1)
    rounds(follower)
    host.append(b"accepted\n")
    rest = rounds(follower)

    assert [(e.text, e.is_continuation, e.is_partial) for e in rest] == [
        ("accepted", True, False)
    ]


def test_a_rotation_names_what_is_proven_to_be_unseen(
    host: FileHost, make_follower: Make, rounds: Rounds
) -> None:
    host.append(b"x" * 59 + b"\n")
    follower = make_follower(start=LogPosition(), config=ROTATES_AT_100)
    rounds(follower)
    follower._pace._rate = 1000.0
    follower._clock.advance(1)  # type: ignore[attr-defined]
    host.rotate()
    host.append(b"new\n")
    marker, line = rounds(follower, 2)

    assert (marker.marker, marker.unseen, line.text) == (
        MarkerKind.ROTATED,
        Unseen(60, 40),
        "new",
    )


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        (None, MarkerKind.REPLACED),
        (ROTATES_AT_100, MarkerKind.REPLACED),
        (NEVER_ROTATES, MarkerKind.TRUNCATED),
    ],
)
def test_a_marker_claims_no_more_than_is_known(
    host: FileHost,
    make_follower: Make,
    rounds: Rounds,
    config: ProcessConfig | None,
    kind: MarkerKind,
) -> None:
    host.append(b"old\n")
    follower = make_follower(start=LogPosition(), config=config)
    rounds(follower)
    host.rotate()

    assert markers(rounds(follower)) == [kind]


def test_a_clear_that_was_announced_is_called_one(
    host: FileHost, make_follower: Make, rounds: Rounds
) -> None:
    host.append(b"old\n")
    follower = make_follower(start=LogPosition(), config=NEVER_ROTATES)
    rounds(follower)
    follower.expect_clear()
    host.rotate()

    assert markers(rounds(follower)) == [MarkerKind.CLEARED]


def test_the_unfinished_end_of_a_replaced_file_is_shown_before_the_marker(
    host: FileHost, make_follower: Make, rounds: Rounds
) -> None:
    host.append(b"half")
    follower = make_follower(start=LogPosition())
    rounds(follower)
    host.rotate()

    assert texts(rounds(follower))[0] == "half"


def test_a_hole_of_a_truncated_file_is_not_output(
    host: FileHost, make_follower: Make, rounds: Rounds
) -> None:
    host.append(b"old line\n")
    follower = make_follower(start=LogPosition(), config=NEVER_ROTATES)
    rounds(follower)
    host.path.write_bytes(bytes(9) + b"new\n")
    entries = rounds(follower, 2)

    assert markers(entries) == [MarkerKind.TRUNCATED] * 2
    assert texts(entries)[-1] == "new"


def test_nul_bytes_that_are_output_are_kept(
    host: FileHost, make_follower: Make, rounds: Rounds
) -> None:
    host.append(b"old line\n")
    follower = make_follower(start=LogPosition())
    rounds(follower)
    host.path.write_bytes(b"\0\0new\n")

    assert texts(rounds(follower, 2))[-1] == "\0\0new"


def test_a_process_without_a_log_file_is_told_once(
    make_follower: Make, rounds: Rounds
) -> None:
    assert markers(rounds(make_follower(), 5)) == [MarkerKind.NO_LOG]


def test_a_log_that_appears_later_is_read_from_its_start(
    host: FileHost, make_follower: Make, rounds: Rounds
) -> None:
    follower = make_follower()
    rounds(follower, 2)
    host.append(b"first\n")

    assert texts(rounds(follower)) == ["first"]


def test_an_outage_is_told_once_and_so_is_its_end(
    host: FileHost, make_follower: Make, rounds: Rounds
) -> None:
    host.append(b"one\n")
    follower = make_follower(start=LogPosition())
    rounds(follower)
    host.is_down = True
    host.append(b"two\n")
    during = rounds(follower, 4)
    host.is_down = False
    after = rounds(follower, 2)

    assert markers(during + after) == [MarkerKind.UNREACHABLE, MarkerKind.BACK]
    assert texts(after)[1:] == ["two"]


def test_tries_of_an_unreachable_host_get_rarer(
    host: FileHost, make_follower: Make
) -> None:
    host.is_down = True
    follower = make_follower(start=LogPosition())

    pauses = [asyncio.run(follower._look()) for _ in range(12)]

    assert pauses[-1] >= timedelta(seconds=5) > pauses[0]


def test_a_binary_log_is_looked_at_seldom(host: FileHost, make_follower: Make) -> None:
    host.append(b"\xff\xfe" * 5000)
    follower = make_follower(
        start=LogPosition(), settings=Settings(log_repair_calls=10)
    )

    asyncio.run(follower._look())
    pauses = []
    for _ in range(8):
        host.append(b"\xff\xfe" * 5000)
        pauses.append(asyncio.run(follower._look()))

    assert pauses[-1] >= timedelta(seconds=5)


def test_skipped_bytes_are_named_exactly(
    host: FileHost, make_follower: Make, rounds: Rounds
) -> None:
    host.append(b"good\n" + b"\xff" * 50)
    follower = make_follower(start=LogPosition(), settings=Settings(log_repair_calls=1))
    entries = rounds(follower)

    assert entries[-1].unseen == Unseen(0, 55, 55)


def test_a_note_of_the_caller_appears_in_the_stream(
    host: FileHost, make_follower: Make, rounds: Rounds
) -> None:
    host.append(b"")
    follower = make_follower(start=LogPosition())
    follower.note("restarted, pid 12 -> 34")

    assert texts(rounds(follower)) == ["restarted, pid 12 -> 34"]


def test_a_slow_consumer_holds_the_reading(
    host: FileHost, make_follower: Make, clock: FakeClock
) -> None:
    host.append(b"one\ntwo\n")
    follower = make_follower(start=LogPosition())
    taken: list[LogEntry] = []

    async def follow() -> int:
        began, hold = asyncio.Event(), asyncio.Event()

        async def emit(entry: LogEntry) -> None:
            taken.append(entry)
            began.set()
            await hold.wait()

        task = asyncio.create_task(follower.run(emit))
        await began.wait()
        before = host.reads
        clock.advance(100)
        for _ in range(50):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        return host.reads - before

    assert (asyncio.run(follow()), texts(taken)) == (0, ["one"])


@pytest.mark.parametrize("ticks", range(1, 40))
def test_a_cancelled_follower_goes_on_exactly_where_it_was(
    host: FileHost, make_follower: Make, rounds: Rounds, ticks: int
) -> None:
    host.append("".join(f"第 {n} 行\n" for n in range(20)).encode() + b"\xff\n")
    follower = make_follower(start=LogPosition(), settings=Settings(log_chunk_bytes=50))
    entries: list[LogEntry] = []

    async def read_a_little() -> None:
        queue: asyncio.Queue[LogEntry] = asyncio.Queue(2)
        task = asyncio.create_task(follower.run(queue.put))
        for _ in range(ticks):
            await asyncio.sleep(0)
            if ticks % 3 and not queue.empty():
                entries.append(queue.get_nowait())
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        while not queue.empty():
            entries.append(queue.get_nowait())

    asyncio.run(read_a_little())
    entries += rounds(follower, 100)

    assert texts(entries) == [*(f"第 {n} 行" for n in range(20)), "\ufffd"]


def test_the_shipped_fake_is_followed_through_its_rotation(
    options: Settings, clock: FakeClock, rounds: Rounds
) -> None:
    fake = FakeSupervisor(
        Host("edge", "http://edge:9001"), clock=clock, programs=[FakeProgram("web")]
    )
    fake.write("web:web", "第一行\n".encode())
    follower = LogFollower(
        fake,
        LogSource(Target("edge", "web", "web")),
        settings=options,
        clock=clock,
        start=LogPosition(),
    )
    before = rounds(follower)
    fake.rotate("web:web")
    fake.write("web:web", b"second\n")
    after = rounds(follower, 2)

    assert (texts(before), markers(after), texts(after)[1:]) == (
        ["第一行"],
        [MarkerKind.REPLACED],
        ["second"],
    )


def test_a_quiet_log_is_asked_less_and_less() -> None:
    pace = Pace(Settings())

    pauses = [pace.after_read(0, elapsed=1, offset=10) for _ in range(20)]

    assert pauses[-1] == timedelta(seconds=2) > pauses[0]


def test_looks_close_in_on_a_rotation() -> None:
    pace = Pace(Settings(), maxbytes=10_000)

    far = pace.after_read(100, elapsed=0.2, offset=1_000)
    near = pace.after_read(100, elapsed=0.2, offset=9_900)
    here = pace.after_read(100, elapsed=0.2, offset=9_999)

    assert far == timedelta(milliseconds=200) > near > here
    assert here == timedelta(milliseconds=20)


def test_a_log_that_stopped_just_before_its_rotation_is_left_in_peace() -> None:
    pace = Pace(Settings(), maxbytes=10_000)
    pace.after_read(1000, elapsed=0.2, offset=9_990)

    pauses = [pace.after_read(0, elapsed=0.02, offset=9_990) for _ in range(60)]

    assert pauses[-1] == timedelta(seconds=2)
