"""One full snapshot of a fleet against a bare fetch of the same bodies.

Both use the same transport; the bare fetch reads no body. Rounds alternate, so that
whatever else the machine does falls on both.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import report
from bench.farm import Farm, real_farm
from supervisor_easy.clock import SystemClock
from supervisor_easy.fleet.state import FleetState
from supervisor_easy.fleet.watcher import look_once
from supervisor_easy.inventory import InventoryFile
from supervisor_easy.rpc.client import XmlRpcSupervisor
from supervisor_easy.rpc.transport import Connections
from supervisor_easy.settings import load_settings

BAR = 3.0


async def measure(farm: Farm, *, rounds: int) -> tuple[float, float, float]:
    """Return the median seconds of a fetch and of a snapshot, and of their ratios."""
    settings = load_settings({"inventory": farm.inventory}, environ={})
    hosts = list(InventoryFile(farm.inventory).current.hosts.values())
    clock = SystemClock()
    fetches, snapshots, ratios = [], [], []
    async with Connections(settings) as connections:
        supervisors = [
            XmlRpcSupervisor(host, connections, settings=settings, clock=clock)
            for host in hosts
        ]
        state = FleetState(clock=clock)
        state.set_hosts(hosts)
        fetch = partial(bare, supervisors)
        observe = partial(
            look_once, supervisors, state, concurrency=settings.poll_concurrency
        )
        await fetch()
        await observe()
        for _ in range(rounds):
            bare_time, full_time = await timed(fetch), await timed(observe)
            fetches.append(bare_time)
            snapshots.append(full_time)
            ratios.append(full_time / bare_time)
        seen = len(state.snapshot().processes())
    if seen != farm.total:
        raise SystemExit(f"the snapshot shows {seen} of {farm.total} processes")
    return tuple(map(statistics.median, (fetches, snapshots, ratios)))


async def bare(supervisors: list[XmlRpcSupervisor]) -> None:
    """Fetch every host's body at once and look at none."""
    await asyncio.gather(*(supervisor.fetch() for supervisor in supervisors))


async def timed(work: Callable[[], Awaitable[None]]) -> float:
    """Return the seconds that the work takes."""
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


def main() -> int:
    """Measure and report."""
    args = report.arguments(__doc__).parse_args()
    hosts, rounds = (10, 5) if args.quick else (100, 25)
    with real_farm(hosts=hosts, processes=10) as farm:
        fetch, snapshot, ratio = asyncio.run(measure(farm, rounds=rounds))
    row = report.Row(
        f"one full snapshot of {hosts} supervisords x 10 processes",
        f"<= {BAR:g} x a bare fetch",
        f"{ratio:.2f} x ({snapshot * 1000:.0f} ms / {fetch * 1000:.0f} ms)",
        ratio <= BAR,
    )
    print(f"{report.load()}; median of {rounds} alternating rounds")
    return report.finish([row], args.json)


if __name__ == "__main__":
    raise SystemExit(main())
