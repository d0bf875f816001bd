"""Bulk actions: all hosts at once, all processes of a host at once.

An operation is written to the journal before anything is sent, each baseline before
its stop, each outcome after it was seen. Whatever dies in between, the next console
or `fleet` takes the operation over (`recover`) and finishes what was begun.
"""

import asyncio
import logging
import secrets
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from supervisor_easy.clock import Clock
from supervisor_easy.errors import TargetBusy
from supervisor_easy.fleet.hostwork import HostWork, WorkContext
from supervisor_easy.fleet.journaling import JournalWriter
from supervisor_easy.fleet.live import LiveOperation
from supervisor_easy.fleet.scope import scope_of
from supervisor_easy.fleet.state import FleetState
from supervisor_easy.fleet.steps import Step
from supervisor_easy.fleet.updates import RestartWork, UpdateWork
from supervisor_easy.fleet.watcher import Connect
from supervisor_easy.model import (
    Action,
    Actor,
    ErrorInfo,
    Host,
    Operation,
    OperationStatus,
    Outcome,
    OutcomeKind,
    Sighting,
    Target,
)
from supervisor_easy.settings import Settings

logger = logging.getLogger(__name__)

#: Operations kept in memory after their end, for whoever still looks.
KEEP_FINISHED = 200


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody wants done, with the exact targets already decided."""

    action: Action
    targets: tuple[Target, ...]
    actor: Actor
    signal: str = ""
    reason: str = ""
    idempotency_key: str | None = None


class Actions:
    """Runs operations on the engine's loop; `operation` may be asked anywhere."""

    def __init__(
        self,
        state: FleetState,
        connect: Connect,
        *,
        writer: JournalWriter,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._state = state
        self._connect = connect
        self._writer = writer
        self._settings = settings
        self._clock = clock
        self._live: dict[str, LiveOperation] = {}
        self._foreign: set[str] = set()
        self._listeners: list[Callable[[str], None]] = []
        self._slots = asyncio.Semaphore(settings.action_concurrency)

    def subscribe(self, listener: Callable[[str], None]) -> Callable[[], None]:
        """Call `listener(operation_id)` on the loop at each step forward."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def submit(self, request: Request) -> Operation:
        """Write the operation down and begin it; return at once.

        Targets that another operation holds get the outcome `busy` and are left
        alone. A repeated idempotency key returns the operation it made first.

        Raises:
            StoreError: nothing could be written down, so nothing was done.
        """
        operation = Operation(
            id=secrets.token_hex(8),
            action=request.action,
            targets=request.targets,
            actor=request.actor,
            requested_at=self._clock.now(),
            signal=request.signal,
            reason=request.reason,
            idempotency_key=request.idempotency_key,
            scope=scope_of(request.targets, self._state.snapshot()),
        )
        opened = await self._writer.open(operation)
        if opened.is_repeat:
            return await self.operation(opened.operation.id)
        live = LiveOperation(operation)
        logger.info(
            "operation begins id=%s action=%s targets=%d by=%s via=%s",
            operation.id,
            operation.action,
            len(operation.targets),
            operation.actor.name,
            operation.actor.via,
        )
        busy = [_busy(target, holder) for target, holder in opened.busy.items()]
        live.add(busy)
        self._begin(live, self._new_steps(operation, set(opened.busy)), early=busy)
        return live.view()

    async def operation(self, operation_id: str) -> Operation:
        """Return an operation, live or from the journal.

        Raises:
            NotFound: there is none of this id.
        """
        live = self._live.get(operation_id)
        if live is not None:
            return live.view()
        return await self._writer.call(self._writer.journal.get, operation_id)

    def live(self, operation_id: str) -> Operation | None:
        """Return an operation of this console's memory; safe from any thread."""
        live = self._live.get(operation_id)
        return live.view() if live else None

    def waiting(self, operation_id: str) -> Mapping[str, str]:
        """Return, by host, why an operation waits; safe from any thread."""
        live = self._live.get(operation_id)
        return live.waiting() if live else {}

    async def wait(self, operation_id: str) -> Operation:
        """Wait for an operation's end and return it."""
        live = self._live.get(operation_id)
        if live is not None and live.task is not None:
            await asyncio.shield(live.task)
        return await self.operation(operation_id)

    def cancel(self, operation_id: str) -> bool:
        """Send nothing more for targets not begun; begun ones go on to their end."""
        live = self._live.get(operation_id)
        if live is None or live.view().status is not OperationStatus.RUNNING:
            return False
        logger.info("operation cancelled id=%s", operation_id)
        live.is_cancelled = True
        return True

    async def recover(self) -> list[Operation]:
        """Take over the operations of consoles that died, and go on with them.

        One whose hosts have other addresses here is left to a console of its own
        inventory: we would act on other machines. After `rescue_window` it is ended
        with nothing more done, so that its targets are free again.
        """
        adopted = []
        for operation in self._without_foreign(await self._writer.orphans()):
            if operation.id in self._live and not self._is_over(operation.id):
                continue
            if not await self._writer.adopt(operation.id):
                continue
            logger.warning("operation taken over id=%s", operation.id)
            baseline = await self._writer.call(self._writer.journal.begun, operation.id)
            live = LiveOperation(operation)
            steps = self._resumed_steps(live, baseline)
            if operation.id in self._foreign:
                self._abandon(steps)
            self._begin(live, steps, is_recovery=True)
            adopted.append(operation)
        return adopted

    def _abandon(self, steps: Sequence[Step]) -> None:
        for step in steps:
            step.finish(
                OutcomeKind.UNKNOWN,
                self._clock.monotonic(),
                "abandoned",
                f"its console died, and {step.target.host} has another address now; "
                f"look whether {step.target} runs",
            )

    def _without_foreign(self, orphans: Sequence[Operation]) -> list[Operation]:
        snapshot = self._state.snapshot()
        foreign = {o.id for o in orphans if o.scope != scope_of(o.targets, snapshot)}
        for operation_id in foreign - self._foreign:
            logger.warning(
                "operation not taken over, its hosts have other addresses in this "
                "inventory id=%s; to finish it run fleet with the inventory that it "
                "was begun with",
                operation_id,
            )
        self._foreign = foreign
        oldest = self._clock.now() - self._settings.rescue_window
        return [o for o in orphans if o.id not in foreign or o.requested_at < oldest]

    async def stop(self) -> None:
        """End all tasks now; what was begun is finished by the next console."""
        tasks = [live.task for live in self._live.values() if live.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- running one

    def _begin(
        self,
        live: LiveOperation,
        steps: list[Step],
        *,
        early: Sequence[Outcome] = (),
        is_recovery: bool = False,
    ) -> None:
        self._live.pop(live.id, None)
        self._live[live.id] = live
        self._forget_old()
        live.task = asyncio.create_task(
            self._run(live, steps, early=early, is_recovery=is_recovery),
            name=f"operation {live.id}",
        )
        self._tell(live.id)

    async def _run(
        self,
        live: LiveOperation,
        steps: list[Step],
        *,
        early: Sequence[Outcome],
        is_recovery: bool,
    ) -> None:
        self._report(live, [*early, *(s.outcome for s in steps if s.outcome)])
        by_host: dict[str, list[Step]] = defaultdict(list)
        for step in steps:
            if not step.is_done:
                by_host[step.target.host].append(step)
        ended = await asyncio.gather(
            *(self._on_host(live, host, mine) for host, mine in by_host.items()),
            return_exceptions=True,
        )
        for error, mine in zip(ended, by_host.values(), strict=True):
            if error is not None:
                self._broke_off(live, mine, error)
        status = OperationStatus.DONE
        if live.is_cancelled:
            status = OperationStatus.CANCELLED
        elif is_recovery:
            status = OperationStatus.INTERRUPTED
        await self._writer.close(live.id, status)
        live.end(status, self._clock)
        logger.info("operation ended id=%s %s", live.id, live.view().summary())
        self._tell(live.id)

    def _broke_off(
        self, live: LiveOperation, steps: Sequence[Step], error: BaseException
    ) -> None:
        logger.error("work on a host broke off id=%s", live.id, exc_info=error)
        now = self._clock.monotonic()
        for step in steps:
            text = f"the work on {step.target.host} broke off: {error!r}"
            step.finish(OutcomeKind.UNKNOWN, now, "internal", text)
        self._report(live, [step.outcome for step in steps if step.outcome])

    async def _on_host(self, live: LiveOperation, host: str, steps: list[Step]) -> None:
        status = self._state.status(host)
        if status is None:
            now = self._clock.monotonic()
            for step in steps:
                step.finish(
                    OutcomeKind.FAILED,
                    now,
                    "unknown_host",
                    f"{host} is not in the inventory (any more)",
                )
            self._report(live, [s.outcome for s in steps if s.outcome])
            return
        work = self._work(live, status.host, steps)
        async with self._slots:
            await work.begin()
        # From here on it mostly waits, so it holds no slot.
        await work.run()

    def _work(
        self, live: LiveOperation, host: Host, steps: list[Step]
    ) -> HostWork | UpdateWork | RestartWork:
        operation = live.view()
        context = WorkContext(
            supervisor=self._connect(host),
            state=self._state,
            settings=self._settings,
            clock=self._clock,
            intend=partial(self._writer.intend, live.id),
            report=partial(self._report, live),
            is_cancelled=lambda: live.is_cancelled,
            explain=partial(live.explain, host.name),
        )
        match operation.action:
            case Action.UPDATE:
                return UpdateWork(context, steps)
            case Action.RESTART_SUPERVISORD:
                return RestartWork(context, steps)
            case _:
                return HostWork(context, steps, signal=operation.signal)

    def _report(self, live: LiveOperation, outcomes: Sequence[Outcome]) -> None:
        if not outcomes:
            return
        live.add(outcomes)
        self._tell(live.id)
        self._writer.record(live.id, outcomes)

    # -- steps

    def _new_steps(self, operation: Operation, busy: set[Target]) -> list[Step]:
        now = self._clock.monotonic()
        return [
            Step(target, operation.action, self._settings.action_margin, now)
            for target in operation.targets
            if target not in busy
        ]

    def _resumed_steps(
        self, live: LiveOperation, baseline: Mapping[Target, Sighting]
    ) -> list[Step]:
        now = self._clock.monotonic()
        operation = live.view()
        steps = []
        for target in live.pending():
            step = Step(target, operation.action, self._settings.action_margin, now)
            if target in baseline:
                step.resume(baseline[target])
            else:
                step.finish(
                    OutcomeKind.FAILED,
                    now,
                    "interrupted",
                    f"the console ended before it began with {target}; "
                    "nothing was done; ask again if you still want it",
                )
            steps.append(step)
        return steps

    # -- the rest

    def _is_over(self, operation_id: str) -> bool:
        task = self._live[operation_id].task
        return task is None or task.done()

    def _forget_old(self) -> None:
        over = [
            key for key, live in self._live.items() if live.task and live.task.done()
        ]
        for key in over[: max(0, len(over) - KEEP_FINISHED)]:
            del self._live[key]

    def _tell(self, operation_id: str) -> None:
        for listener in tuple(self._listeners):
            listener(operation_id)


def _busy(target: Target, holder: str) -> Outcome:
    return Outcome(
        target,
        OutcomeKind.FAILED,
        error=ErrorInfo(
            TargetBusy.code,
            f"{target} is in the hands of operation {holder}; wait for its end",
        ),
    )
