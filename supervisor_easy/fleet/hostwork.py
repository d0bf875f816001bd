"""One host's part of an operation: look, decide, write down, send, look again."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from supervisor_easy.clock import Clock
from supervisor_easy.errors import RpcError, StoreError
from supervisor_easy.fleet.state import FleetState
from supervisor_easy.fleet.steps import Command, Phase, Step
from supervisor_easy.model import (
    Action,
    Outcome,
    OutcomeKind,
    Process,
    ProcessConfig,
    Sighting,
    Target,
)
from supervisor_easy.rpc.supervisor import Supervisor
from supervisor_easy.settings import Settings

logger = logging.getLogger(__name__)

#: How fast the pause between looks grows while nothing happens.
_GROWTH = 1.5
#: Added to the moment a process can be RUNNING at the earliest, in seconds.
_JUST_AFTER = 0.02
#: A host is left alone this long if it then can be done, by the default `startsecs`.
_NO_LOOK = timedelta(seconds=1.5)


@dataclass(frozen=True, slots=True)
class WorkContext:
    """What the work on one host needs from its operation.

    `intend` makes baselines durable and is awaited before a command is sent;
    `report` takes outcomes as they come; `explain` says for people why it waits.
    """

    supervisor: Supervisor
    state: FleetState
    settings: Settings
    clock: Clock
    intend: Callable[[Mapping[Target, Sighting]], Awaitable[None]]
    report: Callable[[Sequence[Outcome]], None]
    is_cancelled: Callable[[], bool]
    explain: Callable[[str], None]

    async def look(self) -> Mapping[Target, Process]:
        """Ask the host once, tell the fleet's state, return its processes."""
        try:
            observation = await self.supervisor.observe()
        except RpcError as error:
            self.state.failed(self.supervisor.host.name, error)
            raise
        self.state.observed(observation)
        return {process.target: process for process in observation.processes}

    async def configs(self) -> Mapping[Target, ProcessConfig]:
        """Return what the host tells of its configuration; empty if it does not."""
        try:
            return {each.target: each for each in await self.supervisor.configs()}
        except RpcError as error:
            # Old and foreign supervisords do not tell; defaults serve.
            logger.debug("no config host=%s: %s", self.supervisor.host.name, error)
            return {}


class HostWork:
    """The steps of an operation on the processes of one host."""

    def __init__(
        self, context: WorkContext, steps: Sequence[Step], *, signal: str
    ) -> None:
        self._context = context
        self._steps = steps
        self._signal = signal
        self._supervisor = context.supervisor
        self._settings = context.settings
        self._clock = context.clock
        self._pause = timedelta(0)
        self._reported: set[Target] = set()
        self._intended = {step.target for step in steps if step.is_taken_over}
        self._rescue_until = (
            self._clock.monotonic() + self._settings.rescue_window.total_seconds()
        )

    async def begin(self) -> None:
        """Learn the configuration and take the first step."""
        configs = await self._context.configs()
        for step in self._steps:
            step.config = configs.get(step.target)
        await self._round()

    async def run(self) -> None:
        """Go on until every step has its outcome."""
        while any(not step.is_done for step in self._steps):
            await self._clock.sleep(self._next_pause())
            await self._round()

    async def _round(self) -> None:
        if self._context.is_cancelled():
            for step in self._steps:
                step.cancel(self._clock.monotonic())
        if any(not step.is_done for step in self._steps):
            try:
                seen = await self._context.look()
            except RpcError as error:
                self._cannot_look(error)
            else:
                self._context.explain("")
                await self._decide_and_send(seen)
        self._report()

    def _cannot_look(self, error: RpcError) -> None:
        now = self._clock.monotonic()
        for step in self._steps:
            is_hopeless = (
                now >= self._rescue_until
                if step.is_owed
                else step.phase is Phase.NEW or step.is_overdue(now)
            )
            if is_hopeless and not step.is_done:
                step.give_up(error, now)
        if any(not step.is_done for step in self._steps):
            self._context.explain(f"waiting for {self._supervisor.host.name}: {error}")

    async def _decide_and_send(self, seen: Mapping[Target, Process]) -> None:
        now = self._clock.monotonic()
        commands: dict[Command, list[Step]] = defaultdict(list)
        phases = [step.phase for step in self._steps]
        for step in self._steps:
            if not step.is_done:
                command = step.advance(seen.get(step.target), now)
                if command is not None:
                    commands[command].append(step)
        await self._write_ahead(commands)
        for command, steps in commands.items():
            await self._send(command, [step for step in steps if not step.is_done])
        if phases != [step.phase for step in self._steps]:
            self._pause = timedelta(0)
        await self._explain_failures()

    async def _write_ahead(self, commands: Mapping[Command, list[Step]]) -> None:
        """Make the baselines durable; what cannot be written down is not sent.

        A start that ends what an earlier stop began needs no new intention: it is
        sent even if the database is gone.
        """
        fresh = [
            step
            for steps in commands.values()
            for step in steps
            if step.target not in self._intended
        ]
        if not fresh:
            return
        stopping = [step for step in fresh if step.phase is Phase.STOPPING]
        for step, tail in zip(stopping, await self._tails(stopping), strict=True):
            step.log_tail = tail
        try:
            await self._context.intend({s.target: s.before for s in fresh if s.before})
        except StoreError as error:
            now = self._clock.monotonic()
            for step in fresh:
                step.finish(
                    OutcomeKind.FAILED,
                    now,
                    error.code,
                    f"nothing was done to {step.target}, for it could not be "
                    f"written down: {error}",
                )
        else:
            self._intended.update(step.target for step in fresh)

    async def _send(self, command: Command, steps: Sequence[Step]) -> None:
        size = self._settings.action_batch
        for start in range(0, len(steps), size):
            batch = steps[start : start + size]
            answers = await self._call(command, [s.target.namespec for s in batch])
            now = self._clock.monotonic()
            for step, answer in zip(batch, answers, strict=True):
                step.answered(command, answer, now)

    async def _call(
        self, command: Command, namespecs: Sequence[str]
    ) -> Sequence[RpcError | None]:
        try:
            match command:
                case Command.START:
                    return await self._supervisor.start_many(namespecs)
                case Command.STOP:
                    return await self._supervisor.stop_many(namespecs)
                case Command.SIGNAL:
                    return await self._supervisor.signal_many(namespecs, self._signal)
                case Command.CLEAR_LOGS:
                    return await self._supervisor.clear_logs_many(namespecs)
        except RpcError as error:
            logger.warning(
                "command failed host=%s command=%s: %s",
                self._supervisor.host.name,
                command,
                error,
            )
            return [error] * len(namespecs)

    async def _explain_failures(self) -> None:
        failed = [
            step
            for step in self._steps
            if step.outcome is not None
            and step.target not in self._reported
            and step.outcome.kind is OutcomeKind.FAILED
            and step.action in (Action.START, Action.RESTART)
        ]
        for step, tail in zip(failed, await self._tails(failed), strict=True):
            step.add_tail(tail)

    async def _tails(self, steps: Sequence[Step]) -> list[str]:
        """Return the end of each log; an empty text where it cannot be had."""
        if not steps:
            return []
        try:
            async with asyncio.timeout(self._settings.action_margin.total_seconds()):
                tails = await self._supervisor.tails(
                    [step.target.namespec for step in steps],
                    length=self._settings.action_tail_bytes,
                )
        except (RpcError, TimeoutError) as error:
            logger.debug("no tail host=%s: %s", self._supervisor.host.name, error)
            return [""] * len(steps)
        return [(tail or b"").decode("utf-8", "replace") for tail in tails]

    def _report(self) -> None:
        fresh = [
            step.outcome
            for step in self._steps
            if step.outcome is not None and step.target not in self._reported
        ]
        if fresh:
            self._reported.update(outcome.target for outcome in fresh)
            self._context.report(fresh)

    def _next_pause(self) -> timedelta:
        settings = self._settings
        grown = max(self._pause * _GROWTH, settings.action_poll_min)
        self._pause = min(grown, settings.action_poll_max)
        now = self._clock.monotonic()
        open_steps = [step for step in self._steps if not step.is_done]
        times = [
            step.expected_at
            for step in open_steps
            if step.expected_at is not None and step.expected_at > now
        ]
        if not times:
            return self._pause
        wait = timedelta(seconds=min(times) - now + _JUST_AFTER)
        if len(times) == len(open_steps):
            # Nothing can change before; looking would only cost the host.
            return min(wait, max(settings.action_poll_max, _NO_LOOK))
        return min(wait, self._pause)
