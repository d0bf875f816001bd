"""One host's part of an operation: look, decide, write down, send, look again."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from supervisor_easy.clock import Clock
from supervisor_easy.errors import RpcError, StoreError, UnknownMethod
from supervisor_easy.fleet.phases import Command, Phase
from supervisor_easy.fleet.state import FleetState
from supervisor_easy.fleet.steps import Step
from supervisor_easy.model import (
    Action,
    Outcome,
    OutcomeKind,
    Process,
    ProcessConfig,
    Sighting,
    Stream,
    Target,
)
from supervisor_easy.rpc.supervisor import Supervisor
from supervisor_easy.settings import Settings

logger = logging.getLogger(__name__)

#: Why an operation ends where the journal cannot be written.
UNWRITTEN = "it could not be written down; the console's log says why"
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
    `confirm` tells whether the operation is still ours, and is awaited before each
    batch of commands; `report` takes outcomes as they come; `explain` says for
    people why it waits. `rescue_until` is when a restart that waits for its host is
    given up, in monotonic seconds. `slots` bounds how many hosts are sent commands
    at once; none is held while a host is only asked, for it may not answer.
    """

    supervisor: Supervisor
    state: FleetState
    settings: Settings
    clock: Clock
    intend: Callable[[Mapping[Target, Sighting]], Awaitable[None]]
    report: Callable[[Sequence[Outcome]], None]
    is_cancelled: Callable[[], bool]
    explain: Callable[[str], None]
    confirm: Callable[[], Awaitable[bool]]
    rescue_until: float
    slots: asyncio.Semaphore

    async def look(self) -> Mapping[Target, Process]:
        """Ask the host once, tell the fleet's state, return its processes."""
        try:
            observation = await self.supervisor.observe()
        except RpcError as error:
            self.state.failed(self.supervisor.host.name, error)
            raise
        self.state.observed(observation)
        return {process.target: process for process in observation.processes}

    async def configs(self) -> Mapping[Target, ProcessConfig] | None:
        """Return what the host tells of its configuration; None to ask again later.

        Old and foreign supervisords do not tell; defaults serve for them.
        """
        try:
            return {each.target: each for each in await self.supervisor.configs()}
        except UnknownMethod:
            return {}
        except RpcError as error:
            logger.debug("no config host=%s: %s", self.supervisor.host.name, error)
            return None


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
        self._has_configs = False
        self._is_blind = False

    async def begin(self) -> None:
        """Learn the configuration and take the first step."""
        await self._round()

    async def run(self) -> None:
        """Go on until every step has its outcome."""
        while any(not step.is_done for step in self._steps):
            await self._clock.sleep(self._next_pause())
            await self._round()

    async def _round(self) -> None:
        self._heed_cancel()
        if any(not step.is_done for step in self._steps):
            try:
                seen = await self._see()
            except RpcError as error:
                self._cannot_look(error)
            else:
                self._is_blind = False
                self._context.explain("")
                await self._decide_and_send(seen)
        self._report()

    async def _see(self) -> Mapping[Target, Process]:
        if self._has_configs:
            return await self._context.look()
        # Both at once: the configuration is wanted before the first decision.
        asking = asyncio.ensure_future(self._context.configs())
        try:
            seen = await self._context.look()
            configs = await asking
        finally:
            asking.cancel()
        if configs is not None:
            self._has_configs = True
            for step in self._steps:
                step.config = configs.get(step.target)
        return seen

    def _heed_cancel(self) -> None:
        if self._context.is_cancelled():
            for step in self._steps:
                step.cancel(self._clock.monotonic())

    def _cannot_look(self, error: RpcError) -> None:
        now = self._clock.monotonic()
        self._is_blind = True
        for step in self._steps:
            step.lose_sight()
            is_hopeless = (
                now >= self._context.rescue_until
                if step.is_owed
                else step.phase is Phase.NEW or step.is_overdue(now)
            )
            if is_hopeless and not step.is_done:
                step.give_up(error, now)
        if any(not step.is_done for step in self._steps):
            self._context.explain(f"waiting for {self._supervisor.host.name}: {error}")

    async def _decide_and_send(self, seen: Mapping[Target, Process]) -> None:
        self._heed_cancel()
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
            async with self._context.slots:
                await self._send(command, [s for s in steps if not s.is_done])
        if phases != [step.phase for step in self._steps]:
            self._pause = timedelta(0)
        self._give_up_what_outlasts_rescue()
        await self._explain_failures()

    def _give_up_what_outlasts_rescue(self) -> None:
        now = self._clock.monotonic()
        late = [s for s in self._steps if s.is_owed and s.is_overdue(now)]
        for step in late:
            text = f"{step.target} has not stopped yet; it is started when it has"
            if now >= self._context.rescue_until:
                step.finish(OutcomeKind.FAILED, now, "deadline", text)
            else:
                self._context.explain(text)

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
            # Whoever reads the outcome may not be told what the database says.
            logger.error("cannot write down what is about to be done: %s", error)  # noqa: TRY400
            now = self._clock.monotonic()
            for step in fresh:
                text = f"nothing was done to {step.target}: {UNWRITTEN}"
                step.finish(OutcomeKind.FAILED, now, error.code, text)
        else:
            self._intended.update(step.target for step in fresh)
            if self._context.is_cancelled():
                for step in fresh:
                    step.withdraw(self._clock.monotonic())

    async def _send(self, command: Command, steps: Sequence[Step]) -> None:
        size = self._settings.action_batch
        for start in range(0, len(steps), size):
            batch = steps[start : start + size]
            if not await self._context.confirm():
                self._let_go()
                return
            answers = await self._call(command, [s.target.namespec for s in batch])
            now = self._clock.monotonic()
            for step, answer in zip(batch, answers, strict=True):
                step.answered(command, answer, now)

    def _let_go(self) -> None:
        """End all steps here: another console has the operation and goes on."""
        for step in self._steps:
            text = f"another console took {step.target} over; it goes on there"
            now = self._clock.monotonic()
            step.finish(OutcomeKind.UNKNOWN, now, "taken_over", text)

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
            # What went wrong is mostly on stderr, if that is a log of its own.
            error = await self._error_tail(step)
            step.add_tail("\n".join(each for each in (tail.rstrip(), error) if each))

    async def _error_tail(self, step: Step) -> str:
        if step.seen is None or not step.seen.stderr_logfile:
            return ""
        length = self._settings.action_tail_bytes
        try:
            async with asyncio.timeout(self._settings.action_margin.total_seconds()):
                tail = await self._supervisor.tail_log(
                    step.target.namespec, Stream.STDERR, offset=0, length=length
                )
        except (RpcError, TimeoutError) as error:
            logger.debug("no stderr target=%s: %s", step.target, error)
            return ""
        return tail.data.decode("utf-8", "replace").rstrip()

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
        # A host that is away is not asked more often than the watcher asks it.
        longest = settings.poll_interval if self._is_blind else settings.action_poll_max
        self._pause = min(grown, longest)
        if self._is_blind:
            return self._pause
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
