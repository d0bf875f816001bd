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
from datetime import timedelta
from functools import partial

from supervisor_easy.clock import Clock
from supervisor_easy.fleet.hostwork import HostWork, WorkContext
from supervisor_easy.fleet.journaling import JournalWriter
from supervisor_easy.fleet.live import LiveOperation, busy_outcome, resume
from supervisor_easy.fleet.scope import hosts_in_scope, scope_of
from supervisor_easy.fleet.state import FleetState
from supervisor_easy.fleet.steps import Step
from supervisor_easy.fleet.updates import RestartWork, UpdateWork
from supervisor_easy.fleet.watcher import Connect
from supervisor_easy.model import (
    Action,
    Actor,
    Host,
    Operation,
    OperationStatus,
    Outcome,
    OutcomeKind,
    Target,
)
from supervisor_easy.settings import Settings

logger = logging.getLogger(__name__)

#: Operations kept in memory after their end, for whoever still looks.
KEEP_FINISHED = 20
#: Pause before a host is taken up again on which a fault of ours broke the work off.
TRY_AGAIN = timedelta(seconds=5)


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
        self._opening: set[str] = set()
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
        self._opening.add(operation.id)
        try:
            opened = await self._writer.open(operation)
            if opened.is_repeat:
                return await self.operation(opened.operation.id)
            return self._begin_new(operation, opened.busy)
        finally:
            # If the caller went away while it was written, `recover` finds it as
            # ours and not alive, and ends it with nothing done.
            self._opening.discard(operation.id)

    def _begin_new(self, operation: Operation, held: Mapping[Target, str]) -> Operation:
        live = LiveOperation(operation)
        logger.info(
            "operation begins id=%s action=%s targets=%d by=%s via=%s",
            operation.id,
            operation.action,
            len(operation.targets),
            operation.actor.name,
            operation.actor.via,
        )
        busy = [busy_outcome(target, holder) for target, holder in held.items()]
        live.add(busy)
        self._begin(live, self._steps(live, set(held)), early=busy)
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

        What was begun on a host that has another address here is left to a console
        of its own inventory: we would act on another machine. After `rescue_window`
        it is ended with nothing more done, so that its targets are free again.
        """
        adopted = []
        orphans = await self._writer.orphans()
        # One that is ours and not alive was written while its caller went away, or
        # adopted just before the database failed.
        lost = [each for each in await self._writer.held() if self._is_lost(each.id)]
        foreign = {each.id for each in orphans if self._is_foreign(each)}
        self._warn_of(foreign)
        for operation in (*lost, *orphans):
            if operation.id in foreign or not self._is_lost(operation.id):
                continue
            if operation not in lost and not await self._writer.adopt(operation.id):
                continue
            logger.warning("operation taken over id=%s", operation.id)
            baseline = await self._writer.call(self._writer.journal.begun, operation.id)
            live = LiveOperation(operation)
            ours = hosts_in_scope(operation.scope, self._state.snapshot())
            steps = self._steps(live, set())
            now = self._clock.monotonic()
            resume(steps, baseline, ours=ours, now=now)
            self._begin(live, steps, is_recovery=True)
            adopted.append(operation)
        return adopted

    def _is_lost(self, operation_id: str) -> bool:
        live = self._live.get(operation_id)
        is_alive = live is not None and live.task is not None and not live.task.done()
        return not is_alive and operation_id not in self._opening

    def _is_foreign(self, operation: Operation) -> bool:
        done = {outcome.target for outcome in operation.outcomes}
        hosts = {target.host for target in operation.targets if target not in done}
        ours = hosts_in_scope(operation.scope, self._state.snapshot())
        oldest = self._clock.now() - self._settings.rescue_window
        return bool(hosts) and not hosts & ours and operation.requested_at > oldest

    def _warn_of(self, foreign: set[str]) -> None:
        for operation_id in foreign - self._foreign:
            logger.warning(
                "operation not taken over, its hosts have other addresses in this "
                "inventory id=%s; to finish it run fleet with the inventory that it "
                "was begun with",
                operation_id,
            )
        self._foreign = foreign

    async def stop(self) -> None:
        """End all tasks now; what was begun is finished by the next console."""
        alive = [live for live in self._live.values() if not self._is_lost(live.id)]
        for live in alive:
            logger.warning(
                "operation left to the next console id=%s %s",
                live.id,
                live.view().summary(),
            )
        tasks = [live.task for live in alive if live.task is not None]
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
        await asyncio.gather(
            *(self._see_through(live, host, mine) for host, mine in by_host.items())
        )
        status = OperationStatus.DONE
        if live.is_cancelled:
            status = OperationStatus.CANCELLED
        elif is_recovery:
            status = OperationStatus.INTERRUPTED
        live.end(status, self._clock)
        self._tell(live.id)
        await self._writer.close(live.id, status)
        logger.info("operation ended id=%s %s", live.id, live.view().summary())

    async def _see_through(
        self, live: LiveOperation, host: str, steps: Sequence[Step]
    ) -> None:
        while steps:
            # Gathered alone: a fault of ours comes back as a value.
            [error] = await asyncio.gather(
                self._on_host(live, host, steps), return_exceptions=True
            )
            if error is None:
                return
            logger.error("work on a host broke off id=%s", live.id, exc_info=error)
            steps = self._after_fault(live, steps, error)
            if steps:
                await self._clock.sleep(TRY_AGAIN)

    def _after_fault(
        self, live: LiveOperation, steps: Sequence[Step], error: BaseException
    ) -> list[Step]:
        """End what a fault of ours spoilt; return what is owed, to be tried again."""
        now = self._clock.monotonic()
        is_late = now >= self._rescue_until(live.view())
        owed = [step for step in steps if step.is_owed and not is_late]
        for step in steps:
            if step in owed:
                step.resume(step.before)
            else:
                text = f"the work on {step.target.host} broke off: {error!r}"
                step.finish(OutcomeKind.UNKNOWN, now, "internal", text)
        self._report(live, [step.outcome for step in steps if step.outcome])
        return owed

    async def _on_host(
        self, live: LiveOperation, host: str, steps: Sequence[Step]
    ) -> None:
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
        await work.begin()
        await work.run()

    def _work(
        self, live: LiveOperation, host: Host, steps: Sequence[Step]
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
            confirm=partial(self._writer.confirm, live.id),
            rescue_until=self._rescue_until(operation),
            slots=self._slots,
        )
        match operation.action:
            case Action.UPDATE:
                return UpdateWork(context, steps)
            case Action.RESTART_SUPERVISORD:
                return RestartWork(context, steps)
            case _:
                return HostWork(context, steps, signal=operation.signal)

    def _rescue_until(self, operation: Operation) -> float:
        """Return when its restarts are given up: counted from when it was asked for."""
        age = self._clock.now() - operation.requested_at
        left = self._settings.rescue_window - max(age, timedelta(0))
        return self._clock.monotonic() + left.total_seconds()

    def _report(self, live: LiveOperation, outcomes: Sequence[Outcome]) -> None:
        if not outcomes:
            return
        live.add(outcomes)
        self._tell(live.id)
        self._writer.record(live.id, outcomes)

    def _steps(self, live: LiveOperation, busy: set[Target]) -> list[Step]:
        now, margin = self._clock.monotonic(), self._settings.action_margin
        action = live.view().action
        return [
            Step(target, action, margin, now)
            for target in live.pending()
            if target not in busy
        ]

    def _forget_old(self) -> None:
        over = [
            key for key, live in self._live.items() if live.task and live.task.done()
        ]
        for key in over[: max(0, len(over) - KEEP_FINISHED)]:
            del self._live[key]

    def _tell(self, operation_id: str) -> None:
        for listener in tuple(self._listeners):
            listener(operation_id)
