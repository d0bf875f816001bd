"""Who may use which route: one table, compared with what the console really says."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from supervisor_easy.access import Role
from supervisor_easy.web.security import SAFE_METHODS, needed_by
from tests.web.conftest import LogIn, form_token

ANYBODY, VIEWER, OPERATOR, ADMIN = "anybody", "viewer", "operator", "admin"

#: The least that somebody must be, for every method of every route.
TABLE = {
    ("GET", "/static/<path:filename>"): ANYBODY,
    ("GET", "/healthz"): ANYBODY,
    ("GET", "/readyz"): ANYBODY,
    ("GET", "/login"): ANYBODY,
    ("POST", "/login"): ANYBODY,
    ("POST", "/logout"): ANYBODY,
    ("GET", "/"): VIEWER,
    ("GET", "/groups"): VIEWER,
    ("GET", "/hosts"): VIEWER,
    ("GET", "/hosts/<host>"): VIEWER,
    ("GET", "/hosts/<host>/<namespec:namespec>"): VIEWER,
    ("GET", "/hosts/<host>/<namespec:namespec>/log"): VIEWER,
    ("GET", "/processes"): VIEWER,
    ("GET", "/events"): VIEWER,
    ("GET", "/metrics"): VIEWER,
    ("GET", "/actions"): VIEWER,
    ("GET", "/actions/<operation_id>"): VIEWER,
    ("GET", "/actions/new"): OPERATOR,
    ("POST", "/actions/new"): OPERATOR,
    ("POST", "/actions"): OPERATOR,
    ("POST", "/actions/<operation_id>/cancel"): OPERATOR,
    ("GET", "/api/v1/me"): VIEWER,
    ("GET", "/api/v1/hosts"): VIEWER,
    ("GET", "/api/v1/groups"): VIEWER,
    ("GET", "/api/v1/processes"): VIEWER,
    ("GET", "/api/v1/actions"): VIEWER,
    ("GET", "/api/v1/actions/<operation_id>"): VIEWER,
    ("GET", "/api/v1/events"): VIEWER,
    ("GET", "/api/v1/logs"): VIEWER,
    ("GET", "/api/v1/logs/main"): VIEWER,
    ("GET", "/api/v1/stream"): VIEWER,
    ("GET", "/api/v1/logs/stream"): VIEWER,
    ("POST", "/api/v1/actions"): OPERATOR,
    ("POST", "/api/v1/actions/<operation_id>/cancel"): OPERATOR,
    ("POST", "/api/v1/updates/preview"): OPERATOR,
}
LEVELS = [ANYBODY, VIEWER, OPERATOR, ADMIN]


def routes(app: Flask) -> set[tuple[str, str]]:
    return {
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def path_of(rule: str) -> str:
    path = rule.replace("<path:filename>", "icon.svg").replace("<host>", "scan01")
    path = path.replace("<namespec:namespec>", "celery:w1")
    return path.replace("<operation_id>", "0123456789abcdef")


def test_the_table_names_every_route_and_no_other(app: Flask) -> None:
    assert routes(app) == set(TABLE)


def test_every_view_says_what_it_needs(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        needed_by(app, rule.endpoint)


def test_a_view_that_does_not_say_is_refused(app: Flask, log_in: LogIn) -> None:
    browser = log_in(Role.ADMIN)
    app.view_functions["forgotten"] = lambda: "secret"
    app.url_map.add(Rule("/forgotten", endpoint="forgotten", methods=["GET"]))

    answer = browser.get("/forgotten")

    assert answer.status_code == 500
    assert "secret" not in answer.text


def is_refused(browser: FlaskClient, method: str, path: str, *, token: str) -> bool:
    """Say whether the caller is told to log in, or that the role may not."""
    if method in SAFE_METHODS:
        answer = browser.open(path, method=method, buffered=True)
    else:
        answer = browser.open(path, method=method, data={"csrf_token": token})
    if path == "/login":  # a wrong password is not a closed door
        return "wrong user name" not in answer.text and answer.status_code >= 400
    if answer.status_code == 303:
        return "/login" in answer.headers["Location"] and path != "/logout"
    return answer.status_code == 401 or (
        answer.status_code == 403 and "needs the role" in answer.text
    )


@pytest.mark.parametrize("level", LEVELS)
def test_each_route_is_open_to_exactly_those_of_the_table(
    level: str, client: FlaskClient, log_in: LogIn
) -> None:
    wrong = []
    for (method, rule), needed in TABLE.items():
        browser = client if level == ANYBODY else log_in(Role(level))
        token = form_token(browser, "/login" if level == ANYBODY else "/hosts")
        refused = is_refused(browser, method, path_of(rule), token=token)
        expected = LEVELS.index(level) < LEVELS.index(needed)
        if refused is not expected:
            wrong.append(f"{method} {rule} as {level}: refused={refused}")
    assert not wrong


def test_restarting_a_supervisord_needs_an_admin(
    api: Callable[..., FlaskClient],
) -> None:
    body = {"action": "restart_supervisord", "targets": ["scan01"]}

    answer = api(Role.OPERATOR).post("/api/v1/actions", json=body)

    assert answer.status_code == 403
    assert answer.json is not None
    assert answer.json["error"]["code"] == "permission_denied"
