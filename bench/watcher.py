"""The watcher over many simulated hosts: what it costs in CPU and memory.

The hosts live in a process of their own, whose cost is not counted. Measured is this
process, which runs the engine as the console does: watcher, event recorder, database.
"""

import os
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import ours, report
from bench.farm import raise_file_limit, simulated_farm
from supervisor_easy.services import Services

CPU_BAR = 50.0
RSS_BAR = 300.0
INTERVAL = timedelta(seconds=5)
#: The oldest that an answer may be: interval, its jitter, and a second to be asked.
MAX_AGE = INTERVAL * 1.1 + timedelta(seconds=1)
_MB = 1 << 20


@dataclass(frozen=True)
class Cost:
    """What watching cost; `oldest` is the oldest answer at any look, in seconds."""

    cpu_percent: float
    peak_mb: float
    looks: int
    oldest: float
    events: int


def measure(services: Services, *, seconds: float) -> Cost:
    """Let it settle, then watch the watcher for so long."""
    _settle(services, within=60)
    changes: list[int] = []
    services.state.subscribe(lambda change: changes.append(len(change.processes)))
    ages, looks = [], 0
    cpu, began = _cpu_seconds(), time.monotonic()
    while (elapsed := time.monotonic() - began) < seconds:
        time.sleep(min(1.0, seconds - elapsed))
        ages.append(max(_ages(services)))
        looks += 1
    spent = _cpu_seconds() - cpu
    return Cost(
        100 * spent / (time.monotonic() - began),
        _peak_bytes() / _MB,
        looks,
        max(ages),
        sum(changes),
    )


def _settle(services: Services, *, within: float) -> None:
    give_up_at = time.monotonic() + within
    while any(
        status.last is None for status in services.state.snapshot().hosts.values()
    ):
        if time.monotonic() > give_up_at:
            raise SystemExit("not every host answered")
        time.sleep(0.2)
    # A round more, so that what the first one cost is not counted.
    time.sleep(INTERVAL.total_seconds())


def _ages(services: Services) -> list[float]:
    now = datetime.now(UTC)
    return [
        (now - status.observed_at).total_seconds()
        for status in services.state.snapshot().hosts.values()
        if status.observed_at
    ]


def _cpu_seconds() -> float:
    used = os.times()
    return used.user + used.system


def _peak_bytes() -> int:
    # ru_maxrss would also count the program that started this one.
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("this system does not tell a process's peak memory")


def main() -> int:
    """Measure and report."""
    args = report.arguments(__doc__).parse_args()
    hosts, seconds = (50, 8.0) if args.quick else (1000, 60.0)
    raise_file_limit()
    with (
        simulated_farm(hosts=hosts, processes=20) as farm,
        ours.console(farm.inventory, poll_interval=INTERVAL) as (services, _),
    ):
        cost = measure(services, seconds=seconds)
    work = f"watcher over {hosts} hosts x 20 processes each 5 s"
    print(
        f"{report.load()}; {seconds:g} s, {cost.events} process changes seen, "
        f"oldest answer {cost.oldest:.1f} s"
    )
    oldest = MAX_AGE.total_seconds()
    rows = [
        report.Row(
            f"{work}, CPU",
            f"< {CPU_BAR:g} % of a core",
            f"{cost.cpu_percent:.1f} %",
            cost.cpu_percent < CPU_BAR,
        ),
        report.Row(
            f"{work}, peak memory",
            f"< {RSS_BAR:g} MB",
            f"{cost.peak_mb:.0f} MB",
            cost.peak_mb < RSS_BAR,
        ),
        report.Row(
            f"{work}, oldest answer",
            f"<= {oldest:g} s",
            f"{cost.oldest:.1f} s",
            cost.oldest <= oldest,
        ),
    ]
    return report.finish(rows, args.json)


if __name__ == "__main__":
    raise SystemExit(main())
