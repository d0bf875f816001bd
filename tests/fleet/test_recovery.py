"""A console is killed in the middle; the next one finishes what was begun."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from supervisor_easy.fleet.scope import scope_of
from supervisor_easy.model import (
    Action,
    Operation,
    OperationStatus,
    OutcomeKind,
    Target,
)
from supervisor_easy.settings import Settings
from tests.daemons import Program, Supervisord, shell
from tests.eventually import eventually
from tests.fleet.conftest import ANA, Open

pytestmark = pytest.mark.daemon

SLOW_STOP = Program(
    "slow",
    shell("trap 'sleep 2; exit 0' TERM; while :; do sleep 0.1; done"),
    stopwaitsecs=10,
    numprocs=3,
)
TARGETS = [Target("a", "slow", f"slow_0{number}") for number in range(3)]
#: The consoles of `a_console_acting`, newest last.
acting_consoles: list[subprocess.Popen[str]] = []
MakeDaemon = Callable[..., Supervisord]
WriteSettings = Callable[..., Settings]


@contextmanager
def a_console_acting(
    settings: Settings, action: Action, *more: Target
) -> Iterator[str]:
    """Run another console that acts on all targets; it is killed at the end."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.fleet.crashing",
            str(settings.inventory),
            settings.database_url.get_secret_value(),
            action.value,
            str(settings.lease_ttl.total_seconds()),
            *map(str, (*TARGETS, *more)),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    acting_consoles.append(process)
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def states(daemon: Supervisord) -> list[str]:
    return [daemon.state(target.namespec) for target in TARGETS]


def pids(daemon: Supervisord) -> list[object]:
    return [daemon.info(target.namespec)["pid"] for target in TARGETS]


def test_a_restart_killed_between_stop_and_start_is_finished(
    make_daemon: MakeDaemon, write_settings: WriteSettings, open_console: Open
) -> None:
    daemon = make_daemon([SLOW_STOP], name="a")
    before = pids(daemon)
    with a_console_acting(write_settings(daemon), Action.RESTART) as operation_id:
        eventually(lambda: states(daemon) == ["STOPPING"] * 3, within=20)
    eventually(lambda: states(daemon) == ["STOPPED"] * 3, within=20)

    console = open_console(daemon)

    eventually(lambda: states(daemon) == ["RUNNING"] * 3, within=20)
    assert not set(pids(daemon)) & set(before)
    ended = console.services.journal.get
    eventually(
        lambda: ended(operation_id).status is OperationStatus.INTERRUPTED, within=10
    )
    assert {o.kind for o in ended(operation_id).outcomes} == {OutcomeKind.CHANGED}


def test_a_restart_is_taken_over_while_the_process_still_stops(
    make_daemon: MakeDaemon, write_settings: WriteSettings, open_console: Open
) -> None:
    daemon = make_daemon([SLOW_STOP], name="a")
    with a_console_acting(write_settings(daemon), Action.RESTART):
        eventually(lambda: states(daemon) == ["STOPPING"] * 3, within=20)

    open_console(daemon)

    eventually(lambda: states(daemon) == ["RUNNING"] * 3, within=20)


def test_a_stop_that_was_sent_is_reported_and_not_undone(
    make_daemon: MakeDaemon, write_settings: WriteSettings, open_console: Open
) -> None:
    daemon = make_daemon([SLOW_STOP], name="a")
    with a_console_acting(write_settings(daemon), Action.STOP) as operation_id:
        eventually(lambda: states(daemon) == ["STOPPING"] * 3, within=20)
    eventually(lambda: states(daemon) == ["STOPPED"] * 3, within=20)

    console = open_console(daemon)

    journal = console.services.journal
    eventually(
        lambda: journal.get(operation_id).status is OperationStatus.INTERRUPTED,
        within=10,
    )
    assert states(daemon) == ["STOPPED"] * 3
    kinds = {outcome.kind for outcome in journal.get(operation_id).outcomes}
    assert kinds == {OutcomeKind.CHANGED}


def test_a_living_console_keeps_its_operation(
    make_daemon: MakeDaemon, write_settings: WriteSettings, open_console: Open
) -> None:
    daemon = make_daemon([SLOW_STOP], name="a")
    with a_console_acting(write_settings(daemon), Action.RESTART) as operation_id:
        eventually(lambda: states(daemon) == ["STOPPING"] * 3, within=20)

        console = open_console(daemon)
        adopted = console.engine.call(console.services.actions.recover)

        assert adopted == []
        journal = console.services.journal
        eventually(
            lambda: journal.get(operation_id).status is OperationStatus.DONE, within=20
        )


def test_a_console_of_another_inventory_leaves_an_orphan_alone(
    make_daemon: MakeDaemon,
    write_settings: WriteSettings,
    open_console: Open,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    daemon = make_daemon([SLOW_STOP], name="a")
    stranger = make_daemon([SLOW_STOP], name="b")
    before = pids(stranger)
    with a_console_acting(write_settings(daemon), Action.RESTART) as operation_id:
        eventually(lambda: states(daemon) == ["STOPPING"] * 3, within=20)
    eventually(lambda: states(daemon) == ["STOPPED"] * 3, within=20)
    other = tmp_path / "other.yaml"
    other.write_text(
        yaml.safe_dump({"version": 1, "hosts": {"a": {"url": stranger.url}}})
    )

    console = open_console(daemon, inventory=other)
    assert console.engine.call(console.services.actions.recover) == []
    console.close()

    assert (pids(stranger), states(daemon)) == (before, ["STOPPED"] * 3)
    warnings = [text for text in caplog.messages if "not taken over" in text]
    assert len(warnings) == 1
    assert operation_id in warnings[0]

    console = open_console(daemon)

    eventually(lambda: states(daemon) == ["RUNNING"] * 3, within=20)
    journal = console.services.journal
    eventually(
        lambda: journal.get(operation_id).status is OperationStatus.INTERRUPTED,
        within=10,
    )


def test_one_changed_address_blocks_the_rescue_of_no_other_host(
    make_daemon: MakeDaemon, write_settings: WriteSettings, open_console: Open
) -> None:
    daemon, other = make_daemon([SLOW_STOP], name="a"), make_daemon(name="b")
    elsewhere = make_daemon(name="b")
    with a_console_acting(
        write_settings(daemon, other), Action.RESTART, Target("b", "web", "web")
    ) as operation_id:
        eventually(lambda: states(daemon) == ["STOPPING"] * 3, within=20)

    console = open_console(daemon, elsewhere)

    eventually(lambda: states(daemon) == ["RUNNING"] * 3, within=20)
    journal = console.services.journal
    eventually(
        lambda: journal.get(operation_id).status is OperationStatus.INTERRUPTED,
        within=10,
    )


def test_what_is_ours_by_the_journal_and_not_alive_is_ended(
    make_daemon: MakeDaemon, open_console: Open
) -> None:
    daemon = make_daemon(name="a")
    pid = daemon.info("web")["pid"]
    console = open_console(daemon)
    services = console.services
    ghost = Operation(
        id="ghost",
        action=Action.RESTART,
        targets=(Target("a", "web", "web"),),
        actor=ANA,
        requested_at=services.clock.now(),
        scope=scope_of([Target("a", "web", "web")], services.state.snapshot()),
    )
    services.journal.open(ghost, owner=services.owner)

    [adopted] = console.engine.call(services.actions.recover)
    ended = console.wait(adopted.id)

    assert [outcome.kind for outcome in ended.outcomes] == [OutcomeKind.FAILED]
    assert daemon.info("web")["pid"] == pid


def test_a_suspended_console_does_not_undo_what_came_after(
    make_daemon: MakeDaemon, write_settings: WriteSettings, open_console: Open
) -> None:
    daemon = make_daemon([SLOW_STOP], name="a")
    settings = write_settings(daemon, lease_ttl="1s")
    with a_console_acting(settings, Action.RESTART) as operation_id:
        eventually(lambda: states(daemon) == ["STOPPING"] * 3, within=20)
        suspended = acting_consoles[-1]
        suspended.send_signal(signal.SIGSTOP)
        console = open_console(daemon, lease_ttl="1s")
        journal = console.services.journal
        eventually(
            lambda: journal.get(operation_id).status is OperationStatus.INTERRUPTED,
            within=30,
        )
        console.act(Action.STOP, *TARGETS)

        suspended.send_signal(signal.SIGCONT)
        suspended.wait(30)

    assert states(daemon) == ["STOPPED"] * 3
