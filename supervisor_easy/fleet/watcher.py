"""One task a host that asks for its state again and again, for all viewers at once.

A slow, dead or lying host costs the others nothing: it has its own task, its own
deadline, and a lane for those that failed or have not been seen up yet. None is ever
given up: what nobody foresaw is logged, shown at the host, and it is asked again.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta

from supervisor_easy.clock import Clock
from supervisor_easy.errors import RpcError
from supervisor_easy.fleet.lanes import Lane
from supervisor_easy.fleet.state import FleetState
from supervisor_easy.model import Host, HostCondition, HostStatus, ProcessState
from supervisor_easy.rpc.supervisor import Supervisor
from supervisor_easy.settings import Settings

logger = logging.getLogger(__name__)

Connect = Callable[[Host], Supervisor]

#: Share of an interval by which each pause differs, so that hosts spread out.
JITTER = 0.1
#: Pause while a process of the host is between two states.
TRANSIT_INTERVAL = timedelta(seconds=1)
_IN_TRANSIT = (ProcessState.STARTING, ProcessState.STOPPING, ProcessState.BACKOFF)


class Watcher:
    """Keeps a `FleetState` fresh; every method runs on the engine's loop."""

    def __init__(
        self,
        state: FleetState,
        connect: Connect,
        *,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._state = state
        self._connect = connect
        self._settings = settings
        self._clock = clock
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._hosts: dict[str, Host] = {}
        self._nudges: dict[str, asyncio.Event] = {}
        self._healthy = Lane(settings.poll_concurrency, clock=clock)
        self._unseen = Lane(settings.poll_concurrency, clock=clock)
        # Those that failed keep their places: many dead hosts shall not cost more.
        self._suspect = asyncio.Semaphore(settings.poll_suspect_concurrency)

    def watch(self, hosts: Iterable[Host]) -> None:
        """Watch exactly these hosts from now on; known ones go on undisturbed.

        One that is reached in another way, or with another password, is asked soon.
        """
        wanted = {host.name: host for host in hosts}
        self._state.set_hosts(wanted.values())
        for name in list(self._tasks):
            if name not in wanted or _reach(wanted[name]) != _reach(self._hosts[name]):
                self._tasks.pop(name).cancel()
        self._hosts = wanted
        for name, host in wanted.items():
            if name not in self._tasks:
                self._nudges[name] = asyncio.Event()
                task = asyncio.create_task(
                    self._keep_asking(host), name=f"watch {name}"
                )
                task.add_done_callback(_tell_of_an_error)
                self._tasks[name] = task

    def nudge(self, host: str) -> None:
        """Ask this host soon, whatever its pause."""
        if host in self._nudges:
            self._nudges[host].set()

    async def stop(self) -> None:
        """End every task and wait for its end."""
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep_asking(self, host: Host) -> None:
        supervisor = self._connect(host)
        first = random.uniform(0, min(1.0, len(self._hosts) / 1000))  # noqa: S311
        await self._clock.sleep(timedelta(seconds=first))
        while True:
            await self._ask_in_lane(supervisor)
            status = self._state.status(host.name)
            if status is None:
                return
            span = pause(status, self._settings, spread=random.random())  # noqa: S311
            self._state.will_poll(host.name, self._clock.now() + span)
            await self._wait(host.name, span)

    async def _ask_in_lane(self, supervisor: Supervisor) -> None:
        status = self._state.status(supervisor.host.name)
        if status is not None and status.failures > 0:
            async with self._suspect:
                await look(supervisor, self._state)
            return
        is_seen = status is not None and status.last is not None
        lane = self._healthy if is_seen else self._unseen
        async with lane.place():
            await look(supervisor, self._state)

    async def _wait(self, host: str, span: timedelta) -> None:
        nudge = self._nudges[host]
        sleeping = asyncio.ensure_future(self._clock.sleep(span))
        nudged = asyncio.ensure_future(nudge.wait())
        try:
            await asyncio.wait({sleeping, nudged}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            nudged.cancel()
            nudge.clear()


async def look(supervisor: Supervisor, state: FleetState) -> RpcError | None:
    """Ask one host once and tell the state; return the error, if any."""
    host = supervisor.host.name
    try:
        state.observed(await supervisor.observe())
    except RpcError as error:
        logger.debug("poll failed host=%s: %s", host, error)
        state.failed(host, error)
        return error
    except Exception as exc:
        # The edge of each host: one that nobody understands must end neither the
        # watch over it nor a look at the others.
        logger.exception("poll broke off host=%s", host)
        # Without the exception's own words, which may hold anything.
        unforeseen = RpcError(
            f"{host}: asking it broke off with {type(exc).__name__}, which is a fault "
            "of this program; its log tells more",
            host=host,
        )
        state.failed(host, unforeseen)
        return unforeseen
    return None


async def look_once(
    supervisors: Iterable[Supervisor], state: FleetState, *, concurrency: int
) -> None:
    """Ask every host once, each under its own deadline.

    At most `concurrency` begin at the same moment; those that hang hold up nobody.
    """
    lane = Lane(concurrency, clock=state.clock)

    async def ask(supervisor: Supervisor) -> None:
        async with lane.place():
            await look(supervisor, state)

    await asyncio.gather(*(ask(supervisor) for supervisor in supervisors))


def pause(status: HostStatus, settings: Settings, *, spread: float) -> timedelta:
    """Return how long to leave a host alone; `spread` in [0, 1) is its jitter.

    Doubles with each failure up to `poll_backoff_max`; shortens to a second while a
    process is between two states or supervisord restarts.
    """
    interval = settings.poll_interval
    if status.condition is HostCondition.RESTARTING or (
        status.condition is HostCondition.UP
        and any(process.state in _IN_TRANSIT for process in status.processes)
    ):
        interval = min(interval, TRANSIT_INTERVAL)
    elif status.failures:
        factor = 2 ** min(status.failures - 1, 10)
        interval = min(interval * factor, max(interval, settings.poll_backoff_max))
    return interval * (1 - JITTER + 2 * JITTER * spread)


def _reach(host: Host) -> Host:
    """Return what of a host matters for asking it."""
    return replace(host, labels={})


def _tell_of_an_error(task: "asyncio.Task[None]") -> None:
    """Have the log say that a watch died, which only a fault of ours can bring."""
    error = None if task.cancelled() else task.exception()
    if error is not None:
        logger.error("a host is watched no more task=%s", task, exc_info=error)
