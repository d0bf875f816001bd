"""Following the logs of real supervisords."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Self

import pytest

from supervisor_easy.clock import SystemClock
from supervisor_easy.fleet.logs import (
    EntryKind,
    LogEntry,
    LogFanIn,
    LogSource,
    MarkerKind,
)
from supervisor_easy.model import Stream, Target
from supervisor_easy.rpc.client import XmlRpcSupervisor
from supervisor_easy.rpc.transport import Connections
from supervisor_easy.settings import Settings
from tests.daemons import Program, Supervisord
from tests.eventually import eventually

pytestmark = pytest.mark.daemon

MakeDaemon = Callable[..., Supervisord]

#: Writes the bytes of each file that appears beside it as N.in, in order of N.
PIPE = """
import os, sys, time
number = 0
while True:
    name = f"{sys.argv[1]}/{number}.in"
    if os.path.exists(name):
        with open(name, "rb") as file:
            data = file.read()
        while data:
            data = data[os.write(int(sys.argv[2]), data):]
        number += 1
    else:
        time.sleep(0.01)
"""
#: Writes numbered lines for ever.
COUNTER = """
import os, sys, time
number = 0
while True:
    os.write(1, b"line %08d and some more text\\n" % number)
    number += 1
    time.sleep(0.002)
"""
OPTIONS = Settings(
    log_retry_max=timedelta(seconds=1), log_partial_after=timedelta(seconds=0.3)
)


class Pipe:
    """A process that writes what it is told to."""

    def __init__(self, folder: Path, name: str = "pipe", fd: int = 1) -> None:
        self.folder = folder / name
        self.folder.mkdir()
        self.name = name
        self.fd = fd
        self._next = 0

    def program(self, **options: object) -> Program:
        script = self.folder / "pipe.py"
        script.write_text(PIPE)
        return Program(
            self.name,
            f"/usr/bin/env python3 -S -E {script} {self.folder} {self.fd}",
            options=options,
        )

    def write(self, data: bytes) -> None:
        part = self.folder / "part"
        part.write_bytes(data)
        part.rename(self.folder / f"{self._next}.in")
        self._next += 1


class Following:
    """Follows sources in a thread of its own, as the engine does."""

    def __init__(self, daemons: list[Supervisord], sources: list[LogSource]) -> None:
        self.entries: list[LogEntry] = []
        self._hosts = {daemon.name: daemon.host for daemon in daemons}
        self._sources = sources
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        with (
            asyncio.Runner(loop_factory=lambda: self._loop) as runner,
            pytest.raises(asyncio.CancelledError),
        ):
            runner.run(self._follow())

    async def _follow(self) -> None:
        self._task = asyncio.current_task()
        clock = SystemClock()
        async with Connections(OPTIONS) as connections:
            fan_in = LogFanIn(
                lambda name: XmlRpcSupervisor(
                    self._hosts[name], connections, settings=OPTIONS, clock=clock
                ),
                settings=OPTIONS,
                clock=clock,
            )
            stream = fan_in.follow(self._sources, lines=10_000)
            async with aclosing(stream):  # type: ignore[type-var]
                async for entry in stream:
                    self.entries.append(entry)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._task is not None:
            self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(10)
        assert not self._thread.is_alive()

    def lines(self, source: LogSource | None = None) -> list[str]:
        return [
            entry.text
            for entry in list(self.entries)
            if entry.kind is EntryKind.LINE and source in {None, entry.source}
        ]

    def markers(self) -> list[MarkerKind | None]:
        return [e.marker for e in list(self.entries) if e.kind is EntryKind.MARKER]


def source(name: str = "pipe", stream: Stream = Stream.STDOUT) -> LogSource:
    return LogSource(Target("local", name, name), stream)


@contextmanager
def followed(daemon: Supervisord, *sources: LogSource) -> Iterator[Following]:
    with Following([daemon], list(sources)) as following:
        yield following


@pytest.fixture
def pipe(tmp_path: Path) -> Pipe:
    return Pipe(tmp_path)


AWKWARD = {
    "colours": (b"\x1b[31mred\x1b[0m\n", ["\x1b[31mred\x1b[0m"]),
    "nul": (b"a\0b\n", ["a\0b"]),
    "progress bar": (b"10%\r20%\r100%\ndone\r\n", ["10%\r20%\r100%", "done"]),
    "chinese": ("重启完成 👍\n".encode(), ["重启完成 👍"]),
    "broken": (b"caf\xe9 au lait\n\xff\n", ["caf\ufffd au lait", "\ufffd"]),
    "controls": (bytes(range(1, 10)) + bytes(range(11, 32)) + b"\x7f\n", None),
    "markup": (b"<a href='&amp;'>&lt;]]></a> \xef\xbf\xbe\n", None),
}


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_bytes_arrive_as_they_are(
    make_daemon: MakeDaemon, pipe: Pipe, name: str
) -> None:
    data, lines = AWKWARD[name]
    daemon = make_daemon([pipe.program()])
    with followed(daemon, source()) as following:
        pipe.write(data + b"end\n")
        eventually(lambda: "end" in following.lines())

    expected = lines or [data.decode().removesuffix("\n")]
    assert following.lines() == [*expected, "end"]


def test_a_burst_of_many_chunks_arrives_whole(
    make_daemon: MakeDaemon, pipe: Pipe
) -> None:
    daemon = make_daemon([pipe.program(stdout_logfile_maxbytes=0)])
    written = [f"第 {number} 行 {'字' * (number % 60)}" for number in range(20_000)]
    with followed(daemon, source()) as following:
        pipe.write("".join(f"{line}\n" for line in written).encode())
        eventually(lambda: len(following.lines()) >= len(written), within=30)

    assert following.lines() == written


def test_two_streams_of_a_process_are_told_apart(
    make_daemon: MakeDaemon, tmp_path: Path
) -> None:
    out, err = Pipe(tmp_path, "out"), Pipe(tmp_path, "err", fd=2)
    daemon = make_daemon([out.program(), err.program()])
    stdout, stderr = source("out"), source("err", Stream.STDERR)
    with followed(daemon, stdout, stderr) as following:
        out.write(b"to stdout\n")
        err.write(b"to stderr\n")
        eventually(lambda: len(following.lines()) == 2)

    assert (following.lines(stdout), following.lines(stderr)) == (
        ["to stdout"],
        ["to stderr"],
    )


def test_rotation_under_load_loses_nothing_unnamed(
    make_daemon: MakeDaemon, tmp_path: Path
) -> None:
    script = tmp_path / "counter.py"
    script.write_text(COUNTER)
    options = {"stdout_logfile_maxbytes": 20_000, "stdout_logfile_backups": 1}
    command = f"/usr/bin/env python3 -S -E {script}"
    daemon = make_daemon([Program("pipe", command, options=options)])
    with followed(daemon, source()) as following:
        eventually(lambda: len(following.lines()) >= 3000, within=40)

    expected = 0
    is_excused = True  # it was writing before we came
    for entry in following.entries:
        if entry.kind is EntryKind.MARKER:
            is_excused = is_excused or entry.unseen is not None
            continue
        number = int(entry.text.split()[1])
        assert number == expected or (is_excused and number > expected), entry
        expected, is_excused = number + 1, False
    assert MarkerKind.ROTATED in following.markers()


def test_a_cleared_log_goes_on_behind_a_marker(
    make_daemon: MakeDaemon, pipe: Pipe
) -> None:
    daemon = make_daemon([pipe.program(stdout_logfile_maxbytes=0)])
    with followed(daemon, source()) as following:
        pipe.write(b"before\n")
        eventually(lambda: following.lines() == ["before"])
        daemon.call("clearProcessLogs", "pipe")
        pipe.write(b"after\n")
        eventually(lambda: following.lines() == ["before", "after"])

    assert following.markers() == [MarkerKind.TRUNCATED]


def test_a_log_truncated_in_place_goes_on_behind_a_marker(
    make_daemon: MakeDaemon, pipe: Pipe
) -> None:
    daemon = make_daemon([pipe.program(stdout_logfile_maxbytes=0)])
    with followed(daemon, source()) as following:
        pipe.write(b"before\n")
        eventually(lambda: following.lines() == ["before"])
        daemon.log_file("pipe").write_bytes(b"")
        pipe.write(b"after\n")
        eventually(lambda: following.lines() == ["before", "after"])

    assert MarkerKind.TRUNCATED in following.markers()


def test_a_killed_host_that_comes_back_is_followed_on(
    make_daemon: MakeDaemon, pipe: Pipe, tmp_path: Path
) -> None:
    log = tmp_path / "pipe.log"
    daemon = make_daemon([pipe.program(stdout_logfile=log)])
    with followed(daemon, source()) as following:
        pipe.write(b"before\n")
        eventually(lambda: following.lines() == ["before"])
        with daemon.outage():
            eventually(lambda: MarkerKind.UNREACHABLE in following.markers())
            for path in pipe.folder.glob("*.in"):
                path.write_bytes(b"")
            pipe.write(b"after\n")
        eventually(lambda: following.lines() == ["before", "after"], within=20)

    assert following.markers() == [MarkerKind.UNREACHABLE, MarkerKind.BACK]


def test_a_frozen_host_holds_up_nobody_else(
    make_daemon: MakeDaemon, tmp_path: Path
) -> None:
    frozen, lively = Pipe(tmp_path, "frozen"), Pipe(tmp_path, "lively")
    slow = make_daemon(
        [frozen.program()], name="slow", request_timeout=timedelta(seconds=0.5)
    )
    quick = make_daemon([lively.program()], name="quick")
    sources = [
        LogSource(Target("slow", "frozen", "frozen")),
        LogSource(Target("quick", "lively", "lively")),
    ]
    with Following([slow, quick], sources) as following:
        frozen.write(b"one\n")
        eventually(lambda: following.lines() == ["one"])
        with slow.frozen():
            frozen.write(b"two\n")
            lively.write(b"meanwhile\n")
            eventually(lambda: following.lines() == ["one", "meanwhile"])
            eventually(lambda: MarkerKind.UNREACHABLE in following.markers())
        eventually(lambda: following.lines() == ["one", "meanwhile", "two"], within=20)

    assert following.markers() == [MarkerKind.UNREACHABLE, MarkerKind.BACK]


def test_a_process_without_a_log_file_says_so(make_daemon: MakeDaemon) -> None:
    options = {"stdout_logfile": "NONE", "redirect_stderr": "true"}
    daemon = make_daemon([Program("pipe", options=options)])
    with followed(daemon, source()) as following:
        eventually(following.markers)

    assert following.markers() == [MarkerKind.NO_LOG]


def test_supervisords_own_log_is_followed_like_any_other(
    make_daemon: MakeDaemon,
) -> None:
    daemon = make_daemon([Program("web", autostart=False)])
    with followed(daemon, LogSource.main("local")) as following:
        eventually(lambda: any("supervisord started" in x for x in following.lines()))
        daemon.call("startProcess", "web")
        eventually(lambda: any("spawned: 'web'" in each for each in following.lines()))

    numbers = [line for line in following.lines() if "spawned: 'web'" in line]
    assert len(numbers) == 1


def test_a_prompt_without_a_line_end_is_shown_once(
    make_daemon: MakeDaemon, pipe: Pipe
) -> None:
    daemon = make_daemon([pipe.program()])
    with followed(daemon, source()) as following:
        pipe.write(b"continue? ")
        eventually(lambda: following.lines() == ["continue? "])
        pipe.write(b"yes\n")
        eventually(lambda: following.lines() == ["continue? ", "yes"])

    assert following.entries[-1].is_continuation
