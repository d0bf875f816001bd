"""One target's way through a bulk action: what to do next, decided without I/O.

A `Step` is shown what its host says (`advance`) and answers with the next command to
send, or with its outcome. Nothing is concluded from what a command returned: only
from what was seen afterwards. The rules and their reasons are in docs/actions.md.
"""

from dataclasses import dataclass, field, replace
from datetime import timedelta

from supervisor_easy.errors import AlreadyStarted, HostUnreachable, NotRunning, RpcError
from supervisor_easy.fleet.limits import start_limit, stop_limit
from supervisor_easy.fleet.phases import Attempt, Command, Phase
from supervisor_easy.fleet.proof import has_moved, is_final, is_replaced, may_be_done
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

#: Actions whose effect cannot be seen in a process's state.
_UNSEEN = (Action.SIGNAL, Action.CLEAR_LOGS)


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
    _since: float = 0.0
    _attempt: Attempt = field(default_factory=Attempt)
    _has_stopped: bool = False
    _came_up: bool = False
    _is_blind: bool = False
    _refusal: RpcError | None = None

    @property
    def is_done(self) -> bool:
        """The step has its outcome."""
        return self.outcome is not None

    @property
    def is_owed(self) -> bool:
        """We may have stopped it and it must come back: never give it up lightly."""
        is_ours = self.action is Action.START and self._has_stopped
        is_begun = self.phase not in (Phase.NEW, Phase.DONE)
        return is_begun and (is_ours or self.action is Action.RESTART)

    @property
    def limit(self) -> timedelta:
        """How long the phase may take by the host's own configuration."""
        if self.phase is Phase.STOPPING:
            return stop_limit(self.config, self.margin)
        if self.phase is Phase.STARTING:
            return start_limit(self.config, self.margin)
        return self.margin

    @property
    def expected_at(self) -> float | None:
        """When the next change can come at the earliest; None if at any moment."""
        sent_at = self._attempt.sent_at
        if self.phase is Phase.STARTING and sent_at is not None and self.config:
            return sent_at + self.config.startsecs
        return None

    def resume(self, before: Sighting | None) -> None:
        """Take over from a dead console, with the baseline of its journal."""
        self.phase = Phase.RESUMED
        self.before = before
        self.is_taken_over = True
        self._since = self.started_at
        # A start of what did not run and was not down began with a stop.
        self._has_stopped = before is not None and before.state in (
            ProcessState.BACKOFF,
            ProcessState.STOPPING,
        )

    def advance(self, seen: Process | None, now: float) -> Command | None:
        """Look at the process and return what to send, or None to wait or if done."""
        self.seen = seen
        if seen is None:
            text = f"{self.target} does not exist on its host (any more)"
            self._refuse(now, "unknown_process", text)
            return None
        if seen.state is ProcessState.UNKNOWN and seen.pid:
            text = f"supervisord lost hold of {self.target}, pid {seen.pid}: end it"
            self._refuse(now, "unknown_state", text)
            return None
        self.before = self.before or Sighting.of(seen)
        self._baseline = self._baseline or seen
        if self._is_blind:
            self._is_blind = False
            return self._see_again(seen, now)
        return self._go_on(seen, now)

    def _see_again(self, seen: Process, now: float) -> Command | None:
        self._since, self._attempt.sends = now, 0
        if self.phase is Phase.STARTING and seen.state is ProcessState.STOPPED:
            # The start may have got lost, or the host booted meanwhile.
            return self._go_start(now)
        return self._go_on(seen, now)

    def _go_on(self, seen: Process, now: float) -> Command | None:
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
        if self._attempt.sent_at is not None:
            # A busy host begins late; what it needs counts from its answer.
            self._attempt.sent_at = now
        self._refusal = error
        if error is not None and is_final(error):
            self._refuse(now, error.code, str(error))
        elif command in (Command.SIGNAL, Command.CLEAR_LOGS):
            if error is None:
                self.finish(OutcomeKind.CHANGED, now)
            elif may_be_done(error):
                self._lose_track(error, now)
            else:
                self._refuse(now, error.code, str(error))
        elif isinstance(error, NotRunning | AlreadyStarted):
            # Something else was quicker; the next look tells.
            self._refusal = None
        elif isinstance(error, HostUnreachable) and not error.maybe_executed:
            self._take_back(command)

    def _take_back(self, command: Command) -> None:
        # The command never left, so a step that had done nothing has still done
        # nothing and its host owes nobody a start.
        is_first = self._attempt.sends == 1 and not self.is_taken_over
        if command is Command.STOP and is_first:
            self.phase = Phase.NEW
            self._has_stopped = False

    def lose_sight(self) -> None:
        """Note that the host could not be asked."""
        self._is_blind = True

    def withdraw(self, now: float) -> None:
        """End a step whose first command was decided and not sent."""
        self.phase = Phase.NEW
        self.cancel(now)

    def give_up(self, error: RpcError, now: float) -> None:
        """End the step because its host cannot be asked."""
        if self.phase is Phase.NEW:
            self._refuse(now, error.code, str(error))
        else:
            self._lose_track(error, now)

    def _lose_track(self, error: RpcError, now: float) -> None:
        text = f"{error}; whether {self.target} did {self.action} is not known"
        self.finish(OutcomeKind.UNKNOWN, now, error.code, text)

    def is_overdue(self, now: float) -> bool:
        """The phase has outlasted its deadline, whatever the host says."""
        return now >= self._since + self.limit.total_seconds()

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
        if self.action is Action.RESTART:
            return self._take_over_restart(seen, now)
        if self.action is Action.START and self._has_stopped:
            return self._begin_start(seen, now)
        if self._is_as_wished(seen):
            self.finish(OutcomeKind.CHANGED, now)
        else:
            self._leave(seen, now)
        return None

    def _take_over_restart(self, seen: Process, now: float) -> Command | None:
        if seen.state is ProcessState.STOPPING:
            return self._go_stop(seen, now)
        if seen.state.is_down:
            return self._go_start(now)
        if self.before is None or seen.pid == 0 or seen.pid != self.before.pid:
            return self._await_start(seen, now)
        self._leave(seen, now)
        return None

    def _leave(self, seen: Process, now: float) -> None:
        if self.action not in _UNSEEN and not self.is_overdue(now):
            # What the dead console sent last may still be on its way.
            return
        text = (
            f"the console ended before the {self.action} of {self.target}; "
            f"it is {seen.state.name}; ask again if you still want it"
        )
        self._refuse(now, "interrupted", text)

    def _go_stop(self, seen: Process, now: float) -> Command | None:
        self._enter(Phase.STOPPING, now)
        if seen.state is ProcessState.STOPPING:
            return None
        return self._send(Command.STOP, now)

    def _while_stopping(self, seen: Process, now: float) -> Command | None:
        if seen.state.is_down:
            if self.action is Action.STOP:
                self.finish(OutcomeKind.CHANGED, now)
                return None
            return self._go_start(now)
        is_wanted_up = self.action is not Action.STOP
        if is_wanted_up and is_replaced(seen, self.before, baseline=self._baseline):
            return self._await_start(seen, now)
        if seen.state is ProcessState.STOPPING:
            # An owed one is waited for: nobody else would start it at its end.
            if self.is_overdue(now) and not self.is_owed:
                self._too_late(seen, now)
            return None
        if self.is_overdue(now):
            self._too_late(seen, now)
        elif self._attempt.may_repeat(now):
            return self._stop_again(seen, now)
        return None

    def _stop_again(self, seen: Process, now: float) -> Command | None:
        if self.before is not None and seen.pid not in (0, self.before.pid):
            text = f"{self.target} was started by someone else, pid {seen.pid}"
            self._refuse(now, "started_by_other", text)
            return None
        return self._send(Command.STOP, now)

    def _go_start(self, now: float) -> Command:
        self._baseline = self.seen
        self._enter(Phase.STARTING, now)
        return self._send(Command.START, now)

    def _await_start(self, seen: Process, now: float) -> Command | None:
        self._enter(Phase.STARTING, now)
        return self._while_starting(seen, now)

    def _while_starting(self, seen: Process, now: float) -> Command | None:
        # Every way into this phase saw the process down, or saw another pid.
        if seen.state is ProcessState.RUNNING:
            was_on_its_way = (
                self.action is Action.START and self._attempt.sent_at is None
            )
            kind = OutcomeKind.UNCHANGED if was_on_its_way else OutcomeKind.CHANGED
            self.finish(kind, now)
            return None
        if seen.state.is_down and self._has_moved(seen):
            self._went_down(seen, now)
            return None
        self._came_up = self._came_up or seen.pid != 0
        if self.is_overdue(now):
            self._too_late(seen, now)
            return None
        if seen.state.is_down and self._attempt.may_repeat(now):
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

    def _is_as_wished(self, seen: Process) -> bool:
        if self.action is Action.STOP:
            return seen.state.is_down
        return self.action is Action.START and seen.state is ProcessState.RUNNING

    def _has_moved(self, seen: Process) -> bool:
        base = self._baseline
        if base is None or self._attempt.sent_at is None or self._came_up:
            return True
        return has_moved(seen, since=base)

    def _enter(self, phase: Phase, now: float) -> None:
        self.phase = phase
        self._since = now
        self._attempt = Attempt()

    def _send(self, command: Command, now: float) -> Command:
        self._attempt.note(now)
        self._has_stopped = self._has_stopped or command is Command.STOP
        return command

    def _too_late(self, seen: Process, now: float) -> None:
        after = f" after {format_duration(self.limit)}"
        why = f" ({self._refusal})" if self._refusal else ""
        text = f"{self.target} is still {seen.state.name}{after}, pid {seen.pid}{why}"
        self._refuse(now, "deadline", text)

    def _refuse(self, now: float, code: str, message: str) -> None:
        self.finish(OutcomeKind.FAILED, now, code, message)

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
