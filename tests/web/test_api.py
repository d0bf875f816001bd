"""The API: its shapes, its strictness, one error shape everywhere."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from supervisor_easy.access import Role
from supervisor_easy.model import Event, EventKind
from supervisor_easy.rpc.fake_trouble import Trouble
from supervisor_easy.wire import operation_from_dict
from tests.eventually import eventually
from tests.web.conftest import Fakes, LogIn
from tests.web.consoles import Backstage
from tests.web.test_access import path_of

Api = Callable[..., FlaskClient]
ACTIONS = "/api/v1/actions"


def json_of(answer: TestResponse) -> Any:
    assert answer.is_json, answer.text
    return answer.json


def error_of(answer: TestResponse) -> str:
    body = json_of(answer)
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message", "details"}
    return str(body["error"]["code"])


def ended(program: FlaskClient, operation_id: str) -> Any:
    """Wait for an operation to end."""

    def look() -> Any:
        found = json_of(program.get(f"{ACTIONS}/{operation_id}"))
        return found if found["status"] != "running" else None

    return eventually(look, within=15)


def test_me_says_who_is_asking(api: Api) -> None:
    body = json_of(api(Role.VIEWER).get("/api/v1/me"))

    assert body == {
        "name": "token:test viewer",
        "role": "viewer",
        "via": "api",
        "confirm_above": 10,
    }


def test_hosts_and_groups_are_told_with_counts(api: Api) -> None:
    hosts = json_of(api().get("/api/v1/hosts"))["hosts"]
    groups = json_of(api().get("/api/v1/groups"))["groups"]

    assert [host["name"] for host in hosts] == ["scan01", "scan02", "web1"]
    assert hosts[0]["counts"] == {"RUNNING": 3}
    assert groups[0] == {
        "name": "scanners",
        "members": ["scan*/celery:*"],
        "counts": {"RUNNING": 4},
        "targets": 4,
        "stale": 0,
        "blind_hosts": [],
    }


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 9),
        ("?selector=@scanners&selector=!scan02", 2),
        ("?group=web", 1),
        ("?host=scan*&state=RUNNING", 6),
        ("?label=dc%3Dsh", 3),
    ],
)
def test_processes_are_selected_by_the_url(api: Api, query: str, count: int) -> None:
    body = json_of(api().get(f"/api/v1/processes{query}"))

    assert len(body["processes"]) == count
    assert set(body) == {"processes", "blind_hosts", "version"}


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/v1/processes?selector=[", 400, "bad_selector"),
        ("/api/v1/processes?selector=scna01", 404, "empty_selection"),
        ("/api/v1/processes?selectr=x", 400, "bad_request"),
        ("/api/v1/events?since=yesterday", 400, "bad_request"),
        ("/api/v1/events?limit=0", 400, "bad_request"),
        ("/api/v1/events?kind=x", 400, "bad_request"),
        ("/api/v1/actions/nope", 404, "not_found"),
        ("/api/v1/actions?before=nope", 404, "not_found"),
        ("/api/v1/logs", 400, "bad_request"),
        ("/api/v1/logs?selector=*&stream=x", 400, "bad_request"),
        ("/api/v1/logs/stream?selector=*&grep=(", 500, "bad_pattern"),
        ("/api/v1/logs/main?host=nope", 404, "not_found"),
        ("/api/v1/stream", 503, "too_many_streams"),
        ("/api/v1/nothing", 404, "not_found"),
    ],
)
def test_what_cannot_be_answered_is_explained(
    api: Api, path: str, status: int, code: str
) -> None:
    answer = api().get(path)

    status = 400 if code == "bad_pattern" else status
    assert (answer.status_code, error_of(answer)) == (status, code)


def test_every_route_has_the_one_error_shape(app: Flask, client: FlaskClient) -> None:
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/api/"):
            path = path_of(rule.rule)
            for method in ("GET", "POST", "PUT", "DELETE", "PATCH"):
                answer = client.open(path, method=method)
                assert answer.status_code in (400, 401, 405), (method, path)
                error_of(answer)


def test_an_unexpected_error_has_the_one_shape_too(app: Flask, api: Api) -> None:
    def broken() -> str:
        raise ZeroDivisionError("secret detail")

    broken.fleet_needs = None  # type: ignore[attr-defined]
    app.view_functions["api.me"] = broken

    answer = api().get("/api/v1/me")

    assert (answer.status_code, error_of(answer)) == (500, "internal")
    assert "secret detail" not in answer.text


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"action": "explode", "selectors": ["*"]},
        {"action": "restart"},
        {"action": "restart", "selectors": "*"},
        {"action": "restart", "selectors": ["*"], "dryrun": True},
        {"action": "restart", "selectors": ["*"], "dry_run": 1},
        {"action": "restart", "selectors": ["*"], "targets": ["scan01/celery:w1"]},
        {"action": "restart", "selectors": ["*"], "signal": "HUP"},
        {"action": "signal", "selectors": ["*"], "signal": "NOPE"},
        {"action": "restart", "targets": ["scan01"]},
        {"action": "restart", "targets": ["scan01/celery:w1"], "expected": {"x": "1"}},
        {"action": "update", "selectors": ["*"]},
        {"action": "update", "targets": ["scan01/celery:w1"]},
    ],
)
def test_a_body_that_is_not_as_it_should_be_is_refused(
    api: Api, fakes: Fakes, body: dict[str, Any]
) -> None:
    answer = api().post(ACTIONS, json=body)

    assert (answer.status_code, error_of(answer)) == (400, "bad_request")
    assert fakes.writes() == []


def test_a_body_must_be_declared_as_json(api: Api) -> None:
    answer = api().post(ACTIONS, data='{"action": "restart"}')

    assert (answer.status_code, error_of(answer)) == (415, "unsupported_media_type")


def test_a_dry_run_tells_and_does_nothing(api: Api, fakes: Fakes) -> None:
    body = {"action": "restart", "selectors": ["scan01/celery:w1"], "dry_run": True}

    answer = json_of(api().post(ACTIONS, json=body))

    assert answer["targets"][0] | {"pid": 0} == {
        "target": "scan01/celery:w1",
        "state": "RUNNING",
        "pid": 0,
        "will": "restart",
        "note": "",
    }
    assert fakes.writes() == []


def test_an_operation_is_begun_and_followed_to_its_end(api: Api) -> None:
    program = api()

    answer = program.post(ACTIONS, json={"action": "restart", "groups": ["scanners"]})

    begun = json_of(answer)
    assert answer.status_code == 202
    assert (begun["blind_hosts"], begun["waiting"]) == ([], {})
    done = ended(program, begun["id"])
    assert done["summary"]["changed"] == 4
    assert operation_from_dict(done).id == begun["id"]
    listed = json_of(program.get(ACTIONS))
    assert [each["id"] for each in listed["actions"]] == [begun["id"]]
    assert listed["next_before"] is None


def test_a_repeated_key_returns_the_first_operation(api: Api) -> None:
    program = api()
    body = {"action": "restart", "selectors": ["scan01/celery:w1"]}
    headers = {"Idempotency-Key": "k1"}

    first = json_of(program.post(ACTIONS, json=body, headers=headers))
    ended(program, first["id"])
    second = json_of(program.post(ACTIONS, json=body, headers=headers))

    assert first["id"] == second["id"]


def test_a_pid_that_is_not_what_was_expected_is_a_conflict(
    api: Api, fakes: Fakes
) -> None:
    body = {
        "action": "restart",
        "targets": ["scan01/celery:w1"],
        "expected": {"scan01/celery:w1": 1},
    }

    answer = api().post(ACTIONS, json=body)

    assert (answer.status_code, error_of(answer)) == (409, "stale")
    assert json_of(answer)["error"]["details"] == {"targets": ["scan01/celery:w1"]}
    assert fakes.writes() == []


def test_an_unknown_target_is_named(api: Api) -> None:
    body = {"action": "restart", "targets": ["scan01/celery:w9"]}

    answer = api().post(ACTIONS, json=body)

    assert (answer.status_code, error_of(answer)) == (404, "not_found")
    assert "scan01/celery:w9" in answer.text


def test_an_update_is_previewed_host_by_host(api: Api, fakes: Fakes) -> None:
    fakes["scan02"].trouble = Trouble.REFUSED

    body = json_of(api().post("/api/v1/updates/preview", json={"hosts": ["scan*"]}))

    assert [each["host"] for each in body] == ["scan01", "scan02"]
    assert (body[0]["changed"], body[0]["error"]) == ([], None)
    assert body[1]["error"]


def test_logs_are_read_from_their_hosts(api: Api, fakes: Fakes) -> None:
    fakes["scan01"].write("celery:w1", b"one\ntwo\n")

    body = json_of(api().get("/api/v1/logs?selector=scan01/celery:w1&lines=1"))

    (entry,) = body["entries"]
    assert (entry["host"], entry["process"]) == ("scan01", "celery:w1")
    assert (entry["kind"], entry["text"]) == ("line", "two")


def test_supervisords_own_log_is_read(api: Api, fakes: Fakes) -> None:
    fakes["scan01"].main_log.write(b"hello from supervisord\n")

    body = json_of(api().get("/api/v1/logs/main?host=scan01"))

    assert body["text"] == "hello from supervisord\n"


def test_events_come_in_pages(api: Api, backstage: Backstage) -> None:
    now = backstage.services.clock.now()
    made = [Event(now, EventKind.NOTICE, f"n{i}") for i in range(5)]
    backstage.services.events.append(made)
    program = api()

    first = json_of(program.get("/api/v1/events?kind=notice&limit=3"))
    path = f"/api/v1/events?kind=notice&limit=3&before_id={first['next_id']}"
    second = json_of(program.get(path))

    assert [e["message"] for e in first["events"]] == ["n4", "n3", "n2"]
    assert [e["message"] for e in second["events"]] == ["n1", "n0"]
    assert second["next_id"] is None


def test_events_are_selected_by_name_also_of_processes_that_are_gone(
    api: Api, backstage: Backstage
) -> None:
    now = backstage.services.clock.now()
    gone = Event(now, EventKind.PROCESS, "gone", host="scan01", group="old", name="old")
    other = Event(now, EventKind.PROCESS, "other", host="web1", group="w", name="w")
    backstage.services.events.append([gone, other])

    body = json_of(api().get("/api/v1/events?selector=scan01/old&kind=process"))

    assert [each["message"] for each in body["events"]] == ["gone"]


@pytest.mark.parametrize(
    "other",
    [
        {"action": "stop", "targets": ["scan01/celery:w1"]},
        {"action": "restart", "targets": ["web1/web:web"]},
        {"action": "restart", "targets": ["scan01/celery:w1", "web1/web:web"]},
        {"action": "signal", "signal": "HUP", "targets": ["scan01/celery:w1"]},
    ],
    ids=["action", "target", "more targets", "signal"],
)
def test_a_key_that_was_used_for_something_else_is_refused(
    api: Api, fakes: Fakes, other: dict[str, Any]
) -> None:
    program = api()
    key = {"Idempotency-Key": "k1"}
    first = {"action": "restart", "targets": ["scan01/celery:w1"]}
    ended(program, json_of(program.post(ACTIONS, json=first, headers=key))["id"])
    writes = fakes.writes()

    answer = program.post(ACTIONS, json=other, headers=key)

    assert answer.status_code == 409
    assert error_of(answer) == "stale"
    assert fakes.writes() == writes


def test_a_key_with_another_signal_is_refused(api: Api) -> None:
    program = api()
    key = {"Idempotency-Key": "k1"}
    body = {"action": "signal", "targets": ["scan01/celery:w1"]}
    first = program.post(ACTIONS, json={**body, "signal": "HUP"}, headers=key)

    other = program.post(ACTIONS, json={**body, "signal": "USR1"}, headers=key)
    again = program.post(ACTIONS, json={**body, "signal": "HUP"}, headers=key)

    assert error_of(other) == "stale"
    assert json_of(again)["id"] == json_of(first)["id"]


@pytest.mark.parametrize(
    "since",
    [
        "0001-01-01T00:00:00%2B14:00",
        "9999-12-31T23:59:59-14:00",
        "99999999999d",
        "2026-11-20T12:00:00",
    ],
)
def test_a_moment_that_cannot_be_is_a_bad_request(api: Api, since: str) -> None:
    answer = api().get(f"/api/v1/events?since={since}")

    assert answer.status_code == 400
    assert error_of(answer) == "bad_request"


def break_database(backstage: Backstage) -> None:
    """Take a table away."""
    url = backstage.services.settings.database_url.get_secret_value()
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database:
        database.execute("ALTER TABLE event RENAME TO elsewhere")


def test_a_page_tells_no_more_of_a_failed_database(
    backstage: Backstage, log_in: LogIn
) -> None:
    browser = log_in(Role.VIEWER)
    break_database(backstage)

    answer = browser.get("/events")

    assert answer.status_code == 503
    assert "the database cannot be used; the console&#39;s log says more" in answer.text
    assert "fleet.db" not in answer.text


def test_an_error_of_the_database_tells_a_caller_neither_place_nor_statement(
    api: Api, backstage: Backstage, caplog: pytest.LogCaptureFixture
) -> None:
    program = api(Role.VIEWER)
    break_database(backstage)

    answer = program.get("/api/v1/events")

    assert answer.status_code == 503
    assert json_of(answer)["error"] == {
        "code": "store",
        "message": "the database cannot be used; the console's log says more",
        "details": {},
    }
    (line,) = [each for each in caplog.messages if each.startswith("request failed")]
    assert "no such table" in line
    assert "\n" not in line
