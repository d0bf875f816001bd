"""What pages show; and that looking changes nothing."""

from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from supervisor_easy.access import Role
from supervisor_easy.rpc.fake_process import FakeProgram
from supervisor_easy.rpc.fake_trouble import Trouble
from supervisor_easy.web.app import create_app
from tests.eventually import eventually
from tests.web.conftest import Fakes, LogIn
from tests.web.consoles import (
    Backstage,
    settings_for,
    wait_until_up,
    write_inventory,
)
from tests.web.test_access import path_of

QUERIES = {
    "/actions/new": "?action=restart&selector=@scanners",
    "/api/v1/logs": "?selector=*",
}


def test_no_get_changes_anything(
    app: Flask, backstage: Backstage, fakes: Fakes, log_in: LogIn
) -> None:
    browser = log_in(Role.ADMIN)
    users = backstage.services.accounts.list_users()
    sessions = backstage.services.sessions.list()

    for rule in app.url_map.iter_rules():
        if "GET" in (rule.methods or ()):
            path = path_of(rule.rule)
            answer = browser.get(path + QUERIES.get(path, ""), buffered=True)
            assert answer.status_code != 500, path

    assert fakes.writes() == []
    assert backstage.services.journal.list() == []
    assert backstage.services.accounts.list_users() == users
    assert backstage.services.sessions.list() == sessions


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", "Nothing is wrong."),
        ("/groups", "scanners"),
        ("/hosts", "scan02"),
        ("/hosts/web1", "http://web1.test:9001"),
        ("/hosts/scan01/celery:w1", "Supervisord says"),
        ("/processes", "9"),
        ("/actions", "Nobody has done anything yet."),
        ("/events", "Events"),
    ],
)
def test_each_page_answers(log_in: LogIn, path: str, expected: str) -> None:
    answer = log_in().get(path)

    assert answer.status_code == 200
    assert expected in answer.text


def test_the_first_page_names_a_host_that_does_not_answer(
    backstage: Backstage, fakes: Fakes, log_in: LogIn
) -> None:
    fakes["web1"].trouble = Trouble.REFUSED
    state = backstage.services.state
    eventually(lambda: state.snapshot().hosts["web1"].is_stale)

    text = log_in().get("/").text

    assert "Hosts that do not answer" in text
    assert "does not answer" in text


def test_the_first_page_names_a_process_that_ended_badly(
    backstage: Backstage, fakes: Fakes, log_in: LogIn
) -> None:
    fakes["web1"].configure([FakeProgram("job", autorestart="false", startsecs=0)])
    fakes["web1"].reboot()
    fakes["web1"].exit("job:job", status=3)
    state = backstage.services.state
    eventually(lambda: any(p.exit_status == 3 for p in state.snapshot().processes()))

    text = log_in().get("/").text

    assert "Processes with problems" in text
    assert "exit status 3" in text


def test_processes_are_filtered_by_the_url(log_in: LogIn) -> None:
    text = log_in().get("/processes?selector=scan*/celery:w1").text

    assert "scan01/celery:w1" in text
    assert "celery:w2" not in text


def test_several_selectors_in_one_box_add_up(log_in: LogIn) -> None:
    text = log_in().get("/processes?selector=@scanners+!scan02").text

    assert "scan01/celery:w2" in text
    assert 'data-process="scan02' not in text


def test_a_selector_that_matches_nothing_is_explained(log_in: LogIn) -> None:
    answer = log_in().get("/processes?selector=scna01")

    assert answer.status_code == 404
    assert "scan01" in answer.text


def test_a_misspelt_parameter_does_not_mean_everything(log_in: LogIn) -> None:
    answer = log_in().get("/processes?selectr=scan01")

    assert answer.status_code == 400
    assert "did you mean selector?" in answer.text


def test_a_viewer_sees_no_buttons(log_in: LogIn) -> None:
    viewer, operator = log_in(Role.VIEWER), log_in(Role.OPERATOR)

    for page in ("/groups", "/processes", "/hosts/scan01", "/hosts/scan01/celery:w1"):
        assert "estart" not in viewer.get(page).text, page
        assert "estart" in operator.get(page).text, page


def test_above_the_limit_of_rows_a_page_asks_for_a_selector(
    tmp_path: Path, fakes: Fakes
) -> None:
    write_inventory(tmp_path / "inventory.yaml", {"web1": "http://web1.test:9001"})
    settings = settings_for(tmp_path, table_rows=2)
    with Backstage(settings, make_supervisor=fakes.make) as made:
        wait_until_up(made.services, 1)
        program = create_app(made.services, made.engine).test_client(use_cookies=False)
        program.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {made.token(Role.VIEWER)}"

        text = program.get("/processes").text

    assert "The first 2 of 3 are shown" in text


def test_health_tells_no_detail_and_needs_no_login(client: FlaskClient) -> None:
    assert client.get("/healthz").json == {"status": "ok"}
    assert client.get("/readyz").json == {
        "status": "ok",
        "engine": "ok",
        "database": "ok",
    }


def test_metrics_count_hosts_and_processes(log_in: LogIn) -> None:
    text = log_in().get("/metrics").text

    assert 'fleet_hosts{condition="up"} 3' in text
    assert 'fleet_processes{state="RUNNING"} 9' in text
    assert "celery" not in text
