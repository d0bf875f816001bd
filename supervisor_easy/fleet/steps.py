"""One target's way through a bulk action: what to do next, decided without I/O.

A `Step` is shown what its host says (`advance`) and answers with the next command to
send, or with its outcome. Nothing is concluded from what a command returned: only
from what was seen afterwards. The rules and their reasons are in docs/actions.md.
"""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum

from supervisor_easy.errors import (
    AlreadyStarted,
    HostUnreachable,
    NotRunning,
    RpcError,
    SpawnFailed,
    UnknownProcess,
)
from supervisor_easy.fleet.limits import start_limit, stop_limit
from supervisor_easy.model import (
    Action,
    ErrorInfo,
    Outcome,
    OutcomeKind,
    Process,
    ProcessConfig,
    ProcessState,
    Sighting,
    Target,
)
from supervisor_easy.units import format_duration

#: How often a command that was taken and showed no effect is sent again.
MAX_SENDS = 3
#: How long a taken command may show no effect before it is sent again.
RESEND_AFTER = timedelta(seconds=2)

_COMING_UP = (ProcessState.STARTING, ProcessState.RUNNING)


class Command(StrEnum):
    """What can be sent to a host for one process."""

    START = "start"
    STOP = "stop"
    SIGNAL = "signal"
    CLEAR_LOGS = "clear_logs"


class Phase(StrEnum):
    """Where a step stands."""

    NEW = "new"  # nothing was sent
    RESUMED = "resumed"  # taken over from a dead console; something may have been sent
    STOPPING = "stopping"
    STARTING = "starting"
    DONE = "done"


@dataclass(slots=True)
class Step:
    """One target in one operation.

    Times are monotonic seconds of the console. `before` is the baseline: for a
    restart only another pid than its pid is proof.
    """

    target: Target
    action: Action
    margin: timedelta
    started_at: float
    config: ProcessConfig | None = None
    phase: Phase = Phase.NEW
    before: Sighting | None = None
    seen: Process | None = None
    outcome: Outcome | None = None
    log_tail: str = ""
    is_taken_over: bool = False
    _baseline: Process | None = None
    _deadline: float = field(default=float("inf"))
    _sent_at: float | None = None
    _sends: int = 0
    _came_up: bool = False
    _refusal: RpcError | None = None

    @property
    def is_done(self) -> bool:
        """The step has its outcome."""
        return self.outcome is not None

    @property
    def is_owed(self) -> bool:
        """We may have stopped it and it must come back: never give it up lightly."""
        return (
            not self.is_done
            and self.action is Action.RESTART
            and self.phase is not Phase.NEW
        )

    @property
    def expected_at(self) -> float | None:
        """When the next change can come at the earliest; None if at any moment."""
        if self.phase is Phase.STARTING and self._sent_at is not None and self.config:
            return self._sent_at + self.config.startsecs
        return None

    def resume(self, before: Sighting | None) -> None:
        """Take over from a dead console, with the baseline of its journal."""
        self.phase = Phase.RESUMED
        self.before = before
        self.is_taken_over = True

    def advance(self, seen: Process | None, now: float) -> Command | None:
        """Look at the process and return what to send, or None to wait or if done."""
        self.seen = seen
        if seen is None:
            text = f"{self.target} does not exist on its host (any more)"
            self._refuse(now, "unknown_process", text)
            return None
        if self.before is None:
            self.before = Sighting.of(seen)
        if self._baseline is None:
            self._baseline = seen
        match self.phase:
            case Phase.NEW:
                return self._begin(seen, now)
            case Phase.RESUMED:
                return self._take_over(seen, now)
            case Phase.STOPPING:
                return self._while_stopping(seen, now)
            case Phase.STARTING:
                return self._while_starting(seen, now)
            case Phase.DONE:
                return None

    def answered(self, command: Command, error: RpcError | None, now: float) -> None:
        """Take the host's answer to a command that was sent."""
        if self._sent_at is not None:
            # A busy host begins late; what it needs counts from its answer.
            self._sent_at = now
        self._refusal = error
        if error is not None and _is_final(error):
            self._fail(now, error)
        elif command in (Command.SIGNAL, Command.CLEAR_LOGS):
            if error is None:
                self.finish(OutcomeKind.CHANGED, now)
            else:
                self._fail(now, error)
        elif isinstance(error, NotRunning | AlreadyStarted):
            # Something else was quicker; the next look tells.
            self._refusal = None
        elif isinstance(error, HostUnreachable) and not error.maybe_executed:
            self._take_back(command)

    def _take_back(self, command: Command) -> None:
        # The command never left, so a step that had done nothing has still done
        # nothing and its host owes nobody a start.
        if command is Command.STOP and self._sends == 1 and not self.is_taken_over:
            self.phase = Phase.NEW

    def give_up(self, error: RpcError, now: float) -> None:
        """End the step because its host cannot be asked."""
        if self.phase is Phase.NEW:
            self._fail(now, error)
        else:
            self.finish(
                OutcomeKind.UNKNOWN,
                now,
                error.code,
                f"{error}; whether {self.target} did {self.action} is not known",
            )

    def is_overdue(self, now: float) -> bool:
        """The phase has outlasted its deadline, whatever the host says."""
        return now >= self._deadline

    def cancel(self, now: float) -> None:
        """End the step if nothing was sent yet; otherwise it goes on to its end."""
        if self.phase is Phase.NEW and not self.is_done:
            text = "cancelled before its turn"
            self.finish(OutcomeKind.SKIPPED, now, "cancelled", text)

    def add_tail(self, tail: str) -> None:
        """Put the end of the log into the outcome, for a start that failed."""
        if self.outcome is not None:
            self.outcome = replace(self.outcome, log_tail=tail)

    def _begin(self, seen: Process, now: float) -> Command | None:
        match self.action:
            case Action.SIGNAL | Action.CLEAR_LOGS:
                return self._begin_on_running(seen, now)
            case Action.START:
                return self._begin_start(seen, now)
            case Action.STOP | Action.RESTART if not seen.state.is_down:
                return self._go_stop(seen, now)
            case Action.RESTART:
                return self._go_start(now)
            case Action.STOP:
                self.finish(OutcomeKind.UNCHANGED, now)
                return None
            case Action.UPDATE | Action.RESTART_SUPERVISORD:
                raise AssertionError("not an action on one process")

    def _begin_on_running(self, seen: Process, now: float) -> Command | None:
        is_signal = self.action is Action.SIGNAL
        if seen.pid:
            return Command.SIGNAL if is_signal else Command.CLEAR_LOGS
        if is_signal:
            text = f"{self.target} is {seen.state.name}, there is nothing to signal"
            self._refuse(now, "not_running", text)
        else:
            # Supervisord answers True and clears nothing (its issue 804).
            text = f"{self.target} is down: supervisord clears only logs in use"
            self.finish(OutcomeKind.SKIPPED, now, "not_running", text)
        return None

    def _begin_start(self, seen: Process, now: float) -> Command | None:
        if seen.state is ProcessState.RUNNING:
            self.finish(OutcomeKind.UNCHANGED, now)
            return None
        if seen.state is ProcessState.STARTING:
            return self._await_start(seen, now)
        if seen.state.is_down:
            return self._go_start(now)
        # In BACKOFF supervisord refuses a start; stopping first ends its waiting.
        return self._go_stop(seen, now)

    def _take_over(self, seen: Process, now: float) -> Command | None:
        is_untouched = self.before is not None and (
            seen.pid != 0 and seen.pid == self.before.pid
        )
        if self.action is Action.RESTART:
            if seen.state is ProcessState.STOPPING:
                return self._go_stop(seen, now)
            if seen.state.is_down:
                return self._go_start(now)
            if not is_untouched:
                return self._await_start(seen, now)
        elif self._is_as_wished(seen):
            self.finish(OutcomeKind.CHANGED, now)
            return None
        text = (
            f"the console ended before the {self.action} of {self.target}; "
            f"it is {seen.state.name}; ask again if you still want it"
        )
        self._refuse(now, "interrupted", text)
        return None

    def _go_stop(self, seen: Process, now: float) -> Command | None:
        self._enter(Phase.STOPPING, now, stop_limit(self.config, self.margin))
        if seen.state is ProcessState.STOPPING:
            return None
        return self._send(Command.STOP, now)

    def _while_stopping(self, seen: Process, now: float) -> Command | None:
        if seen.state.is_down:
            if self.action is Action.STOP:
                self.finish(OutcomeKind.CHANGED, now)
                return None
            return self._go_start(now)
        if self.action is not Action.STOP and self._is_replaced(seen):
            return self._await_start(seen, now)
        if now >= self._deadline:
            self._too_late(seen, now, stop_limit(self.config, self.margin))
            return None
        if seen.state is not ProcessState.STOPPING and self._may_resend(now):
            return self._send(Command.STOP, now)
        return None

    def _go_start(self, now: float) -> Command:
        self._baseline = self.seen
        self._enter(Phase.STARTING, now, start_limit(self.config, self.margin))
        return self._send(Command.START, now)

    def _await_start(self, seen: Process, now: float) -> Command | None:
        self._enter(Phase.STARTING, now, start_limit(self.config, self.margin))
        return self._while_starting(seen, now)

    def _while_starting(self, seen: Process, now: float) -> Command | None:
        # Every way into this phase saw the process down, or saw another pid.
        if seen.state is ProcessState.RUNNING:
            was_on_its_way = self.action is Action.START and self._sent_at is None
            kind = OutcomeKind.UNCHANGED if was_on_its_way else OutcomeKind.CHANGED
            self.finish(kind, now)
            return None
        if seen.state.is_down and self._has_moved(seen):
            self._went_down(seen, now)
            return None
        self._came_up = self._came_up or seen.pid != 0
        if now >= self._deadline:
            self._too_late(seen, now, start_limit(self.config, self.margin))
            return None
        if seen.state.is_down and self._may_resend(now):
            return self._send(Command.START, now)
        return None

    def _went_down(self, seen: Process, now: float) -> None:
        good = self.config.exitcodes if self.config else (0,)
        if seen.state is ProcessState.EXITED and seen.exit_status in good:
            # A program that does its work and ends; it lived for startsecs.
            self.finish(OutcomeKind.CHANGED, now)
            return
        if seen.state is ProcessState.STOPPED:
            # Whoever stopped it just now wants it stopped.
            text = f"{self.target} was stopped by someone else while it started"
            self._refuse(now, "stopped_by_other", text)
            return
        why = seen.spawn_error or f"it exited with status {seen.exit_status}"
        self._refuse(now, "spawn_failed", f"{self.target} did not stay up: {why}")

    def _has_new_pid(self, seen: Process) -> bool:
        if self.before is None or self.before.pid == 0 or seen.pid != self.before.pid:
            return True
        # The same pid can be given out twice; then both times must have moved on.
        base = self._baseline
        return (
            base is not None
            and seen.host_stop > base.host_stop
            and seen.host_start >= seen.host_stop
        )

    def _is_as_wished(self, seen: Process) -> bool:
        if self.action is Action.STOP:
            return seen.state.is_down
        return self.action is Action.START and seen.state is ProcessState.RUNNING

    def _is_replaced(self, seen: Process) -> bool:
        return seen.state in _COMING_UP and self._has_new_pid(seen)

    def _has_moved(self, seen: Process) -> bool:
        """Tell this end from the one that stood there before our start."""
        base = self._baseline
        if base is None or self._sent_at is None or self._came_up:
            return True
        return (
            seen.state is not base.state
            or seen.host_start != base.host_start
            or seen.host_stop != base.host_stop
            or seen.spawn_error != base.spawn_error
        )

    def _enter(self, phase: Phase, now: float, limit: timedelta) -> None:
        self.phase = phase
        self._deadline = now + limit.total_seconds()
        self._sent_at = None
        self._sends = 0

    def _send(self, command: Command, now: float) -> Command:
        self._sent_at = now
        self._sends += 1
        return command

    def _may_resend(self, now: float) -> bool:
        if self._sent_at is None:
            return True
        return (
            self._sends < MAX_SENDS
            and now - self._sent_at >= RESEND_AFTER.total_seconds()
        )

    def _too_late(self, seen: Process, now: float, limit: timedelta) -> None:
        after = f" after {format_duration(limit)}"
        why = f" ({self._refusal})" if self._refusal else ""
        text = f"{self.target} is still {seen.state.name}{after}, pid {seen.pid}{why}"
        self._refuse(now, "deadline", text)

    def _refuse(self, now: float, code: str, message: str) -> None:
        self.finish(OutcomeKind.FAILED, now, code, message)

    def _fail(self, now: float, error: RpcError) -> None:
        self.finish(OutcomeKind.FAILED, now, error.code, str(error))

    def finish(
        self, kind: OutcomeKind, now: float, code: str = "", message: str = ""
    ) -> None:
        """End the step with an outcome; the first one stands."""
        if self.outcome is not None:
            return
        self.phase = Phase.DONE
        self.outcome = Outcome(
            self.target,
            kind,
            error=ErrorInfo(code, message) if code else None,
            before=self.before,
            after=Sighting.of(self.seen) if self.seen else None,
            duration=timedelta(seconds=max(0.0, now - self.started_at)),
            log_tail=self.log_tail,
        )


def _is_final(error: RpcError) -> bool:
    # Faults 20 and 21 come before anything is spawned; 50 (SPAWN_ERROR) is not the
    # last word, since supervisord goes on trying in BACKOFF.
    is_missing = isinstance(error, SpawnFailed) and error.fault_code in (20, 21)
    return is_missing or isinstance(error, UnknownProcess)
