"""A console is killed in the middle; the next one finishes what was begun."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from supervisor_easy.model import Action, OperationStatus, OutcomeKind, Target
from supervisor_easy.settings import Settings
from tests.daemons import Program, Supervisord, shell
from tests.eventually import eventually
from tests.fleet.conftest import Open

pytestmark = pytest.mark.daemon

SLOW_STOP = Program(
    "slow",
    shell("trap 'sleep 2; exit 0' TERM; while :; do sleep 0.1; done"),
    stopwaitsecs=10,
    numprocs=3,
)
TARGETS = [Target("a", "slow", f"slow_0{number}") for number in range(3)]
MakeDaemon = Callable[..., Supervisord]
WriteSettings = Callable[..., Settings]


@contextmanager
def a_console_acting(settings: Settings, action: Action) -> Iterator[str]:
    """Run another console that acts on all targets; it is killed at the end."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.fleet.crashing",
            str(settings.inventory),
            settings.database_url.get_secret_value(),
            action.value,
            *map(str, TARGETS),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
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
