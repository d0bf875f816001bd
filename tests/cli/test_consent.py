"""What is done is what was chosen and shown: no mistake grows, nothing changes between."""

from collections.abc import Callable

import pytest

from tests.cli.conftest import Fleet, inventory_of
from tests.daemons import Program, Supervisord

pytestmark = pytest.mark.daemon

WRONG = ["web11", "", " ", "web1/web", "@webs", "!web1", "role=nothing"]


@pytest.fixture
def changed(
    make_fleet: Callable[[str], Fleet], make_daemon: Callable[..., Supervisord]
) -> tuple[Fleet, Supervisord]:
    """`fleet` over a host whose configuration has changed since it started."""
    host = make_daemon(
        (Program("old"), Program("same")), name="web3", username="u", password="p@ss"
    )
    host.configure((Program("new"), Program("same", stopwaitsecs=7)))
    return make_fleet(inventory_of([host])), host


@pytest.mark.parametrize("name", WRONG)
def test_an_update_of_a_host_that_is_none_touches_no_host(
    changed: tuple[Fleet, Supervisord], name: str
) -> None:
    fleet, host = changed

    result = fleet("update", name, "--yes")

    assert (result.code, result.out) == (2, "")
    assert host.state("old") == "RUNNING"


def test_an_update_needs_a_host(changed: tuple[Fleet, Supervisord]) -> None:
    fleet, host = changed

    assert fleet("update", "--yes").code == 2
    assert host.state("old") == "RUNNING"


def test_a_star_updates_every_host(changed: tuple[Fleet, Supervisord]) -> None:
    fleet, host = changed

    assert fleet("update", "*", "--yes").code == 0
    assert host.state("new") == "RUNNING"


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize(
    "command", [("restart-supervisord", "--dry-run"), ("logs", "--main")]
)
def test_a_host_that_is_none_means_no_other(
    fleet: Fleet, command: tuple[str, ...], name: str
) -> None:
    if command[0] == "restart-supervisord" and name == "web1/web":
        name = "web1/nothing"
    result = fleet(*command, name)

    assert (result.code, result.out) == (2, "")


def test_doctor_has_every_host_read_its_configuration(
    changed: tuple[Fleet, Supervisord],
) -> None:
    fleet, _ = changed

    assert "web3" in fleet("doctor", "--reread").out


def test_a_plan_that_changed_while_the_question_stood_is_shown_anew(
    changed: tuple[Fleet, Supervisord],
) -> None:
    fleet, host = changed
    with fleet.terminal("update", "web3", FLEET_CONFIRM_ABOVE="1") as terminal:
        terminal.expect("Type 5 to go on")
        host.configure((Program("newer"), Program("same", stopwaitsecs=7)))
        terminal.type("5\n")
        code = terminal.end()

    assert code == 3
    assert "newer" in terminal.text
    assert "changed since you looked" in terminal.text
    assert host.state("old") == "RUNNING"


def test_a_plan_that_is_as_it_was_shown_is_done(
    changed: tuple[Fleet, Supervisord],
) -> None:
    fleet, host = changed
    with fleet.terminal("update", "web3", FLEET_CONFIRM_ABOVE="1") as terminal:
        terminal.expect("Type 5 to go on")
        terminal.type("5\n")
        code = terminal.end()

    assert code == 0
    assert host.state("new") == "RUNNING"


def test_a_process_that_changed_while_the_question_stood_is_left_alone(
    fleet: Fleet, web1: Supervisord
) -> None:
    with fleet.terminal(
        "restart", "web1/web", "web1/worker", FLEET_CONFIRM_ABOVE="1"
    ) as terminal:
        terminal.expect("Type 4 to go on")
        web1.call("stopProcess", "web")
        web1.call("startProcess", "web")
        pid = web1.info("web")["pid"]
        terminal.type("4\n")
        code = terminal.end()

    assert code == 3
    assert "web1/web:web changed since you looked; nothing was done" in terminal.text
    assert web1.info("web")["pid"] == pid


def test_quiet_still_shows_what_is_asked_about(fleet: Fleet) -> None:
    with fleet.terminal(
        "-q", "restart", "web1/web", "web1/worker", FLEET_CONFIRM_ABOVE="1"
    ) as terminal:
        terminal.expect("Type 4 to go on")
        terminal.type("\n")
        code = terminal.end()

    assert code == 3
    assert "worker_02" in terminal.text.partition("Type 4")[0]


def test_the_restart_of_one_supervisord_is_asked_about(
    make_fleet: Callable[[str], Fleet], make_daemon: Callable[..., Supervisord]
) -> None:
    host = make_daemon(name="web4", username="u", password="p@ss")
    fleet = make_fleet(inventory_of([host]))
    pid = host.info("web")["pid"]

    assert fleet("restart-supervisord", "web4").code == 2
    with fleet.terminal("restart-supervisord", "web4") as terminal:
        terminal.expect("to go on")
        terminal.type("\n")
        code = terminal.end()

    assert code == 3
    assert host.info("web")["pid"] == pid


@pytest.mark.parametrize("name", ["NOSUCHSIG", "99", "0", "", "-1", "HUP;"])
def test_a_signal_that_is_none_is_bad_usage(fleet: Fleet, name: str) -> None:
    result = fleet("signal", "web1/web", "--yes", "--", name)

    assert result.code == 2


def test_a_signals_number_is_taken(fleet: Fleet) -> None:
    assert fleet("signal", "18", "web1/web").code == 0
