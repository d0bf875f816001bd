"""The server: where it listens, how it ends, what it does not swallow."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from supervisor_easy.access import Role
from supervisor_easy.errors import ConfigError
from supervisor_easy.web.server import listen
from tests.eventually import eventually
from tests.web.conftest import Fakes
from tests.web.consoles import (
    Backstage,
    RunningConsole,
    settings_for,
    write_inventory,
)
from tests.web.test_streams import Viewer

#: A console as `fleet serve` runs it, without the command line.
PROGRAM = """
import sys
from pathlib import Path
from supervisor_easy.engine import Engine
from supervisor_easy.services import build
from supervisor_easy.web.server import serve
from tests.web.consoles import settings_for
services = build(settings_for(Path(sys.argv[1])))
engine = Engine(services)
engine.start()
engine.open_journal()
engine.watch()
code = serve(services, engine, ready=lambda url: print(url, flush=True))
engine.stop()
sys.exit(code)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an inventory of one host that does not answer."""
    write_inventory(tmp_path / "inventory.yaml", {"web1": "http://127.0.0.1:9"})
    return tmp_path


@pytest.fixture
def program(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """A console in a process of its own."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    ) as process:
        yield process
        with suppress(ProcessLookupError):
            process.kill()


def url_of(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def ask(url: str, path: str, *, method: str = "GET", **options: object) -> int:
    parts = urlsplit(url)
    assert parts.hostname
    with closing(
        http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
    ) as c:
        c.request(method, path, **options)  # type: ignore[arg-type]
        return c.getresponse().status


def add_token(folder: Path) -> str:
    with Backstage(settings_for(folder), is_watching=False) as made:
        return made.token(Role.VIEWER)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order_with_streams_open(
    folder: Path, number: signal.Signals, program: "subprocess.Popen[str]"
) -> None:
    url = url_of(program)
    viewer = Viewer(url, "/api/v1/stream", token=add_token(folder))
    viewer.until("hello")

    program.send_signal(number)

    assert viewer.until("bye") == {"reason": "restart"}
    assert program.wait(15) == 0
    viewer.close()


def test_hangup_reads_the_inventory_again(
    folder: Path, program: "subprocess.Popen[str]"
) -> None:
    url = url_of(program)
    token = add_token(folder)
    write_inventory(folder / "inventory.yaml", {"other": "http://127.0.0.1:9"})

    program.send_signal(signal.SIGHUP)

    def hosts() -> list[str]:
        parts = urlsplit(url)
        assert parts.hostname
        with closing(http.client.HTTPConnection(parts.hostname, parts.port)) as link:
            headers = {"Authorization": f"Bearer {token}"}
            link.request("GET", "/api/v1/hosts", headers=headers)
            body = json.loads(link.getresponse().read())
        return [host["name"] for host in body["hosts"]]

    eventually(lambda: hosts() == ["other"], within=10)


def test_a_taken_port_is_explained() -> None:
    with listen("127.0.0.1:0") as taken:
        port = taken.getsockname()[1]

        with pytest.raises(
            ConfigError, match="it is taken, perhaps by another console"
        ):
            listen(f"127.0.0.1:{port}")


def test_answers_are_not_held_back_by_nagle() -> None:
    with listen("127.0.0.1:0") as listener:
        assert listener.proto == socket.IPPROTO_TCP


@pytest.mark.parametrize("bind", ["8080", "127.0.0.1", "127.0.0.1:99999", "x:y"])
def test_a_bad_address_is_explained(bind: str) -> None:
    with pytest.raises(ConfigError, match="write ADDRESS:PORT"):
        listen(bind)


def test_it_listens_on_a_unix_socket_and_clears_a_dead_one(folder: Path) -> None:
    path = folder / "fleet.sock"
    listen(f"unix:{path}").close()
    with RunningConsole(settings_for(folder, bind=f"unix:{path}"), is_watching=False):
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(str(path))
            link.sendall(
                b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            )
            reply = link.makefile("rb").read()
        mode = path.stat().st_mode & 0o777

    assert reply.startswith(b"HTTP/1.1 200")
    assert mode == 0o660
    assert not path.exists()


def test_a_living_consoles_socket_is_not_taken(folder: Path) -> None:
    path = folder / "fleet.sock"
    with listen(f"unix:{path}"), pytest.raises(ConfigError, match="it is taken"):
        listen(f"unix:{path}")


@pytest.fixture
def console(folder: Path, fakes: Fakes) -> Iterator[RunningConsole]:
    """A console with small limits."""
    settings = settings_for(
        folder, max_request_bytes=1000, client_timeout="500ms", url_prefix="/fleet"
    )
    with RunningConsole(
        settings, make_supervisor=fakes.make, is_watching=False
    ) as made:
        yield made


def test_a_body_that_is_too_large_is_refused(console: RunningConsole) -> None:
    assert ask(console.url, "/login", method="POST", body=b"x" * 1001) == 413


def test_a_body_without_a_length_is_bounded_too(console: RunningConsole) -> None:
    chunks = iter([b"x" * 600, b"x" * 600])

    status = ask(
        console.url,
        "/login",
        method="POST",
        body=chunks,
        encode_chunked=True,
        headers={"Transfer-Encoding": "chunked"},
    )

    assert status == 413


def test_a_body_that_never_comes_holds_no_thread(console: RunningConsole) -> None:
    parts = urlsplit(console.url)
    assert parts.hostname
    assert parts.port
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as link:
        link.sendall(
            b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n"
        )
        reply = link.makefile("rb").readline()

    assert reply.startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize("path", ["/fleet/healthz", "/healthz"])
def test_the_prefix_may_be_cut_off_by_the_proxy_or_not(
    console: RunningConsole, path: str
) -> None:
    assert ask(console.url, path) == 200
