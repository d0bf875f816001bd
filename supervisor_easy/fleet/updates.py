"""Configuration updates and supervisord's own restart, as parts of an operation.

An update of a process group is stop, remove, add; each part is found again by asking
supervisord what differs, so a group that a dead console left half done is finished
by simply doing it once more.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from supervisor_easy.errors import Fault, RpcError, ShuttingDown, StoreError
from supervisor_easy.fleet.hostwork import UNWRITTEN, WorkContext
from supervisor_easy.fleet.limits import UNKNOWN_STOP_TIME
from supervisor_easy.fleet.phases import Phase
from supervisor_easy.fleet.proof import may_be_done
from supervisor_easy.fleet.steps import Step
from supervisor_easy.model import OutcomeKind, Process, ProcessState, Sighting, Target
from supervisor_easy.rpc.supervisor import ConfigDiff, Supervisor
from supervisor_easy.units import format_duration

logger = logging.getLogger(__name__)

#: Pause between two looks at a host while it stops a group or restarts.
_LOOK_AGAIN = timedelta(milliseconds=250)
#: Pause before a host that went away in the middle is tried again.
_TRY_AGAIN = timedelta(seconds=2)
#: How long supervisord may take to come back, beside its processes' stop time.
_BOOT_TIME = timedelta(seconds=30)
#: A sighting that says only "we began"; groups and hosts have no pid of their own.
_BEGUN = Sighting(0, ProcessState.UNKNOWN)
_NO_DIFF = ConfigDiff()


@dataclass(frozen=True, slots=True)
class UpdatePreview:
    """What an update of one host would do; `error` where the host cannot say.

    `restarts` are the running processes that would go down: supervisord takes a
    changed group down as a whole, also where one member changed.
    """

    host: str
    diff: ConfigDiff = _NO_DIFF
    restarts: tuple[Process, ...] = ()
    error: RpcError | None = None


async def preview_update(supervisor: Supervisor) -> UpdatePreview:
    """Have one host read its configuration again and say what would change."""
    host = supervisor.host.name
    try:
        diff = await supervisor.reload_config()
        observation = await supervisor.observe()
    except RpcError as error:
        return UpdatePreview(host, error=error)
    going_down = {*diff.changed, *diff.removed}
    return UpdatePreview(
        host,
        diff,
        tuple(p for p in observation.processes if p.group in going_down and p.pid),
    )


class UpdateWork:
    """The process groups of one host that an operation updates."""

    def __init__(self, context: WorkContext, steps: Sequence[Step]) -> None:
        self._context = context
        self._steps = steps
        self._diff: ConfigDiff | None = None
        self._looking = asyncio.Lock()
        self._seen: Mapping[Target, Process] = {}
        self._seen_at = float("-inf")

    async def begin(self) -> None:
        """Ask what differs, for all groups at once."""
        try:
            self._diff = await self._context.supervisor.reload_config()
        except RpcError as error:
            logger.debug("no diff host=%s: %s", self._context.supervisor.host, error)

    async def run(self) -> None:
        """Update all groups at once, each by its own steps."""
        await asyncio.gather(
            *(self._update(step) for step in self._steps if not step.is_done)
        )

    async def _update(self, step: Step) -> None:
        context = self._context
        now = context.clock.monotonic
        while not step.is_done:
            try:
                if context.is_cancelled() and step.phase is Phase.NEW:
                    step.cancel(now())
                else:
                    await self._apply(step)
            except (RpcError, StoreError) as error:
                # Once begun, the group may be stopped or removed: it must come back.
                is_begun = step.phase is not Phase.NEW
                if not is_begun or _is_final(error) or now() >= context.rescue_until:
                    _end_with(step, error, now())
                else:
                    context.explain(f"waiting for {step.target.host}: {_say(error)}")
                    await context.clock.sleep(_TRY_AGAIN)
                    self._diff = None
        assert step.outcome is not None
        context.explain("")
        context.report([step.outcome])

    async def _apply(self, step: Step) -> None:
        group = step.target.group
        supervisor = self._context.supervisor
        diff = self._diff or await supervisor.reload_config()
        self._diff = diff
        is_different = group in (*diff.added, *diff.changed, *diff.removed)
        if is_different:
            if step.phase is Phase.NEW:
                await self._context.intend({step.target: _BEGUN})
                step.phase = Phase.STOPPING
            if not await self._context.confirm():
                text = f"another console took {step.target} over; it goes on there"
                now = self._context.clock.monotonic()
                step.finish(OutcomeKind.UNKNOWN, now, "taken_over", text)
                return
            if group not in diff.added:
                await self._take_down(step, group)
            if group not in diff.removed:
                step.phase = Phase.STARTING
                await supervisor.add_group(group)
        await self._check(step, is_wanted=group not in diff.removed)

    async def _check(self, step: Step, *, is_wanted: bool) -> None:
        seen = await self._context.look()
        is_there = any(target.group == step.target.group for target in seen)
        now = self._context.clock.monotonic()
        if is_there is not is_wanted:
            text = f"{step.target} is {'still' if is_there else 'not'} there"
            step.finish(OutcomeKind.FAILED, now, "no_effect", text)
        elif step.phase is Phase.NEW:
            step.finish(OutcomeKind.UNCHANGED, now)
        else:
            step.finish(OutcomeKind.CHANGED, now)

    async def _take_down(self, step: Step, group: str) -> None:
        limit = await self._stop_time(group)
        give_up_at = self._context.clock.monotonic() + limit.total_seconds()
        await self._context.supervisor.stop_group(group)
        while await self._is_up(group):
            now = self._context.clock.monotonic()
            if now >= self._context.rescue_until:
                raise _still_running(step.target)
            if now >= give_up_at:
                self._context.explain(f"{step.target} has not stopped yet")
            await self._context.clock.sleep(_LOOK_AGAIN)
        await self._context.supervisor.remove_group(group)

    async def _is_up(self, group: str) -> bool:
        seen = await self._shared_look()
        return any(
            process.group == group and not process.state.is_down
            for process in seen.values()
        )

    async def _shared_look(self) -> Mapping[Target, Process]:
        """Look at the host, once for all groups that ask in the same moment."""
        async with self._looking:
            age = self._context.clock.monotonic() - self._seen_at
            if age >= _LOOK_AGAIN.total_seconds():
                self._seen = await self._context.look()
                self._seen_at = self._context.clock.monotonic()
            return self._seen

    async def _stop_time(self, group: str) -> timedelta:
        configs = await self._context.configs() or {}
        times = [c.stopwaitsecs for c in configs.values() if c.group == group]
        longest = timedelta(seconds=max(times)) if times else UNKNOWN_STOP_TIME
        return longest + self._context.settings.action_margin


class RestartWork:
    """Supervisord's own restart on one host.

    Its pid stays the same, so the proof is that it said that it shuts down, or that
    every process that ran has another pid.
    """

    def __init__(self, context: WorkContext, steps: Sequence[Step]) -> None:
        self._context = context
        self._steps = steps
        self._before: dict[str, int] = {}
        self._is_proven = False

    async def begin(self) -> None:
        """Note what runs, write the intention down, and ask for the restart."""
        context = self._context
        if any(step.is_taken_over for step in self._steps):
            return
        if context.is_cancelled():
            for step in self._steps:
                step.cancel(context.clock.monotonic())
            context.report([step.outcome for step in self._steps if step.outcome])
            return
        try:
            seen = await context.look()
            self._before = {p.namespec: p.pid for p in seen.values() if p.pid}
            await context.intend({s.target: _BEGUN for s in self._steps})
            await context.supervisor.restart()
        except (RpcError, StoreError) as error:
            if not (isinstance(error, RpcError) and may_be_done(error)):
                self._finish(OutcomeKind.FAILED, error.code, _say(error))

    async def run(self) -> None:
        """Wait until it is back, or too late."""
        context = self._context
        limit = await self._limit()
        give_up_at = context.clock.monotonic() + limit.total_seconds()
        while any(not step.is_done for step in self._steps):
            await context.clock.sleep(_LOOK_AGAIN)
            try:
                seen = await context.look()
            except RpcError as error:
                self._is_proven = self._is_proven or isinstance(error, ShuttingDown)
                context.explain(f"waiting for supervisord: {error}")
            else:
                if self._is_proven or self._are_all_new(seen.values()):
                    self._finish(OutcomeKind.CHANGED)
                    return
            if context.clock.monotonic() >= give_up_at:
                text = f"no restart was seen in {format_duration(limit)}"
                self._finish(OutcomeKind.UNKNOWN, "deadline", text)

    async def _limit(self) -> timedelta:
        if any(step.is_taken_over for step in self._steps):
            # Whether it was sent is not known, and nothing can prove it now.
            return self._context.settings.action_margin
        configs = await self._context.configs() or {}
        longest = max((c.stopwaitsecs for c in configs.values()), default=60)
        return timedelta(seconds=longest) + _BOOT_TIME

    def _are_all_new(self, seen: Iterable[Process]) -> bool:
        pids = {process.namespec: process.pid for process in seen}
        return bool(self._before) and all(
            pids.get(name) != pid for name, pid in self._before.items()
        )

    def _finish(self, kind: OutcomeKind, code: str = "", message: str = "") -> None:
        for step in self._steps:
            step.finish(kind, self._context.clock.monotonic(), code, message)
        self._context.explain("")
        self._context.report([s.outcome for s in self._steps if s.outcome])


def _is_final(error: RpcError | StoreError) -> bool:
    """Say whether trying again cannot help: supervisord itself refused."""
    return isinstance(error, Fault) and not isinstance(error, ShuttingDown)


def _end_with(step: Step, error: RpcError | StoreError, now: float) -> None:
    if isinstance(error, RpcError):
        if _is_final(error):
            step.finish(OutcomeKind.FAILED, now, error.code, str(error))
        else:
            step.give_up(error, now)
    else:
        step.finish(OutcomeKind.FAILED, now, error.code, _say(error))


def _say(error: RpcError | StoreError) -> str:
    if isinstance(error, RpcError):
        return str(error)
    # Whoever reads the outcome may not be told what the database says.
    logger.error("cannot write down what is about to be done: %s", error)
    return UNWRITTEN


def _still_running(target: Target) -> Fault:
    return Fault(
        f"{target} was told to stop and still runs; update again when it has ended",
        host=target.host,
        fault_code=91,
        fault_text="STILL_RUNNING",
    )
