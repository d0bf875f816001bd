"""Follow many growing, rotating logs of real supervisords; count every single line.

    python bench/logs_follow.py --hosts 10 --logs 10 --rate 50 --seconds 60

Each process writes numbered lines into a log that rotates several times; their lines
differ in length, so that not all logs rotate at the same moment. A number that
is missing must lie where a marker says that something is; one seen twice, or missing
without a marker, makes the exit code 1.
"""

import argparse
import asyncio
import contextlib
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from supervisor_easy.clock import SystemClock
from supervisor_easy.fleet.logs import EntryKind, LogEntry, LogFanIn, LogSource
from supervisor_easy.model import Host, Target
from supervisor_easy.rpc.client import XmlRpcSupervisor
from supervisor_easy.rpc.supervisor import Supervisor
from supervisor_easy.rpc.transport import Connections
from supervisor_easy.settings import Settings
from tests.daemons import Program, Supervisord

#: Waits for the file "go", then writes lines on a steady beat, then stays.
WRITER = """
import os, sys, time
rate, count, go = float(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
pad = b"x" * (os.getpid() * 7 % 60)
while not os.path.exists(go):
    time.sleep(0.1)
began = time.monotonic()
for number in range(count):
    delay = began + number / rate - time.monotonic()
    if delay > 0:
        time.sleep(delay)
    os.write(1, b"line %08d of a log that says something %s\\n" % (number, pad))
time.sleep(1000000)
"""
#: Seconds for the followers to open all logs, and to read the end of them.
SETTLE = 5.0


@dataclass
class Tally:
    """What one source brought."""

    last: int = -1
    seen: int = 0
    twice: int = 0
    named: int = 0
    silent: int = 0
    half: str = ""
    has_marker: bool = False
    markers: "Counter[str]" = field(default_factory=Counter)

    def take(self, entry: LogEntry) -> None:
        """Count one entry."""
        if entry.kind is EntryKind.MARKER:
            self.markers[str(entry.marker)] += 1
            self.has_marker |= entry.unseen is not None
            self.half = ""
            return
        if entry.is_partial:
            self.half += entry.text
            return
        text, self.half = self.half + entry.text, ""
        self.take_number(int(text.split()[1]))

    def take_number(self, number: int) -> None:
        """Count one line, and those missing before it."""
        if number <= self.last:
            self.twice += 1
            return
        missing = number - self.last - 1
        if self.has_marker:
            self.named += missing
        else:
            self.silent += missing
        self.has_marker = False
        self.last = number
        self.seen += 1


@dataclass
class Result:
    """The sums, and what they cost."""

    tallies: dict[LogSource, Tally]
    cpu_seconds: float
    wall_seconds: float
    hosts_cpu_seconds: float


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hosts", type=int, default=10)
    parser.add_argument("--logs", type=int, default=10, help="logs of each host")
    parser.add_argument("--rate", type=float, default=50, help="lines/s of each log")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--maxbytes", type=int, default=50_000, help="rotate here")
    return parser.parse_args()


def start_host(folder: Path, number: int, options: argparse.Namespace) -> Supervisord:
    writer = folder / "writer.py"
    count = int(options.rate * options.seconds)
    program = Program(
        "writer",
        f"{sys.executable} -S -E {writer} {options.rate} {count} {folder}/go",
        numprocs=options.logs,
        options={
            "stdout_logfile_maxbytes": options.maxbytes,
            "stdout_logfile_backups": 2,
        },
    )
    return Supervisord([program], name=f"host{number:02d}").start()


def cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def own_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def collect(fan_in: LogFanIn, tallies: dict[LogSource, Tally]) -> None:
    stream = fan_in.follow(list(tallies), since_start=True)
    async with contextlib.aclosing(stream):  # type: ignore[type-var]
        async for entry in stream:
            tallies[entry.source].take(entry)


async def follow(
    daemons: list[Supervisord], go: Callable[[], None], options: argparse.Namespace
) -> Result:
    settings, clock = Settings(), SystemClock()
    hosts: dict[str, Host] = {daemon.name: daemon.host for daemon in daemons}
    tallies = {
        LogSource(Target(name, "writer", f"writer_{number:02d}")): Tally()
        for name in hosts
        for number in range(options.logs)
    }
    async with Connections(settings) as connections:

        def open_supervisor(name: str) -> Supervisor:
            return XmlRpcSupervisor(
                hosts[name], connections, settings=settings, clock=clock
            )

        fan_in = LogFanIn(open_supervisor, settings=settings, clock=clock)
        collecting = asyncio.create_task(collect(fan_in, tallies))
        await asyncio.sleep(SETTLE)
        go()
        began, cpu = time.monotonic(), own_cpu()
        hosts_cpu = sum(cpu_of(daemon.pid) for daemon in daemons)
        await asyncio.sleep(options.seconds)
        result = Result(
            tallies,
            own_cpu() - cpu,
            time.monotonic() - began,
            sum(cpu_of(daemon.pid) for daemon in daemons) - hosts_cpu,
        )
        await asyncio.sleep(SETTLE)
        collecting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await collecting
    return result


def report(result: Result, options: argparse.Namespace) -> bool:
    """Print the sums; return whether every line is accounted for."""
    count = int(options.rate * options.seconds)
    tallies = result.tallies.values()
    for tally in tallies:
        tally.take_number(count)  # so that a missing end counts as well
        tally.seen -= 1
    written = count * len(result.tallies)
    seen, twice = sum(t.seen for t in tallies), sum(t.twice for t in tallies)
    named, silent = sum(t.named for t in tallies), sum(t.silent for t in tallies)
    markers: Counter[str] = sum((t.markers for t in tallies), Counter())
    rotations = markers["rotated"] + markers["replaced"]
    print(f"hosts {options.hosts}, logs {len(result.tallies)}, lines written {written}")
    print(f"  seen                       {seen}")
    print(f"  twice                      {twice}")
    print(f"  missing, named by a marker {named} ({100 * named / written:.3f} %)")
    print(f"  missing silently           {silent}")
    print(f"  markers                    {dict(markers)}")
    if rotations:
        print(f"  lines lost a rotation      {named / rotations:.2f}")
    share = 100 * result.cpu_seconds / result.wall_seconds
    hosts_share = 100 * result.hosts_cpu_seconds / result.wall_seconds / options.hosts
    print(f"  CPU of the follower        {share:.1f} % of one core")
    print(f"  CPU of each supervisord    {hosts_share:.1f} % of one core")
    return seen + named == written and not twice and not silent


def main() -> int:
    options = parse()
    with tempfile.TemporaryDirectory(prefix="fleet-") as name:
        folder = Path(name)
        daemons: list[Supervisord] = []
        (folder / "writer.py").write_text(WRITER)
        try:
            daemons.extend(
                start_host(folder, number, options) for number in range(options.hosts)
            )
            result = asyncio.run(follow(daemons, (folder / "go").touch, options))
        finally:
            for daemon in daemons:
                daemon.close()
    return 0 if report(result, options) else 1


if __name__ == "__main__":
    sys.exit(main())
