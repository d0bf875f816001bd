"""A bulk restart of a whole fleet: ours, Multivisor's, and a bare loop.

All judged alike: when the program says it is done, when the last process is RUNNING by
its host's own log, and by an independent observer that each has a new pid. Multivisor
has a farm of its own with its plugin on each host; ours needs nothing there. Runs
alternate.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import observer, ours, report
from bench.farm import GROUP, Farm, real_farm
from bench.rival import Plugin, Server, installed, plugin_config, serving
from supervisor_easy.model import OutcomeKind

#: Seconds in which all processes must run again.
PATIENCE = 120.0
#: Seconds of rest between two runs, for events that are still under way.
REST = 2.0
#: Seconds between two looks of the bare loop, and before its first after a start.
BARE_PAUSE = 0.05
STARTSECS = 1.0
#: Supervisord's own waiting answers up to a second late.
WAIT = False
SELECTOR = f"*/{GROUP}:*"


@dataclass(frozen=True)
class Run:
    """One restart, in seconds from its request."""

    answered: float
    last_running: float


class Contender:
    """Something that restarts a farm, and how long it took each time."""

    def __init__(self, name: str, farm: Farm, act: Callable[[], None]) -> None:
        self.name = name
        self.runs: list[Run] = []
        self._farm = farm
        self._act = act

    def race(self) -> None:
        """Restart everything once and have it judged."""
        before = asyncio.run(observer.look(self._farm.hosts, group=GROUP))
        assert len(before) == self._farm.total
        began_at, began = time.time(), time.monotonic()
        self._act()
        answered = time.monotonic() - began
        missing = asyncio.run(observer.await_replacement(before, within=PATIENCE))
        if missing:
            raise SystemExit(
                f"{self.name}: {len(missing)} of {len(before)} processes do not run "
                f"under a new pid after {PATIENCE:g} s, such as {min(missing)}"
            )
        self.runs.append(Run(answered, self._last_running(began_at) - began_at))
        print(
            f"{self.name:28} answered {self.runs[-1].answered:5.2f} s, "
            f"last RUNNING {self.runs[-1].last_running:5.2f} s",
            flush=True,
        )
        time.sleep(REST)

    def _last_running(self, since: float) -> float:
        times = [observer.running_times(log, since=since) for log in self._farm.logs()]
        if any(len(mine) < self._farm.processes for mine in times):
            raise SystemExit("a supervisord's log does not tell of every restart")
        return max(max(mine.values()) for mine in times)

    @property
    def answered(self) -> float:
        """The median of what it said itself."""
        return statistics.median(run.answered for run in self.runs)

    @property
    def last_running(self) -> float:
        """The median of when all was up again."""
        return statistics.median(run.last_running for run in self.runs)

    @property
    def proven(self) -> float:
        """The median of when both had come."""
        return statistics.median(max(r.answered, r.last_running) for r in self.runs)


def bare(farm: Farm) -> None:
    """Stop all and start all on every host at once: no proof, no journal."""

    async def settle(address: observer.Address, state: str) -> None:
        while True:
            seen = await observer.look([address], group=GROUP)
            if all(each.state == state for each in seen.values()):
                return
            await asyncio.sleep(BARE_PAUSE)

    async def one(address: observer.Address) -> None:
        await observer.call(address, "stopProcessGroup", GROUP, WAIT)
        await settle(address, "STOPPED")
        await observer.call(address, "startProcessGroup", GROUP, WAIT)
        await asyncio.sleep(STARTSECS)
        await settle(address, "RUNNING")

    async def every() -> None:
        await asyncio.gather(*(one(address) for address in farm.hosts))

    asyncio.run(every())


def by_command(farm: Farm, fleet: ours.Command) -> None:
    """Restart with one `fleet restart`, a process of its own."""
    ran, answer = fleet.run_json("restart", SELECTOR, "--yes")
    assert isinstance(answer, dict)
    changed = answer["summary"]["changed"]
    if ran.code != 0 or changed != farm.total:
        failed = next((each for each in answer["outcomes"] if each["error"]), ran.talk)
        raise SystemExit(f"fleet restart: {answer['summary']}, such as {failed}")


class Console:
    """Our engine as the console runs it; up only while it is measured."""

    def __init__(self, farm: Farm) -> None:
        self._farm = farm

    def race(self, contender: Contender) -> None:
        """Start the engine, let it know the fleet, race, stop it."""
        with ours.console(self._farm.inventory) as (services, engine):
            engine.refresh()
            self._services, self._engine = services, engine
            contender.race()

    def restart(self) -> None:
        """Restart through the engine and check the outcomes."""
        done = ours.restart(self._services, self._engine, selectors=[SELECTOR])
        good = sum(each.kind is OutcomeKind.CHANGED for each in done.outcomes)
        if good != self._farm.total:
            failed = next(each for each in done.outcomes if each.error)
            raise SystemExit(f"through the engine: {done.summary()}, such as {failed}")


def race(
    farm: Farm,
    *,
    rounds: int,
    rival: tuple[Farm, Server] | None,
) -> list[Contender]:
    """Let all restart their farm in turn; return ours, the command's, the floor's..."""
    console = Console(farm)
    with ours.command(farm.inventory) as fleet:
        floor = Contender("bare loop: stop, start", farm, lambda: bare(farm))
        engine = Contender("ours: the engine", farm, console.restart)
        command = Contender(
            "ours: fleet restart", farm, lambda: by_command(farm, fleet)
        )
        contenders = [floor, engine, command]
        theirs = None
        if rival:
            theirs = Contender("Multivisor 7.1.0", rival[0], rival[1].restart_all)
            contenders.append(theirs)
        for _ in range(rounds):
            floor.race()
            console.race(engine)
            if theirs and rival:
                rival[1].await_running(rival[0].total)
                theirs.race()
            command.race()
    return contenders


def rows(
    contenders: Sequence[Contender], total: int, *, is_quick: bool
) -> list[report.Row]:
    """Judge them; not in a small run, where the start of a program weighs most."""
    floor, engine, command, *rest = contenders
    work = f"bulk restart of {total} processes"
    made = [
        report.Row(
            f"{work}, {each.name}",
            "",
            f"answered {each.answered:.2f} s, last RUNNING {each.last_running:.2f} s",
        )
        for each in contenders
    ]
    for each in (engine, command):
        name = each.name.removeprefix("ours: ")
        if rest:
            ratio = each.proven / rest[0].proven
            made.append(
                report.Row(
                    f"{work}, proven, {name} / Multivisor",
                    "<= 1",
                    f"{ratio:.2f}",
                    None if is_quick else ratio <= 1,
                )
            )
        made.append(
            report.Row(
                f"{work}, proven, {name} / bare loop",
                "",
                f"{each.proven / floor.proven:.2f}",
            )
        )
    return made


def main() -> int:
    """Measure and report."""
    parser = report.arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--alone", action="store_true", help="without Multivisor")
    parser.add_argument(
        "--plugin",
        type=Plugin,
        choices=list(Plugin),
        default=Plugin.RPCINTERFACE,
        help="how Multivisor's part runs on each host",
    )
    parser.add_argument(
        "--multivisor-venv", type=Path, help="keep or find its environment there"
    )
    args = parser.parse_args()
    hosts, rounds = (5, 1) if args.quick else (100, args.rounds)
    with ExitStack() as stack:
        farm = stack.enter_context(real_farm(hosts=hosts, processes=10))
        rival = None
        if not args.alone:
            home = stack.enter_context(installed(args.multivisor_venv))
            theirs = stack.enter_context(
                real_farm(
                    hosts=hosts,
                    processes=10,
                    python=str(home / "bin" / "python"),
                    plugin=plugin_config(home, args.plugin),
                    plugin_processes=int(args.plugin is Plugin.LISTENER),
                )
            )
            server = stack.enter_context(serving(home, theirs.hosts))
            server.await_running(theirs.total)
            rival = (theirs, server)
        contenders = race(farm, rounds=rounds, rival=rival)
    print(f"{report.load()}; medians of {rounds} alternating runs")
    return report.finish(rows(contenders, farm.total, is_quick=args.quick), args.json)


if __name__ == "__main__":
    raise SystemExit(main())
