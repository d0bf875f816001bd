"""What strangers, other sites and hostile hosts cannot do."""

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from supervisor_easy.access import Role
from supervisor_easy.model import Event, EventKind
from supervisor_easy.rpc.fake_process import FakeProgram
from supervisor_easy.web.app import create_app
from supervisor_easy.web.auth import safe_next
from supervisor_easy.web.secret_key import secret_key
from supervisor_easy.web.security import host_names
from tests.eventually import eventually
from tests.web.conftest import HOSTILE, Fakes, LogIn, form_token, post
from tests.web.consoles import (
    PASSWORD,
    Backstage,
    settings_for,
    write_inventory,
)


def test_a_form_without_its_token_is_refused(log_in: LogIn) -> None:
    answer = log_in().post("/actions", data={"action": "restart"})

    assert answer.status_code == 400
    assert "form is out of date" in answer.text


def test_a_json_request_by_cookie_needs_the_form_token(log_in: LogIn) -> None:
    body = {"action": "restart", "selectors": ["*"]}

    answer = log_in().post("/api/v1/actions", json=body)

    assert answer.status_code == 400
    assert answer.json is not None
    assert answer.json["error"]["code"] == "csrf"


def test_a_request_from_another_site_is_refused_even_with_a_token(
    api: Callable[..., FlaskClient],
) -> None:
    body = {"action": "restart", "selectors": ["*"]}
    headers = {"Sec-Fetch-Site": "cross-site"}

    answer = api().post("/api/v1/actions", json=body, headers=headers)

    assert answer.status_code == 403


def test_a_token_together_with_a_cookie_is_refused(
    log_in: LogIn, backstage: Backstage
) -> None:
    headers = {"Authorization": f"Bearer {backstage.token(Role.ADMIN)}"}

    answer = log_in().get("/api/v1/me", headers=headers)

    assert answer.status_code == 400


def test_an_unknown_token_is_told_so_and_nothing_of_itself(client: FlaskClient) -> None:
    headers = {"Authorization": "Bearer fleet_not-a-token"}

    answer = client.get("/api/v1/me", headers=headers)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert "not-a-token" not in answer.text


def test_the_session_cookie_is_kept_from_scripts_and_other_sites(
    client: FlaskClient,
) -> None:
    form = {"name": "viewer", "password": PASSWORD}
    answer = post(client, "/login", form, page="/login")

    cookie = next(c for c in answer.headers.getlist("Set-Cookie") if "session" in c)
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie


def test_over_https_the_cookies_are_secure_and_pinned_to_the_host(
    app: Flask,
) -> None:
    browser = app.test_client()
    browser.environ_base["wsgi.url_scheme"] = "https"
    page = browser.get("/login", base_url="https://localhost")
    token = page.text.split('csrf_token" value="')[1].split('"')[0]
    form = {"csrf_token": token, "name": "viewer", "password": PASSWORD}

    answer = browser.post(
        "/login",
        data=form,
        base_url="https://localhost",
        headers={"Referer": "https://localhost/login"},
    )

    assert answer.status_code == 303
    cookie = next(c for c in answer.headers.getlist("Set-Cookie") if "session" in c)
    assert cookie.startswith("__Host-")
    assert "Secure" in cookie
    assert "Strict-Transport-Security" in answer.headers


def test_without_https_no_browser_is_told_to_insist_on_it(client: FlaskClient) -> None:
    assert "Strict-Transport-Security" not in client.get("/login").headers


@pytest.mark.parametrize(
    "path", ["/login", "/nothing-here", "/api/v1/nothing", "/healthz"]
)
def test_every_answer_has_the_strict_policy(client: FlaskClient, path: str) -> None:
    headers = client.get(path).headers

    assert headers["Content-Security-Policy"].startswith(
        "default-src 'none'; script-src 'self';"
    )
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("/groups?x=1", "/groups?x=1"),
        ("", "/"),
        ("https://evil.test/", "/"),
        ("//evil.test/", "/"),
        ("/\\evil.test/", "/"),
        ("\\\\evil.test", "/"),
        ("/\tevil", "/"),
        ("javascript:alert(1)", "/"),
    ],
)
def test_after_a_login_the_browser_stays_here(wanted: str, expected: str) -> None:
    assert safe_next(wanted) == expected


def test_a_console_on_loopback_refuses_names_that_are_not_loopback(
    client: FlaskClient,
) -> None:
    answer = client.get("/login", base_url="http://rebound.evil.test:8080")

    assert answer.status_code == 403
    assert client.get("/login", base_url="http://127.0.0.1:8080").status_code == 200


def test_which_names_are_ours_follows_the_settings(tmp_path: Path) -> None:
    named = settings_for(tmp_path, allowed_hosts="Ops.example.com, 10.0.0.1:8080")

    assert host_names(named) == frozenset({"ops.example.com", "10.0.0.1"})
    assert host_names(settings_for(tmp_path, bind="0.0.0.0:80")) is None
    assert host_names(settings_for(tmp_path, trusted_proxies=1)) is None


def test_failed_logins_are_throttled_and_say_how_long(
    backstage: Backstage, client: FlaskClient
) -> None:
    limit = backstage.services.settings.login_attempts
    form = {"name": "viewer", "password": "wrong-wrong-wrong"}
    token = form_token(client, "/login")
    answers = [
        client.post("/login", data={"csrf_token": token, **form}).status_code
        for _ in range(limit + 1)
    ]

    assert answers == [401] * limit + [429]


def test_a_wrong_password_is_not_shown_again(client: FlaskClient) -> None:
    form = {"name": "viewer", "password": "my-secret-mistake"}

    assert "my-secret-mistake" not in post(client, "/login", form, page="/login").text


def test_a_logout_ends_the_session_in_the_database(
    log_in: LogIn, backstage: Backstage
) -> None:
    browser = log_in(Role.VIEWER)

    post(browser, "/logout", {}, page="/hosts")

    assert backstage.services.sessions.list("viewer") == []


def test_a_revoked_session_leads_to_the_login(
    log_in: LogIn, backstage: Backstage
) -> None:
    browser = log_in(Role.VIEWER)
    for each in backstage.services.sessions.list("viewer"):
        backstage.services.sessions.revoke(each.id)

    answer = browser.get("/groups?x=1")

    assert answer.headers["Location"].endswith("/login?next=/groups?x%3D1")


def test_the_secret_key_is_made_once_and_private(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)

    first = secret_key(settings)

    assert first == secret_key(settings)
    assert len(first) >= 32
    assert (tmp_path / "secret-key").stat().st_mode & 0o777 == 0o600


def test_text_of_a_host_is_never_markup(
    backstage: Backstage, fakes: Fakes, log_in: LogIn
) -> None:
    fakes["scan01"].configure(
        [FakeProgram(HOSTILE, "evil"), FakeProgram("w", '"><img>')]
    )
    fakes["scan01"].reboot()
    state = backstage.services.state
    eventually(
        lambda: any(p.name == HOSTILE for p in state.snapshot().processes()), within=10
    )
    event = Event(
        backstage.services.clock.now(), EventKind.NOTICE, HOSTILE, log_tail=HOSTILE
    )
    backstage.services.events.append([event])
    browser = log_in()
    pages = ["/", "/processes", "/hosts", "/hosts/scan01", "/events", "/groups"]
    pages += ["/actions/new?action=restart&selector=scan01"]

    for page in pages:
        text = browser.get(page).text
        assert "<script>alert" not in text, page
        assert '"><img>' not in text, page


def test_an_unexpected_error_tells_nothing_of_its_cause(
    backstage: Backstage, log_in: LogIn
) -> None:
    browser = log_in()
    backstage.services.store.close()
    settings = backstage.services.settings
    Path(str(settings.database_url.get_secret_value())[10:]).unlink()

    answer = browser.get("/events")

    assert answer.status_code in (500, 503)
    assert "Traceback" not in answer.text


def test_a_console_with_trusted_proxies_believes_them(tmp_path: Path) -> None:
    write_inventory(tmp_path / "inventory.yaml", {"web1": "http://web1.test:9001"})
    settings = settings_for(tmp_path, trusted_proxies=1, url_prefix="/fleet")
    with Backstage(settings, is_watching=False) as made:
        browser = create_app(made.services, made.engine).test_client()
        headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "ops.example.com"}

        answer = browser.get("/fleet/groups", headers=headers)

    assert answer.headers["Location"] == "/fleet/login?next=/groups"
    assert "Strict-Transport-Security" in answer.headers
