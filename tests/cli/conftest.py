"""Two real hosts, and `fleet` over them with a database of the test's own."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from supervisor_easy.cli.root import run
from tests.cli.terminal import Terminal
from tests.daemons import Program, Supervisord, shell

#: Says a line a tenth of a second; its log rotates never.
CHATTER = (
    "i=0; while :; do i=$((i+1)); echo line $i of $SUPERVISOR_PROCESS_NAME; "
    "sleep 0.1; done"
)
PROGRAMS = (
    Program("web"),
    Program("worker", numprocs=3),
    Program("manual", autostart=False),
    Program("chatter", shell(CHATTER)),
    Program("missing", "/no/such/program", autostart=False),
    Program(
        "slow",
        shell("trap 'sleep 3; exit 0' TERM; echo up; while :; do sleep 0.05; done"),
        stopwaitsecs=20,
    ),
)


@dataclass(frozen=True)
class Result:
    """What one run of `fleet` did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The data, as JSON."""
        return json.loads(self.out)

    @property
    def rows(self) -> list[list[str]]:
        """The data, as a pipe has it."""
        return [line.split("\t") for line in self.out.splitlines()]


class Fleet:
    """The program, in an environment of the test's own."""

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        capture: pytest.CaptureFixture[str],
        patch: pytest.MonkeyPatch,
    ) -> None:
        self.environ = environ
        self._capture = capture
        for name, value in environ.items():
            patch.setenv(name, value)

    def __call__(self, *arguments: str) -> Result:
        """Run it in this process, piped."""
        self._capture.readouterr()
        code = run(arguments)
        out, err = self._capture.readouterr()
        return Result(code, out, err)

    def launch(self, *arguments: str) -> subprocess.Popen[str]:
        """Start it as a process of its own, piped."""
        return self.launch_with({}, *arguments)

    def launch_with(
        self, environ: Mapping[str, str], *arguments: str
    ) -> subprocess.Popen[str]:
        """Start it with more variables."""
        return subprocess.Popen(
            [sys.executable, "-m", "supervisor_easy", *arguments],
            env={**os.environ, **self.environ, **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def terminal(self, *arguments: str, **environ: str) -> Terminal:
        """Start it in a terminal."""
        return Terminal(arguments, environ={**os.environ, **self.environ, **environ})


@pytest.fixture(scope="session")
def web1() -> Iterator[Supervisord]:
    """A real host with some of everything."""
    with Supervisord(PROGRAMS, name="web1", username="u", password="p@ss") as host:
        yield host


@pytest.fixture(scope="session")
def web2() -> Iterator[Supervisord]:
    """A second one."""
    with Supervisord(PROGRAMS, name="web2", username="u", password="p@ss") as host:
        yield host


def inventory_of(hosts: Sequence[Supervisord], *, more: str = "") -> str:
    """Return an inventory over these hosts; `more` is hosts in YAML."""
    lines = [
        "version: 1",
        "defaults: {username: u, password: {env: FLEET_TEST_SECRET}}",
        "hosts:",
        *(f"  {h.name}: {{url: '{h.url}', labels: {{role: web}}}}" for h in hosts),
    ]
    groups = ["groups:", "  workers: ['*/worker:*']", "  webs: ['role=web/web']"]
    return "\n".join([*lines, *([more] if more else []), *groups, ""])


@pytest.fixture
def make_fleet(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[[str], Fleet]]:
    """Make `fleet` over an inventory of one's own."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    for name in list(os.environ):
        if name.startswith("FLEET_") and name != "FLEET_TEST_DAEMON":
            monkeypatch.delenv(name)

    def make(inventory: str) -> Fleet:
        (tmp_path / "inventory.yaml").write_text(inventory)
        environ = {
            "FLEET_INVENTORY": str(tmp_path / "inventory.yaml"),
            "FLEET_DATABASE_URL": f"sqlite:///{tmp_path / 'fleet.db'}",
            "FLEET_TEST_SECRET": "p@ss",
            "FLEET_POLL_INTERVAL": "500ms",
            "XDG_CACHE_HOME": str(tmp_path / "cache"),
            "XDG_STATE_HOME": str(tmp_path / "state"),
        }
        return Fleet(environ, capture=capsys, patch=monkeypatch)

    yield make
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def fleet(
    make_fleet: Callable[[str], Fleet], web1: Supervisord, web2: Supervisord
) -> Fleet:
    """`fleet` over the two real hosts."""
    return make_fleet(inventory_of([web1, web2]))


@pytest.fixture
def nowhere(make_fleet: Callable[[str], Fleet]) -> Fleet:
    """`fleet` over an inventory whose one host never answers."""
    return make_fleet(
        inventory_of(
            [], more="  dead: {url: 'http://127.0.0.1:9', labels: {role: web}}"
        )
    )
