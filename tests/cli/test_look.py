"""`fleet status|hosts|groups`: what is shown, to whom, in which form."""

from collections.abc import Callable

import pytest

from tests.cli.conftest import Fleet, inventory_of
from tests.daemons import Supervisord

pytestmark = pytest.mark.daemon

DEAD = "  dead: {url: 'http://127.0.0.1:9', labels: {role: gone}}"


def test_status_shows_every_process_of_every_host(fleet: Fleet) -> None:
    result = fleet("status")

    assert len(result.rows) == 16
    assert result.code == 0


def test_a_pipe_gets_plain_rows_between_tabs(fleet: Fleet) -> None:
    result = fleet("status", "web1/manual")

    assert result.out == "web1\tmanual\tSTOPPED\t-\t-\t\n"


def test_status_as_json_has_the_promised_keys(fleet: Fleet) -> None:
    (process,) = fleet("status", "web1/web", "-o", "json").json

    assert {
        "host": "web1",
        "group": "web",
        "name": "web",
        "state": "RUNNING",
        "exit_status": 0,
        "spawn_error": "",
        "memory_bytes": None,
        "stale": False,
    }.items() <= process.items()
    assert {"pid", "uptime_s", "started_at"} <= process.keys()


@pytest.mark.parametrize("place", ["before", "behind"])
def test_global_options_stand_before_or_behind_the_command(
    fleet: Fleet, place: str
) -> None:
    arguments = ("status", "web1/worker")
    option = ("-o", "name")
    result = fleet(*(option + arguments if place == "before" else arguments + option))

    assert result.out.split() == [f"web1/worker:worker_0{n}" for n in range(3)]


def test_narrowing_adds_conditions(fleet: Fleet) -> None:
    result = fleet("status", "--group", "workers", "--host", "web2", "-o", "name")

    assert result.out.split() == [f"web2/worker:worker_0{n}" for n in range(3)]


def test_a_state_narrows(fleet: Fleet) -> None:
    result = fleet("status", "web1", "--state", "STOPPED,FATAL", "-o", "name")

    assert result.out.split() == ["web1/manual:manual", "web1/missing:missing"]


def test_a_selector_of_nothing_names_the_nearest(fleet: Fleet) -> None:
    result = fleet("status", "web1/wrker")

    assert (result.code, result.out) == (2, "")
    assert "worker" in result.err


def test_a_host_that_does_not_answer_is_named_and_the_rest_is_shown(
    make_fleet: Callable[[str], Fleet], web1: Supervisord
) -> None:
    result = make_fleet(inventory_of([web1], more=DEAD))("status")

    assert len(result.rows) == 8
    assert "no answer from dead" in result.err
    assert result.code == 1


def test_a_host_that_was_not_selected_is_not_asked(
    make_fleet: Callable[[str], Fleet], web1: Supervisord
) -> None:
    result = make_fleet(inventory_of([web1], more=DEAD))("status", "web1")

    assert (result.code, result.err) == (0, "")


def test_hosts_tells_why_one_does_not_answer(
    make_fleet: Callable[[str], Fleet], web1: Supervisord
) -> None:
    result = make_fleet(inventory_of([web1], more=DEAD))("hosts", "-o", "json")

    conditions = {each["name"]: each["condition"] for each in result.json}
    assert conditions == {"web1": "up", "dead": "unreachable"}
    assert result.code == 1


def test_a_wrong_password_is_told_and_never_shown(
    make_fleet: Callable[[str], Fleet],
    web1: Supervisord,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fleet = make_fleet(inventory_of([web1]))
    monkeypatch.setenv("FLEET_TEST_SECRET", "hunter2-wrong")

    result = fleet("-vv", "hosts", "-o", "json")

    assert result.json[0]["condition"] == "authentication_failed"
    assert "hunter2-wrong" not in result.out + result.err


def test_groups_counts_states(fleet: Fleet) -> None:
    groups = {each["name"]: each for each in fleet("groups", "-o", "json").json}

    assert groups["workers"]["targets"] == 6
    assert groups["workers"]["counts"] == {"RUNNING": 6}


def test_a_terminal_gets_a_table_with_colours(fleet: Fleet) -> None:
    with fleet.terminal("status", "web1") as terminal:
        assert terminal.end() == 0

    assert "PROCESS" in terminal.text
    assert "\x1b[32mRUNNING" in terminal.text


@pytest.mark.parametrize("how", ["option", "variable"])
def test_no_colours_when_told_so(fleet: Fleet, how: str) -> None:
    option = ["--no-color"] if how == "option" else []
    variable = {"NO_COLOR": "1"} if how == "variable" else {}
    with fleet.terminal("status", *option, **variable) as terminal:
        assert terminal.end() == 0

    assert "\x1b[3" not in terminal.text


def test_watch_shows_changes_until_ctrl_c(fleet: Fleet, web1: Supervisord) -> None:
    with fleet.terminal("status", "web1/manual", "--watch") as terminal:
        terminal.expect("STOPPED")
        web1.call("startProcess", "manual")
        terminal.expect("RUNNING")
        terminal.type("\x03")
        code = terminal.end()
    web1.call("stopProcess", "manual")

    assert code == 130


def test_a_reader_that_has_gone_is_no_fault(fleet: Fleet) -> None:
    with fleet.launch("logs", "web1/chatter", "-f") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        talk = process.stderr.read()

    assert (process.returncode, talk) == (141, "")


def test_doctor_finds_what_does_not_answer(nowhere: Fleet) -> None:
    result = nowhere("doctor", "-o", "json")

    (finding,) = [each for each in result.json if each["where"] == "dead"]
    assert finding["level"] == "problem"
    assert finding["cure"]
    assert result.code == 1


def test_a_database_out_of_reach_is_only_a_warning_for_status(fleet: Fleet) -> None:
    result = fleet("status", "web1/web", "--database-url", "sqlite:////proc/no.db")

    assert len(result.rows) == 1
    assert "database" in result.err
    assert result.code == 0
