"""Connections of clients that do nothing are closed; those that work stay."""

import http.client
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from supervisor_easy.access import Role
from tests.eventually import eventually
from tests.web.conftest import Fakes
from tests.web.consoles import RunningConsole, settings_for, write_inventory
from tests.web.test_streams import Viewer

#: Seconds within which the console must have closed; far more than its patience.
LONG = 10
HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture
def console(tmp_path: Path, fakes: Fakes) -> Iterator[RunningConsole]:
    """A console with little patience."""
    write_inventory(tmp_path / "inventory.yaml", {"web1": "http://web1.test:9001"})
    settings = settings_for(tmp_path, client_timeout="300ms")
    with RunningConsole(settings, make_supervisor=fakes.make) as made:
        yield made


def connect(console: RunningConsole) -> "closing[socket.socket]":
    parts = urlsplit(console.url)
    assert parts.hostname
    return closing(
        socket.create_connection((parts.hostname, parts.port or 80), timeout=LONG)
    )


def is_closed(link: socket.socket) -> bool:
    """Wait for the end of what the console sends; a timeout is an error."""
    while link.recv(65536):
        pass
    return True


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET", HEAD, HEAD + b"X-Half"],
    ids=["nothing", "half a line", "half a head", "half a header"],
)
def test_a_connection_without_a_complete_head_is_closed(
    console: RunningConsole, sent: bytes
) -> None:
    with connect(console) as link:
        link.sendall(sent)

        assert is_closed(link)


def test_bytes_that_trickle_in_do_not_keep_a_connection_open(
    console: RunningConsole,
) -> None:
    with connect(console) as link:
        link.sendall(HEAD)

        def is_cut() -> bool:
            try:
                link.sendall(b"X-A: b\r\n")
            except OSError:
                return True
            return False

        eventually(is_cut, within=LONG)


def test_an_idle_connection_is_closed_after_its_answer(console: RunningConsole) -> None:
    with connect(console) as link:
        link.sendall(HEAD + b"\r\n")

        assert link.recv(65536).startswith(b"HTTP/1.1 200")
        assert is_closed(link)


def test_half_a_second_request_does_not_keep_a_connection_open(
    console: RunningConsole,
) -> None:
    with connect(console) as link:
        link.sendall(HEAD + b"\r\n" + HEAD)

        assert link.recv(65536).startswith(b"HTTP/1.1 200")
        assert is_closed(link)


def test_a_connection_that_is_used_serves_one_request_after_another(
    console: RunningConsole,
) -> None:
    parts = urlsplit(console.url)
    assert parts.hostname
    with closing(http.client.HTTPConnection(parts.hostname, parts.port)) as link:
        link.connect()
        used = link.sock
        for _ in range(3):
            link.request("GET", "/healthz")
            assert link.getresponse().read()

        assert link.sock is used


def test_a_stream_outlives_the_patience(console: RunningConsole, fakes: Fakes) -> None:
    viewer = Viewer(console.url, "/api/v1/stream", token=console.token(Role.VIEWER))
    viewer.until("hello")
    with connect(console) as link:
        assert is_closed(link)  # one that began later has been given up meanwhile

    fakes["web1"].exit("web:web", status=1)

    assert viewer.until("state")
    viewer.close()
