"""Consoles over fake hosts, and clients of each role."""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from supervisor_easy.access import Role
from supervisor_easy.clock import SystemClock
from supervisor_easy.model import Host
from supervisor_easy.rpc.fake import FakeSupervisor
from supervisor_easy.rpc.fake_process import FakeProgram
from supervisor_easy.web.app import create_app
from tests.web.consoles import (
    PASSWORD,
    Backstage,
    settings_for,
    wait_until_up,
    write_inventory,
)

#: What a host could send to do harm in a page.
HOSTILE = "<script>alert(1)</script>\"'&"
#: Hosts and groups of the console under test.
HOSTS = ("scan01", "scan02", "web1")
GROUPS = {"scanners": ["scan*/celery:*"], "web": ["web1/web"]}

#: How the calls begin that change something on a host.
CHANGING = ("start", "stop", "signal", "clear", "remove", "add", "reload", "restart")

LogIn = Callable[..., FlaskClient]


def programs() -> list[FakeProgram]:
    """Return what runs on each fake host."""
    return [
        FakeProgram("w1", "celery", startsecs=0),
        FakeProgram("w2", "celery", startsecs=0),
        FakeProgram("web", startsecs=0),
    ]


class Fakes(dict[str, FakeSupervisor]):
    """The fake hosts by name."""

    def make(self, host: Host) -> FakeSupervisor:
        """Return the fake of a host."""
        if host.name not in self:
            self[host.name] = FakeSupervisor(
                host, clock=SystemClock(), programs=programs()
            )
        return self[host.name]

    def writes(self) -> list[tuple[str, str]]:
        """Return every call that was more than looking."""
        return [
            call
            for fake in self.values()
            for call in fake.calls
            if call[0].startswith(CHANGING)
        ]


@pytest.fixture
def fakes() -> Fakes:
    """The fake hosts that come to be as the console asks for them."""
    return Fakes()


@pytest.fixture
def backstage(tmp_path: Path, fakes: Fakes) -> Iterator[Backstage]:
    """Services and engine over three fake hosts that answer."""
    write_inventory(
        tmp_path / "inventory.yaml",
        {name: f"http://{name}.test:9001" for name in HOSTS},
        groups=GROUPS,
        labels={"scan01": {"dc": "sh"}},
    )
    with Backstage(settings_for(tmp_path), make_supervisor=fakes.make) as made:
        wait_until_up(made.services, len(HOSTS))
        yield made


@pytest.fixture
def app(backstage: Backstage) -> Flask:
    """The console's application, forms checked as in earnest."""
    return create_app(backstage.services, backstage.engine)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser that is not logged in."""
    return app.test_client()


@pytest.fixture
def log_in(app: Flask) -> LogIn:
    """Log a new browser in, by default as an operator."""

    def log_in(role: Role = Role.OPERATOR) -> FlaskClient:
        browser = app.test_client()
        answer = post(
            browser, "/login", {"name": role.value, "password": PASSWORD}, page="/login"
        )
        assert answer.status_code == 303, answer.text
        return browser

    return log_in


@pytest.fixture
def api(app: Flask, backstage: Backstage) -> Callable[..., FlaskClient]:
    """Return a program with a token, by default an operator's."""

    def make(role: Role = Role.OPERATOR) -> FlaskClient:
        program = app.test_client(use_cookies=False)
        token = backstage.token(role)
        program.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
        return program

    return make


def form_token(browser: FlaskClient, page: str = "/processes") -> str:
    """Return the form token of a page."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', browser.get(page).text)
    assert found, f"no form on {page}"
    return found[1]


def post(
    browser: FlaskClient,
    path: str,
    form: Mapping[str, Any],
    *,
    page: str = "/processes",
) -> TestResponse:
    """Send a form as a browser does, with the token of a page."""
    return browser.post(path, data={"csrf_token": form_token(browser, page), **form})
