"""The rules of one target's way through an action, without a host."""

from dataclasses import replace
from datetime import timedelta

import pytest

from supervisor_easy.errors import Fault, HostUnreachable, NotRunning, SpawnFailed
from supervisor_easy.fleet.phases import Command, Phase
from supervisor_easy.fleet.steps import Step
from supervisor_easy.model import (
    Action,
    OutcomeKind,
    Process,
    ProcessState,
    Sighting,
)
from tests.builders import a_config, a_process, a_target

RUNNING = a_process(pid=12)
NEXT = replace(RUNNING, pid=34)
STOPPING = replace(RUNNING, state=ProcessState.STOPPING)
STARTING = replace(NEXT, state=ProcessState.STARTING)
STOPPED = replace(
    RUNNING, state=ProcessState.STOPPED, pid=0, host_stop=RUNNING.host_now
)


def a_step(action: Action, **config: object) -> Step:
    step = Step(a_target(), action, timedelta(seconds=5), started_at=0.0)
    step.config = a_config(**config)
    return step


def walk(step: Step, *sights: Process | None, every: float = 0.5) -> list[object]:
    """Show the step one sight after another; return what it wanted to send."""
    return [step.advance(sight, number * every) for number, sight in enumerate(sights)]


def kind(step: Step) -> OutcomeKind:
    assert step.outcome is not None
    return step.outcome.kind


def code(step: Step) -> str:
    assert step.outcome is not None
    assert step.outcome.error is not None
    return step.outcome.error.code


def test_restart_stops_waits_starts_and_is_proven_by_another_pid() -> None:
    step = a_step(Action.RESTART)

    sent = walk(step, RUNNING, STOPPING, STOPPED, STARTING, NEXT)

    assert sent == [Command.STOP, None, Command.START, None, None]
    assert step.outcome is not None
    assert step.outcome.kind is OutcomeKind.CHANGED
    assert step.outcome.before == Sighting(12, ProcessState.RUNNING)
    assert step.outcome.after == Sighting(34, ProcessState.RUNNING)


def test_no_start_is_sent_while_the_process_is_stopping() -> None:
    step = a_step(Action.RESTART)

    sent = walk(step, RUNNING, *[STOPPING] * 8)

    assert Command.START not in sent


def test_a_true_return_is_no_proof() -> None:
    step = a_step(Action.RESTART)
    walk(step, RUNNING)

    step.answered(Command.STOP, None, 0.1)

    assert not step.is_done


def test_a_restart_that_somebody_else_finished_counts() -> None:
    step = a_step(Action.RESTART)

    sent = walk(step, RUNNING, NEXT)

    assert sent == [Command.STOP, None]
    assert kind(step) is OutcomeKind.CHANGED


def test_a_reused_pid_counts_once_it_was_seen_down() -> None:
    step = a_step(Action.RESTART)

    walk(step, RUNNING, STOPPED, replace(RUNNING, host_start=RUNNING.host_now))

    assert kind(step) is OutcomeKind.CHANGED


def test_a_clock_step_of_the_host_is_no_restart() -> None:
    step = a_step(Action.RESTART)

    walk(step, RUNNING, replace(RUNNING, host_start=RUNNING.host_start - 3600))

    assert not step.is_done


@pytest.mark.parametrize(
    "state", [ProcessState.STOPPED, ProcessState.EXITED, ProcessState.FATAL]
)
def test_what_is_down_can_be_started(state: ProcessState) -> None:
    step = a_step(Action.START)

    sent = walk(step, replace(STOPPED, state=state), STARTING, NEXT)

    assert sent[0] is Command.START
    assert kind(step) is OutcomeKind.CHANGED


def test_a_start_in_backoff_stops_first_because_supervisord_would_refuse() -> None:
    step = a_step(Action.START)

    sent = walk(step, replace(STOPPED, state=ProcessState.BACKOFF), STOPPED, NEXT)

    assert sent == [Command.STOP, Command.START, None]
    assert kind(step) is OutcomeKind.CHANGED


@pytest.mark.parametrize(
    ("action", "sight"), [(Action.START, RUNNING), (Action.STOP, STOPPED)]
)
def test_what_is_as_wished_stays_unchanged(action: Action, sight: Process) -> None:
    step = a_step(action)

    assert walk(step, sight) == [None]
    assert kind(step) is OutcomeKind.UNCHANGED


def test_a_spawn_error_is_not_the_last_word() -> None:
    step = a_step(Action.START)
    walk(step, STOPPED)

    step.answered(Command.START, a_spawn_failure(50), 0.1)

    assert not step.is_done


def test_a_missing_program_fails_at_once() -> None:
    step = a_step(Action.START)
    walk(step, STOPPED)

    step.answered(Command.START, a_spawn_failure(20), 0.1)

    assert kind(step) is OutcomeKind.FAILED


def a_spawn_failure(fault_code: int) -> SpawnFailed:
    return SpawnFailed("no", host="scan01", fault_code=fault_code, fault_text="x")


def test_a_start_that_ends_fatal_fails_with_the_reason_of_supervisord() -> None:
    step = a_step(Action.START)
    fatal = replace(
        STOPPED,
        state=ProcessState.FATAL,
        spawn_error="Exited too quickly (process log may have details)",
        host_stop=STOPPED.host_stop + 3,
    )

    walk(step, STOPPED, replace(fatal, state=ProcessState.BACKOFF), fatal)

    assert step.outcome is not None
    assert step.outcome.error is not None
    assert "Exited too quickly" in step.outcome.error.message


def test_a_program_that_ends_well_after_its_start_is_fine() -> None:
    step = a_step(Action.START)
    exited = replace(
        STOPPED, state=ProcessState.EXITED, host_stop=STOPPED.host_stop + 2
    )

    walk(step, STOPPED, STARTING, exited)

    assert kind(step) is OutcomeKind.CHANGED


def test_a_program_that_ends_badly_after_its_start_failed() -> None:
    step = a_step(Action.START)
    exited = replace(
        STOPPED,
        state=ProcessState.EXITED,
        exit_status=3,
        host_stop=STOPPED.host_stop + 2,
    )

    walk(step, STOPPED, STARTING, exited)

    assert code(step) == "spawn_failed"


def test_an_unchanged_end_after_a_start_is_not_taken_for_its_result() -> None:
    step = a_step(Action.START)
    fatal = replace(STOPPED, state=ProcessState.FATAL)

    walk(step, fatal, fatal)

    assert not step.is_done


def test_a_start_that_shows_no_effect_is_sent_again_a_bounded_number_of_times() -> None:
    step = a_step(Action.START)

    sent = walk(step, *[STOPPED] * 200)

    assert sent.count(Command.START) == 3
    assert code(step) == "deadline"


def test_what_somebody_stops_while_it_starts_stays_stopped() -> None:
    step = a_step(Action.RESTART)

    sent = walk(step, RUNNING, STOPPED, STARTING, *[STOPPED] * 10)

    assert sent.count(Command.START) == 1
    assert code(step) == "stopped_by_other"


def test_a_stop_may_take_stopwaitsecs_and_the_margin() -> None:
    step = a_step(Action.STOP, stopwaitsecs=60)

    walk(step, RUNNING, *[STOPPING] * 64, every=1.0)

    assert not step.is_done


def test_a_stop_that_outlasts_its_deadline_fails() -> None:
    step = a_step(Action.STOP, stopwaitsecs=60)

    walk(step, RUNNING, *[STOPPING] * 67, every=1.0)

    assert code(step) == "deadline"


def test_a_process_that_is_gone_fails() -> None:
    step = a_step(Action.RESTART)

    walk(step, None)

    assert code(step) == "unknown_process"


def test_a_quicker_hand_is_no_failure() -> None:
    step = a_step(Action.RESTART)
    walk(step, RUNNING)

    step.answered(Command.STOP, a_fault(NotRunning, 70), 0.1)
    step.advance(STOPPED, 0.5)
    step.advance(NEXT, 1.0)

    assert kind(step) is OutcomeKind.CHANGED


def a_fault(kind_of: type[Fault], fault_code: int) -> Fault:
    return kind_of("no", host="scan01", fault_code=fault_code, fault_text="x")


def test_a_restart_past_its_stop_is_owed() -> None:
    step = a_step(Action.RESTART)

    walk(step, RUNNING)

    assert step.is_owed


def test_a_stop_that_never_left_is_not_owed() -> None:
    step = a_step(Action.RESTART)
    walk(step, RUNNING)

    step.answered(Command.STOP, unreachable(maybe_executed=False), 0.1)

    assert not step.is_owed


def test_a_stop_that_may_have_arrived_is_owed() -> None:
    step = a_step(Action.RESTART)
    walk(step, RUNNING)

    step.answered(Command.STOP, unreachable(maybe_executed=True), 0.1)

    assert step.is_owed


def unreachable(*, maybe_executed: bool) -> HostUnreachable:
    return HostUnreachable(
        "gone", host="scan01", reason="timeout", maybe_executed=maybe_executed
    )


def test_cancel_ends_what_has_not_begun() -> None:
    step = a_step(Action.RESTART)

    step.cancel(1.0)

    assert kind(step) is OutcomeKind.SKIPPED


def test_cancel_leaves_a_begun_restart_to_its_end() -> None:
    step = a_step(Action.RESTART)
    walk(step, RUNNING)

    step.cancel(1.0)

    assert walk(step, STOPPED) == [Command.START]


def test_an_action_given_up_in_the_middle_is_unknown_not_good() -> None:
    step = a_step(Action.STOP)
    walk(step, RUNNING)

    step.give_up(unreachable(maybe_executed=True), 20.0)

    assert kind(step) is OutcomeKind.UNKNOWN


@pytest.mark.parametrize(
    ("seen", "sends", "phase"),
    [
        pytest.param(STOPPED, Command.START, Phase.STARTING, id="stopped by us"),
        pytest.param(STOPPING, None, Phase.STOPPING, id="still stopping"),
        pytest.param(STARTING, None, Phase.STARTING, id="somebody started it"),
        pytest.param(NEXT, None, Phase.DONE, id="restarted already"),
        pytest.param(RUNNING, None, Phase.RESUMED, id="not stopped yet"),
    ],
)
def test_a_restart_is_taken_over_by_what_is_seen(
    seen: Process, sends: Command | None, phase: Phase
) -> None:
    step = a_step(Action.RESTART)
    step.resume(Sighting(12, ProcessState.RUNNING))

    assert walk(step, seen) == [sends]
    assert step.phase is phase


def test_a_stop_of_the_dead_console_may_still_be_on_its_way() -> None:
    step = a_step(Action.RESTART)
    step.resume(Sighting(12, ProcessState.RUNNING))

    sent = walk(step, RUNNING, RUNNING, STOPPING, STOPPED, NEXT)

    assert sent == [None, None, None, Command.START, None]
    assert kind(step) is OutcomeKind.CHANGED


def test_a_restart_that_never_began_is_reported_not_done() -> None:
    step = a_step(Action.RESTART)
    step.resume(Sighting(12, ProcessState.RUNNING))

    assert set(walk(step, *[RUNNING] * 12)) == {None}
    assert code(step) == "interrupted"


def test_a_lost_start_is_sent_again_when_the_host_is_back() -> None:
    step = a_step(Action.RESTART)
    walk(step, RUNNING, STOPPED)
    step.lose_sight()

    assert step.advance(STOPPED, 3600.0) is Command.START
    step.advance(NEXT, 3601.0)

    assert kind(step) is OutcomeKind.CHANGED


def test_time_without_sight_does_not_count() -> None:
    step = a_step(Action.RESTART)
    walk(step, RUNNING, STOPPED, STARTING)
    step.lose_sight()

    step.advance(STARTING, 3600.0)

    assert not step.is_done


def test_a_restart_waits_for_a_stop_beyond_its_deadline() -> None:
    step = a_step(Action.RESTART, stopwaitsecs=1)

    walk(step, RUNNING, *[STOPPING] * 100, every=1.0)

    assert step.is_owed
    assert step.advance(STOPPED, 101.0) is Command.START


def test_a_start_that_had_to_stop_first_is_owed() -> None:
    step = a_step(Action.START)

    walk(step, replace(STOPPED, state=ProcessState.BACKOFF))

    assert step.is_owed


def test_a_start_that_had_to_stop_first_is_taken_over() -> None:
    step = a_step(Action.START)
    step.resume(Sighting(0, ProcessState.BACKOFF))

    assert walk(step, STOPPED, NEXT) == [Command.START, None]
    assert kind(step) is OutcomeKind.CHANGED


def test_a_stop_is_not_sent_to_what_somebody_else_started() -> None:
    step = a_step(Action.STOP)

    sent = walk(step, RUNNING, *[NEXT] * 10)

    assert sent.count(Command.STOP) == 1
    assert code(step) == "started_by_other"


@pytest.mark.parametrize("action", [Action.STOP, Action.START, Action.RESTART])
def test_what_supervisord_lost_hold_of_is_named(action: Action) -> None:
    step = a_step(action)

    walk(step, replace(RUNNING, state=ProcessState.UNKNOWN))

    assert code(step) == "unknown_state"


def test_a_signal_whose_answer_got_lost_is_unknown() -> None:
    step = a_step(Action.SIGNAL)
    walk(step, RUNNING)

    step.answered(Command.SIGNAL, unreachable(maybe_executed=True), 0.1)

    assert kind(step) is OutcomeKind.UNKNOWN


def test_taking_over_sends_no_new_stop() -> None:
    step = a_step(Action.STOP)
    step.resume(Sighting(12, ProcessState.RUNNING))

    assert set(walk(step, *[RUNNING] * 12)) == {None}
    assert code(step) == "interrupted"


def test_a_signal_is_sent_to_what_runs() -> None:
    step = a_step(Action.SIGNAL)

    assert walk(step, RUNNING) == [Command.SIGNAL]
    step.answered(Command.SIGNAL, None, 0.1)

    assert kind(step) is OutcomeKind.CHANGED


def test_there_is_nothing_to_signal_in_what_is_down() -> None:
    step = a_step(Action.SIGNAL)

    walk(step, STOPPED)

    assert code(step) == "not_running"


def test_logs_of_a_stopped_process_are_not_claimed_to_be_cleared() -> None:
    step = a_step(Action.CLEAR_LOGS)

    assert walk(step, STOPPED) == [None]
    assert kind(step) is OutcomeKind.SKIPPED
