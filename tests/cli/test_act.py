"""`fleet start|stop|restart|signal`: what is shown, asked, done and told."""

import signal
from collections.abc import Callable

import pytest

from tests.cli.conftest import Fleet, inventory_of
from tests.daemons import Program, Supervisord
from tests.eventually import eventually

pytestmark = pytest.mark.daemon

DEAD = "  dead: {url: 'http://127.0.0.1:9'}"


def pid_of(host: Supervisord, process: str) -> object:
    return host.info(process)["pid"]


def test_a_restart_gives_every_target_a_new_pid(
    fleet: Fleet, web1: Supervisord
) -> None:
    before = pid_of(web1, "web")

    result = fleet("restart", "web1/web", "-o", "json")

    (outcome,) = result.json["outcomes"]
    assert outcome["outcome"] == "changed"
    assert outcome["before"]["pid"] == before
    assert outcome["after"]["pid"] == pid_of(web1, "web")
    assert result.code == 0


def test_an_action_as_json_has_the_promised_keys(fleet: Fleet) -> None:
    document = fleet("restart", "--group", "webs", "-o", "json").json

    assert {"id", "action", "outcomes", "summary"} <= document.keys()
    assert document["summary"]["changed"] == 2
    assert {
        "host",
        "process",
        "outcome",
        "error",
        "before",
        "after",
        "duration_s",
    } <= document["outcomes"][0].keys()


def test_a_pipe_gets_one_plain_line_a_target(fleet: Fleet) -> None:
    result = fleet("restart", "@workers")

    targets = sorted(row[0] for row in result.rows)
    assert targets == [f"web{h}/worker:worker_0{n}" for h in (1, 2) for n in range(3)]
    assert {row[1] for row in result.rows} == {"changed"}


def test_the_exact_targets_are_told_first(fleet: Fleet) -> None:
    result = fleet("restart", "web*/web")

    assert "web1/web" in result.err
    assert "web2/web" in result.err


def test_a_dry_run_shows_the_targets_and_does_nothing(
    fleet: Fleet, web1: Supervisord
) -> None:
    before = pid_of(web1, "web")

    result = fleet("restart", "web1/web", "--dry-run", "-o", "json")

    (target,) = result.json["targets"]
    assert (target["target"], target["will"]) == ("web1/web:web", "restart")
    assert pid_of(web1, "web") == before
    assert result.code == 0


def test_nothing_selected_is_refused(fleet: Fleet) -> None:
    result = fleet("restart")

    assert result.code == 2
    assert "SELECTOR" in result.err


def test_start_and_stop(fleet: Fleet, web1: Supervisord) -> None:
    assert fleet("start", "web1/manual").code == 0
    assert web1.state("manual") == "RUNNING"

    assert fleet("stop", "web1/manual").code == 0
    assert web1.state("manual") == "STOPPED"


def test_what_is_so_already_counts_as_fine(fleet: Fleet) -> None:
    result = fleet("stop", "web1/manual", "-o", "json")

    assert result.json["summary"]["unchanged"] == 1
    assert result.code == 0


def test_a_failed_target_is_told_and_the_rest_is_done(
    fleet: Fleet, web1: Supervisord
) -> None:
    result = fleet("restart", "web1/missing", "web1/web", "-o", "json")

    outcomes = {each["process"]: each for each in result.json["outcomes"]}
    assert outcomes["missing:missing"]["outcome"] == "failed"
    assert outcomes["web:web"]["outcome"] == "changed"
    assert result.code == 1


def test_a_host_that_does_not_answer_fails_the_command_not_the_others(
    make_fleet: Callable[[str], Fleet], web1: Supervisord
) -> None:
    fleet = make_fleet(inventory_of([web1], more=DEAD))

    result = fleet("restart", "*/web", "-o", "json")

    assert result.json["summary"]["changed"] == 1
    assert [each["host"] for each in result.json["blind_hosts"]] == ["dead"]
    assert "dead" in result.err
    assert result.code == 1


def test_only_hosts_that_do_not_answer_is_a_failure(nowhere: Fleet) -> None:
    result = nowhere("restart", "dead/web")

    assert result.code == 1


def test_many_targets_without_a_terminal_need_yes(fleet: Fleet) -> None:
    result = fleet("signal", "HUP", "*/worker", "web1", "web2", "--state", "RUNNING")

    assert result.code == 2
    assert "--yes" in result.err


def test_yes_goes_on_without_asking(fleet: Fleet) -> None:
    result = fleet("signal", "CONT", "*", "--state", "RUNNING", "--yes")

    assert result.code == 0
    assert len(result.rows) == 12


def test_an_unknown_signal_fails(fleet: Fleet) -> None:
    result = fleet("signal", "NONSENSE", "web1/web")

    assert result.code == 2
    assert "not a signal" in result.err


def test_a_terminal_is_asked_for_the_count(fleet: Fleet) -> None:
    arguments = ("signal", "CONT", "*", "--state", "RUNNING")
    with fleet.terminal(*arguments) as terminal:
        terminal.expect("Type 12 to go on")
        terminal.type("12\n")
        code = terminal.end()

    assert code == 0
    assert "12 changed" in terminal.text


def test_another_answer_does_nothing(fleet: Fleet, web1: Supervisord) -> None:
    before = pid_of(web1, "web")
    with fleet.terminal("restart", "*", "--state", "RUNNING") as terminal:
        terminal.expect("Type 12 to go on")
        terminal.type("yes\n")
        code = terminal.end()

    assert code == 3
    assert pid_of(web1, "web") == before


def test_ctrl_c_lets_what_was_begun_come_to_its_end(
    fleet: Fleet, web1: Supervisord
) -> None:
    before = pid_of(web1, "slow")
    with fleet.terminal("restart", "web1/slow") as terminal:
        eventually(lambda: web1.state("slow") == "STOPPING")
        terminal.type("\x03")
        terminal.expect("cancelled")
        code = terminal.end()

    assert code == 130
    assert web1.state("slow") == "RUNNING"
    assert pid_of(web1, "slow") != before


def test_a_second_ctrl_c_leaves_at_once_and_status_finishes(
    fleet: Fleet, web1: Supervisord
) -> None:
    with fleet.terminal("restart", "web1/slow") as terminal:
        eventually(lambda: web1.state("slow") == "STOPPING")
        terminal.type("\x03")
        terminal.expect("cancelled")
        terminal.type("\x03")
        terminal.expect("finishes operation")
        code = terminal.end()

    assert code == 130
    fleet("status")
    assert web1.state("slow") == "RUNNING"


def test_a_restart_whose_fleet_was_killed_is_finished_by_the_next_status(
    fleet: Fleet, web1: Supervisord
) -> None:
    with fleet.launch("restart", "web1/slow") as process:
        eventually(lambda: web1.state("slow") == "STOPPING")
        process.send_signal(signal.SIGKILL)
        process.communicate()
    eventually(lambda: web1.state("slow") == "STOPPED")

    result = fleet("status", "web1/slow")

    assert web1.state("slow") == "RUNNING"
    assert result.rows[0][2] == "RUNNING"
    assert "left by a console that ended" in result.err
    assert result.code == 0


def test_the_next_action_also_finishes_what_was_left(
    fleet: Fleet, web1: Supervisord
) -> None:
    with fleet.launch("restart", "web1/slow") as process:
        eventually(lambda: web1.state("slow") == "STOPPING")
        process.send_signal(signal.SIGKILL)
        process.communicate()

    assert fleet("restart", "web2/web").code == 0

    assert web1.state("slow") == "RUNNING"


def test_a_target_in_other_hands_is_refused(fleet: Fleet, web1: Supervisord) -> None:
    with fleet.launch("restart", "web1/slow") as process:
        eventually(lambda: web1.state("slow") == "STOPPING")
        result = fleet("stop", "web1/slow", "-o", "json")
        process.communicate()

    assert result.json["outcomes"][0]["error"]["code"] == "busy"
    assert result.code == 3


def test_an_action_without_its_journal_is_not_begun(
    fleet: Fleet, web1: Supervisord
) -> None:
    before = pid_of(web1, "web")

    result = fleet("restart", "web1/web", "--database-url", "sqlite:////proc/no.db")

    assert result.code == 1
    assert pid_of(web1, "web") == before


def test_an_action_is_in_the_events_with_who_did_it(fleet: Fleet) -> None:
    fleet("restart", "web1/web", "--reason", "new release")

    (event,) = fleet("events", "web1/web", "--kind", "action", "-o", "json").json

    assert event["outcome"] == "changed"
    assert "cli" in event["cause"]


def test_events_of_another_host_are_left_out(fleet: Fleet) -> None:
    fleet("restart", "web1/web")

    assert fleet("events", "web2", "-o", "json").json == []


def test_an_update_shows_what_changes_and_applies_it(
    make_fleet: Callable[[str], Fleet], make_daemon: Callable[..., Supervisord]
) -> None:
    host = make_daemon(
        (Program("old"), Program("same")), name="web3", username="u", password="p@ss"
    )
    fleet = make_fleet(inventory_of([host]))
    host.configure((Program("new"), Program("same", stopwaitsecs=7)))

    shown = fleet("update", "web3", "--dry-run", "-o", "json").json
    done = fleet("update", "web3", "--yes")

    assert (shown[0]["added"], shown[0]["changed"], shown[0]["removed"]) == (
        ["new"],
        ["same"],
        ["old"],
    )
    assert shown[0]["restarts"] == ["old:old", "same:same"]
    assert done.code == 0
    assert host.state("new") == "RUNNING"


def test_supervisord_itself_is_restarted(
    make_fleet: Callable[[str], Fleet], make_daemon: Callable[..., Supervisord]
) -> None:
    host = make_daemon(name="web4", username="u", password="p@ss")
    before = pid_of(host, "web")

    result = make_fleet(inventory_of([host]))("restart-supervisord", "web4", "--yes")

    assert result.code == 0
    assert pid_of(host, "web") != before
