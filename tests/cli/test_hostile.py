"""Names from hosts, settings and consoles that mean harm, and numbers beyond all limits."""

import os
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from supervisor_easy.cli.complete import remember
from supervisor_easy.model import Host, Process, ProcessState
from supervisor_easy.selector import Catalog
from tests.cli.conftest import Fleet
from tests.cli.terminal import Terminal


def remember_processes(fleet: Fleet, *groups: str) -> None:
    """Let completion know processes of these names."""
    state = ProcessState.RUNNING
    remember(
        fleet.environ["FLEET_INVENTORY"],
        Catalog(
            hosts={"dead": Host("dead", "http://127.0.0.1:9")},
            groups={},
            processes=[
                Process("dead", each, "x", state, 0, 0, 0, 0, 0, "", "", "", "")
                for each in groups
            ],
        ),
    )


@pytest.fixture
def shell(nowhere: Fleet, tmp_path: Path) -> Iterator[Terminal]:
    """An interactive bash that completes `fleet`."""
    program = tmp_path / "bin" / "fleet"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m supervisor_easy "$@"\n')
    program.chmod(0o755)
    environ = {
        **os.environ,
        **nowhere.environ,
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "PS1": "$ ",
        "PYTHONPATH": str(Path.cwd()),
        "HISTFILE": "",
    }
    with Terminal(
        ("--norc", "--noprofile", "-i"), environ=environ, program=("/bin/bash",)
    ) as terminal:
        terminal.type(f"cd {tmp_path}\n")
        # Its prompt comes when the keys are its own, no longer the terminal's.
        terminal.type('eval "$(fleet completion bash)"; PS1=rea""dy:\n')
        terminal.expect("ready:")
        yield terminal


def test_tab_and_enter_run_nothing_that_a_host_named(
    nowhere: Fleet, shell: Terminal, tmp_path: Path
) -> None:
    remember_processes(nowhere, f"celery;touch${{IFS}}{tmp_path}/owned")

    shell.type("fleet status dead/cel\t\n")
    shell.type('echo fin""ished\n')
    shell.expect("finished")

    assert not (tmp_path / "owned").exists()


def test_a_completed_glob_stays_one_word(
    nowhere: Fleet, shell: Terminal, tmp_path: Path
) -> None:
    remember_processes(nowhere, "beat*")
    for name in ("dead", "dead/beat-a:x", "dead/beat-b:x"):
        path = tmp_path / name
        path.mkdir() if name == "dead" else path.touch()

    shell.type("fleet status dead/bea\t")
    shell.expect("t*")  # a bell may ring within the word

    assert "beat-a" not in shell.text


@pytest.mark.parametrize(
    "name", ["a;b", "a b", "a$b", "a`b", "a'b", 'a"b', "a\\b", "a|b", "a&b", "a!b"]
)
def test_a_word_that_a_shell_would_act_on_is_not_offered(
    nowhere: Fleet, name: str
) -> None:
    remember_processes(nowhere, name, "ok")
    with nowhere.launch_with(
        {"_FLEET_COMPLETE": "bash_complete", "COMP_LINE": "fleet status dead/"}
    ) as it:
        out, _ = it.communicate()

    assert out.split() == ["dead/ok", "dead/ok:x"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("events", "--since", "99999999d"),
        ("events", "--since", "9" * 400 + "d"),
        ("events", "--since", "0001-01-01T00:00+14:00"),
        ("events", "--since", "9999-12-31T23:59-14:00"),
        ("token", "create", "x", "--expires", "99999999d"),
        ("token", "create", "x", "--expires", "99999999999999d"),
        ("token", "revoke", "999999999999999999999"),
        ("token", "revoke", "0"),
    ],
    ids=" ".join,
)
def test_a_number_beyond_all_limits_is_bad_usage(
    nowhere: Fleet, arguments: tuple[str, ...]
) -> None:
    result = nowhere(*arguments)

    assert result.code == 2
    assert "fault of fleet" not in result.err


@pytest.mark.parametrize("span", ["99999999999999d", "9" * 400 + "d"])
def test_a_setting_beyond_all_limits_is_bad_usage(
    nowhere: Fleet, monkeypatch: pytest.MonkeyPatch, span: str
) -> None:
    monkeypatch.setenv("FLEET_POLL_INTERVAL", span)

    assert nowhere("hosts").code == 2


@pytest.mark.parametrize("key", ["0123456789abcde", "x" + " " * 20])
def test_a_short_key_signs_no_cookies(
    nowhere: Fleet, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("FLEET_SECRET_KEY", key)
    result = nowhere("hosts")

    assert result.code == 2
    assert "FLEET_SECRET_KEY" in result.err
    assert key not in result.err


class _Silent(BaseHTTPRequestHandler):
    """A console that begins a stream and says no more, or says goodbye."""

    goodbye = b""
    is_over = threading.Event()

    def do_GET(self) -> None:
        is_stream = "stream" in self.path
        body = b"" if is_stream else b'{"processes": [], "blind_hosts": []}'
        self.send_response(200)
        if not is_stream:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body + (self.goodbye if is_stream else b""))
        self.wfile.flush()
        if is_stream and not self.goodbye:
            self.is_over.wait(30)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize(
    ("goodbye", "told"),
    [(b"", "no sign of life for 0.3 s"), (b": bye: restart\n\n", "stream: restart")],
)
def test_a_stream_that_ends_says_why(
    nowhere: Fleet, monkeypatch: pytest.MonkeyPatch, goodbye: bytes, told: str
) -> None:
    handler = type("Handler", (_Silent,), {"goodbye": goodbye})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("FLEET_SERVER", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("FLEET_TOKEN", "fleet_x")
        monkeypatch.setenv("FLEET_SERVER_SILENCE", "300ms")
        result = nowhere("logs", "web1", "-f")
        _Silent.is_over.set()
        server.shutdown()
        thread.join()
    _Silent.is_over.clear()

    assert result.code == 1
    assert told in result.err
