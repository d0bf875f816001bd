"""Bulk actions on real supervisords."""

from collections.abc import Callable
from pathlib import Path

import pytest

from supervisor_easy.model import (
    Action,
    Operation,
    OperationStatus,
    OutcomeKind,
    ProcessState,
    Target,
)
from tests.daemons import Program, Supervisord, shell
from tests.eventually import eventually
from tests.fleet.conftest import Open, outcome_of

pytestmark = pytest.mark.daemon

WORKERS = Program("celery", numprocs=5, startsecs=1)
SLOW_STOP = Program(
    "slow",
    shell("trap 'sleep 3; exit 0' TERM; while :; do sleep 0.1; done"),
    stopwaitsecs=10,
)
MakeDaemon = Callable[..., Supervisord]


def kinds(operation: Operation) -> set[OutcomeKind]:
    return {outcome.kind for outcome in operation.outcomes}


def test_restart_replaces_every_process_of_every_host(
    make_daemon: MakeDaemon, open_console: Open
) -> None:
    daemons = [make_daemon([WORKERS], name=name) for name in ("a", "b")]
    console = open_console(*daemons)
    before = {p.target: p.pid for p in console.processes()}

    operation = console.act(Action.RESTART, *before)

    after = {p.target: p.pid for p in console.processes()}
    assert kinds(operation) == {OutcomeKind.CHANGED}
    assert len(operation.outcomes) == 10
    assert all(after[target] != pid for target, pid in before.items())


def test_an_outcome_names_the_old_and_the_new_pid(
    make_daemon: MakeDaemon, open_console: Open
) -> None:
    daemon = make_daemon([Program("web")], name="a")
    console = open_console(daemon)
    [process] = console.processes()

    [outcome] = console.act(Action.RESTART, process.target).outcomes

    assert outcome.before is not None
    assert outcome.after is not None
    assert outcome.before.pid == process.pid
    assert outcome.after.pid == daemon.info("web")["pid"]


def test_a_dead_host_harms_nobody_else(
    make_daemon: MakeDaemon, open_console: Open
) -> None:
    good, dead = make_daemon(name="good"), make_daemon(name="dead")
    console = open_console(good, dead)
    targets = [p.target for p in console.processes()]

    with dead.outage():
        operation = console.act(Action.RESTART, *targets)

    assert outcome_of(operation, Target("good", "web", "web")).kind.is_fine
    lost = outcome_of(operation, Target("dead", "web", "web"))
    assert lost.kind is OutcomeKind.FAILED
    assert lost.error is not None
    assert lost.error.code == "unreachable"


def test_a_process_that_does_not_stay_up_fails_with_its_log(
    make_daemon: MakeDaemon, open_console: Open
) -> None:
    program = Program(
        "crasher",
        shell("echo starting; echo no database >&2; exit 3"),
        startsecs=1,
        autostart=False,
        options={"startretries": 0},
    )
    console = open_console(make_daemon([program], name="a"))

    [outcome] = console.act(Action.START, Target("a", "crasher", "crasher")).outcomes

    assert outcome.kind is OutcomeKind.FAILED
    assert "starting" in outcome.log_tail
    assert "no database" in outcome.log_tail


def test_fatal_and_exited_can_be_started(
    make_daemon: MakeDaemon, open_console: Open, tmp_path: Path
) -> None:
    marker = tmp_path / "ready"
    script = shell(f"test -e {marker} && exec sleep 1000; exit 1")
    daemon = make_daemon(
        [
            Program("fatal", script, startsecs=1, options={"startretries": 0}),
            Program("exited", script),
        ],
        name="a",
    )
    eventually(lambda: daemon.state("fatal") == "FATAL", within=10)
    eventually(lambda: daemon.state("exited") == "EXITED", within=10)
    console = open_console(daemon)
    marker.touch()

    operation = console.act(
        Action.START, Target("a", "fatal", "fatal"), Target("a", "exited", "exited")
    )

    assert kinds(operation) == {OutcomeKind.CHANGED}


def test_a_process_in_backoff_can_be_started(
    make_daemon: MakeDaemon, open_console: Open, tmp_path: Path
) -> None:
    marker = tmp_path / "ready"
    program = Program(
        "flappy",
        shell(f"test -e {marker} && exec sleep 1000; exit 1"),
        startsecs=1,
        options={"startretries": 50},
    )
    daemon = make_daemon([program], name="a")
    eventually(lambda: daemon.state("flappy") == "BACKOFF", within=10)
    console = open_console(daemon)
    marker.touch()

    [outcome] = console.act(Action.START, Target("a", "flappy", "flappy")).outcomes

    assert outcome.kind is OutcomeKind.CHANGED
    assert daemon.state("flappy") == "RUNNING"


def test_what_is_as_wished_is_unchanged(
    make_daemon: MakeDaemon, open_console: Open
) -> None:
    daemon = make_daemon(name="a")
    console = open_console(daemon)

    [outcome] = console.act(Action.START, Target("a", "web", "web")).outcomes

    assert outcome.kind is OutcomeKind.UNCHANGED


def test_stop_waits_for_a_slow_process(
    make_daemon: MakeDaemon, open_console: Open
) -> None:
    daemon = make_daemon([SLOW_STOP], name="a")
    console = open_console(daemon)

    [outcome] = console.act(Action.STOP, Target("a", "slow", "slow")).outcomes

    assert outcome.kind is OutcomeKind.CHANGED
    assert outcome.after is not None
    assert outcome.after.state is ProcessState.STOPPED


def test_a_signal_reaches_the_process(
    make_daemon: MakeDaemon, open_console: Open, tmp_path: Path
) -> None:
    script = shell(f"trap 'echo got >{tmp_path}/got' USR1; while :; do sleep 0.1; done")
    daemon = make_daemon([Program("web", script, autorestart="true")], name="a")
    console = open_console(daemon)

    def is_trapped() -> bool:
        # The trap is set a moment after supervisord says RUNNING.
        operation = console.act(Action.SIGNAL, Target("a", "web", "web"), signal="USR1")
        assert operation.status is OperationStatus.DONE
        return (tmp_path / "got").exists()

    eventually(is_trapped, within=10)


def test_a_process_in_another_hand_is_left_alone(
    make_daemon: MakeDaemon, open_console: Open
) -> None:
    daemon = make_daemon([SLOW_STOP], name="a")
    console = open_console(daemon)
    target = Target("a", "slow", "slow")
    first = console.begin(Action.RESTART, target)

    [second] = console.act(Action.STOP, target).outcomes

    assert second.error is not None
    assert second.error.code == "busy"
    assert first.id in second.error.message
    assert kinds(console.wait(first.id)) == {OutcomeKind.CHANGED}


def test_a_repeated_idempotency_key_acts_once(
    make_daemon: MakeDaemon, open_console: Open
) -> None:
    daemon = make_daemon(name="a")
    console = open_console(daemon)
    target = Target("a", "web", "web")
    first = console.act(Action.RESTART, target, idempotency_key="k1")
    pid = daemon.info("web")["pid"]

    second = console.act(Action.RESTART, target, idempotency_key="k1")

    assert second.id == first.id
    assert daemon.info("web")["pid"] == pid


def test_cancel_leaves_no_process_stopped(
    make_daemon: MakeDaemon, open_console: Open
) -> None:
    daemon = make_daemon([SLOW_STOP], name="a")
    console = open_console(daemon)
    operation = console.begin(Action.RESTART, Target("a", "slow", "slow"))
    eventually(lambda: daemon.state("slow") == "STOPPING", within=5)

    console.cancel(operation.id)
    ended = console.wait(operation.id)

    assert ended.status is OperationStatus.CANCELLED
    assert kinds(ended) == {OutcomeKind.CHANGED}
    assert daemon.state("slow") == "RUNNING"


def test_the_log_before_a_restart_is_kept(
    make_daemon: MakeDaemon, open_console: Open
) -> None:
    daemon = make_daemon(
        [Program("web", shell("echo task 17 done; exec sleep 1000"))], name="a"
    )
    eventually(lambda: "task 17" in daemon.log_file("web").read_text(), within=5)
    console = open_console(daemon)

    operation = console.act(Action.RESTART, Target("a", "web", "web"))

    stored = console.services.journal.get(operation.id)
    assert "task 17 done" in stored.outcomes[0].log_tail


def test_nothing_is_sent_when_nothing_can_be_written_down(
    make_daemon: MakeDaemon, open_console: Open
) -> None:
    daemon = make_daemon(name="a")
    console = open_console(daemon)
    pid = daemon.info("web")["pid"]
    console.services.store.close()

    with pytest.raises(Exception, match=r"clos"):
        console.act(Action.RESTART, Target("a", "web", "web"))

    assert daemon.info("web")["pid"] == pid


def test_a_host_that_goes_away_after_the_stop_is_waited_for(
    make_daemon: MakeDaemon, open_console: Open
) -> None:
    daemon = make_daemon([SLOW_STOP], name="a")
    console = open_console(daemon)
    operation = console.begin(Action.RESTART, Target("a", "slow", "slow"))
    eventually(lambda: daemon.state("slow") == "STOPPING", within=5)

    daemon.freeze()
    eventually(lambda: "a" in console.services.actions.waiting(operation.id), within=10)
    daemon.thaw()

    assert kinds(console.wait(operation.id)) == {OutcomeKind.CHANGED}
    assert daemon.state("slow") == "RUNNING"
