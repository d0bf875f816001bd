"""Every process has a page, whatever its host calls it."""

import html
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
from flask.testing import FlaskClient

from supervisor_easy.access import Role
from supervisor_easy.clock import SystemClock
from supervisor_easy.model import Host
from supervisor_easy.rpc.fake import FakeSupervisor
from supervisor_easy.rpc.fake_process import FakeProgram
from supervisor_easy.web.app import create_app
from tests.web.consoles import Backstage, settings_for, wait_until_up, write_inventory

NAMES = [
    "..",
    "a..b",
    "../../etc/passwd",
    "a/../../b",
    "//x",
    "with blank",
    "50%",
    "%2e%2e",
    "%252F",
    "a#b",
    "a?b=c",
    "größe-日本",
    "a;b=c",
    "a\\b",
    "a+b&c",
    "[x]*",
]


def make(host: Host) -> FakeSupervisor:
    programs = [FakeProgram(name, "..", startsecs=0) for name in NAMES]
    return FakeSupervisor(host, clock=SystemClock(), programs=programs)


@pytest.fixture
def viewer(tmp_path: Path) -> Iterator[FlaskClient]:
    """A program that reads pages of a host with unusual names."""
    write_inventory(tmp_path / "inventory.yaml", {"web1": "http://web1.test:9001"})
    with Backstage(settings_for(tmp_path), make_supervisor=make) as made:
        wait_until_up(made.services, 1)
        client = create_app(made.services, made.engine).test_client(use_cookies=False)
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {made.token(Role.VIEWER)}"
        yield client


def link_to(text: str, name: str) -> str:
    """Return the link that shows this name, as a browser opens it."""
    # Where group and name are the same it stands there once.
    wanted = name if name == ".." else f"..:{name}"
    for href, shown in re.findall(r'<a class="mono" href="([^"]*)">([^<]*)</a>', text):
        if html.unescape(shown) == wanted:
            return urljoin("http://localhost/hosts/web1", html.unescape(href))
    raise AssertionError(f"no link to {name}")


@pytest.mark.parametrize("name", NAMES)
def test_a_process_has_a_page_whatever_its_name(viewer: FlaskClient, name: str) -> None:
    answer = viewer.get(link_to(viewer.get("/hosts/web1").text, name))

    assert answer.status_code == 200
    assert f"<title>web1/..:{name} " in html.unescape(answer.text)


@pytest.mark.parametrize("name", NAMES)
def test_its_log_is_found_under_the_same_name(viewer: FlaskClient, name: str) -> None:
    link = link_to(viewer.get("/hosts/web1").text, name)

    assert viewer.get(f"{link}/log").status_code == 200
