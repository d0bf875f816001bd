"""Configuration updates and supervisord's own restart, as parts of an operation.

An update of a process group is stop, remove, add; each part is found again by asking
supervisord what differs, so a group that a dead console left half done is finished
by simply doing it once more.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from supervisor_easy.errors import (
    Fault,
    HostUnreachable,
    RpcError,
    ShuttingDown,
    StoreError,
)
from supervisor_easy.fleet.hostwork import WorkContext
from supervisor_easy.fleet.steps import Phase, Step
from supervisor_easy.model import OutcomeKind, Process, ProcessState, Sighting
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

    async def begin(self) -> None:
        """Ask what differs; a host that cannot say fails all its groups."""
        try:
            self._diff = await self._context.supervisor.reload_config()
        except RpcError as error:
            _fail_all(self._context, self._steps, error)

    async def run(self) -> None:
        """Update all groups at once, each by its own steps."""
        await asyncio.gather(
            *(self._update(step) for step in self._steps if not step.is_done)
        )

    async def _update(self, step: Step) -> None:
        context = self._context
        now = context.clock.monotonic
        give_up_at = now() + context.settings.rescue_window.total_seconds()
        while not step.is_done:
            try:
                if context.is_cancelled() and step.phase is Phase.NEW:
                    step.cancel(now())
                else:
                    await self._apply(step)
            except (HostUnreachable, ShuttingDown) as error:
                # Once begun, the group may be stopped or removed: it must come back.
                if step.phase is Phase.NEW or now() >= give_up_at:
                    step.give_up(error, now())
                else:
                    context.explain(f"waiting for {step.target.host}: {error}")
                    await context.clock.sleep(_TRY_AGAIN)
                    self._diff = None
            except (RpcError, StoreError) as error:
                step.finish(OutcomeKind.FAILED, now(), error.code, str(error))
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
            if self._context.clock.monotonic() >= give_up_at:
                raise Fault(
                    f"{step.target} still runs after {format_duration(limit)}; it was "
                    "told to stop; update again when it has ended",
                    host=step.target.host,
                    fault_code=91,
                    fault_text="STILL_RUNNING",
                )
            await self._context.clock.sleep(_LOOK_AGAIN)
        await self._context.supervisor.remove_group(group)

    async def _is_up(self, group: str) -> bool:
        seen = await self._context.look()
        return any(
            process.group == group and not process.state.is_down
            for process in seen.values()
        )

    async def _stop_time(self, group: str) -> timedelta:
        configs = await self._context.configs()
        longest = max(
            (c.stopwaitsecs for c in configs.values() if c.group == group), default=60
        )
        return timedelta(seconds=longest) + self._context.settings.action_margin


class RestartWork:
    """Supervisord's own restart on one host.

    Its pid stays the same, so the proof is that it refused to answer for a while,
    or that every process that ran has another pid.
    """

    def __init__(self, context: WorkContext, steps: Sequence[Step]) -> None:
        self._context = context
        self._steps = steps
        self._before: dict[str, int] = {}

    async def begin(self) -> None:
        """Note what runs, write the intention down, and ask for the restart."""
        try:
            seen = await self._context.look()
            self._before = {p.namespec: p.pid for p in seen.values() if p.pid}
            if not any(step.is_taken_over for step in self._steps):
                await self._context.intend({s.target: _BEGUN for s in self._steps})
                await self._context.supervisor.restart()
        except (RpcError, StoreError) as error:
            _fail_all(self._context, self._steps, error)

    async def run(self) -> None:
        """Wait until it is back, or too late."""
        context = self._context
        configs = await context.configs() if self._before else {}
        longest = max((c.stopwaitsecs for c in configs.values()), default=60)
        limit = timedelta(seconds=longest) + _BOOT_TIME
        give_up_at = context.clock.monotonic() + limit.total_seconds()
        was_away = any(step.is_taken_over for step in self._steps)
        while any(not step.is_done for step in self._steps):
            await context.clock.sleep(_LOOK_AGAIN)
            now = context.clock.monotonic()
            try:
                seen = await context.look()
            except RpcError as error:
                was_away = True
                context.explain(f"waiting for supervisord: {error}")
            else:
                pids = {p.namespec: p.pid for p in seen.values()}
                if was_away or self._are_all_new(pids):
                    self._finish(OutcomeKind.CHANGED, "", "")
                    return
            if now >= give_up_at:
                text = f"supervisord is not back after {format_duration(limit)}"
                self._finish(OutcomeKind.UNKNOWN, "deadline", text)

    def _are_all_new(self, pids: dict[str, int]) -> bool:
        return bool(self._before) and all(
            pids.get(name) != pid for name, pid in self._before.items()
        )

    def _finish(self, kind: OutcomeKind, code: str, message: str) -> None:
        for step in self._steps:
            step.finish(kind, self._context.clock.monotonic(), code, message)
        self._context.explain("")
        self._context.report([s.outcome for s in self._steps if s.outcome])


def _fail_all(
    context: WorkContext, steps: Sequence[Step], error: RpcError | StoreError
) -> None:
    now = context.clock.monotonic()
    for step in steps:
        step.finish(OutcomeKind.FAILED, now, error.code, str(error))
    context.report([step.outcome for step in steps if step.outcome])
