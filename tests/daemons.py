"""Real supervisords for tests: each in a folder of its own, on loopback.

Usable outside pytest too. However the program that started one ends, even killed, the
supervisord and its children end with it: it watches its standard input.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import xmlrpc.client
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from supervisor_easy.model import Host
from tests.eventually import eventually

#: Runs supervisord, and ends it when whoever started it is gone.
_LAUNCHER = """
import os, signal, sys, threading
def watch():
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
threading.Thread(target=watch, daemon=True).start()
from supervisor.supervisord import main
sys.argv[0] = "supervisord"
main()
"""
_LIST_METHODS = xmlrpc.client.dumps((), "system.listMethods").encode()
_INTERFACE = (
    "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory="
    "supervisor.rpcinterface:make_main_rpcinterface\n"
)
#: Marks every process of a daemon, so that teardown finds those it lost.
_MARK = "FLEET_TEST_DAEMON"
#: How often another port is tried when someone else was quicker.
_PORT_TRIES = 5
#: Seconds in which a supervisord answers, or has ended, on a loaded machine.
_PATIENCE = 20.0
#: Longest path of a unix socket, in bytes.
_MAX_SOCKET_PATH = 100


class DaemonFailed(RuntimeError):
    """A supervisord did not do what a test needs; the text holds its log."""


@dataclass(frozen=True)
class Program:
    """One `[program:x]` section; `options` adds or replaces any key."""

    name: str = "web"
    command: str = "/bin/sleep 1000000"
    startsecs: int = 0
    autostart: bool = True
    autorestart: str = "false"
    stopwaitsecs: int = 5
    numprocs: int = 1
    options: Mapping[str, object] = field(default_factory=dict)

    def section(self) -> str:
        """Return the section as text."""
        keys: dict[str, object] = {
            "command": self.command,
            "startsecs": self.startsecs,
            "autostart": str(self.autostart).lower(),
            "autorestart": self.autorestart,
            "stopwaitsecs": self.stopwaitsecs,
        }
        if self.numprocs > 1:
            keys["numprocs"] = self.numprocs
            keys["process_name"] = "%(program_name)s_%(process_num)02d"
        keys |= self.options
        lines = [f"{key}={value}" for key, value in keys.items()]
        return "\n".join([f"[program:{self.name}]", *lines, ""])


def shell(script: str) -> str:
    """Return a command that runs a shell script without quotes of the double kind."""
    return f'/bin/sh -c "{script}"'.replace("%", "%%")


class Supervisord:
    """One real supervisord: start, stop, kill, freeze, and look at it from outside."""

    def __init__(
        self,
        programs: Sequence[Program] = (Program(),),
        *,
        name: str = "local",
        folder: Path | None = None,
        groups: Mapping[str, Sequence[str]] | None = None,
        username: str | None = None,
        password: str | None = None,
        is_unix: bool = False,
        python_path: Path | None = None,
        extra_config: str = "",
        has_interface: bool = True,
        request_timeout: timedelta = timedelta(seconds=10),
    ) -> None:
        """Write the configuration; `python_path` holds another supervisor release."""
        self._is_ours = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="fleet-"))
        self.folder.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.username = username
        self.password = password
        self._socket = self.folder / "s.sock" if is_unix else None
        if self._socket and len(os.fsencode(self._socket)) > _MAX_SOCKET_PATH:
            raise DaemonFailed(f"too long for a socket: {self._socket}")
        self._python_path = python_path
        self._extra_config = extra_config
        self._has_interface = has_interface
        self._request_timeout = request_timeout
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self.configure(programs, groups=groups or {})

    def __enter__(self) -> Self:
        """Start it."""
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it and remove its folder."""
        self.close()

    @property
    def url(self) -> str:
        """Where it answers, without credentials."""
        if self._socket:
            return f"unix://{self._socket}"
        return f"http://127.0.0.1:{self._port}"

    @property
    def host(self) -> Host:
        """It as a host of the inventory."""
        return Host(
            name=self.name,
            url=self.url,
            username=self.username,
            password=self.password,
            request_timeout=self._request_timeout,
        )

    @property
    def pid(self) -> int:
        """The pid of supervisord."""
        return self._running().pid

    def configure(
        self,
        programs: Sequence[Program],
        *,
        groups: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Replace programs and groups; in force after a start, or reread and update."""
        self._programs = "\n".join(program.section() for program in programs)
        self._groups = "\n".join(
            f"[group:{group}]\nprograms={','.join(members)}\n"
            for group, members in (groups or {}).items()
        )
        self._write_config()

    def start(self) -> Self:
        """Start it and wait until it answers; again on the same address."""
        if self._process is not None:
            raise DaemonFailed("it runs already")
        for _ in range(_PORT_TRIES):
            had_port = self._port
            self._port = had_port or _free_port()
            self._write_config()
            self._launch()
            if self._has_come_up():
                return self
            self._forget()
            if had_port or not self._lost_the_port():
                break
            self._port = 0
        raise DaemonFailed(f"supervisord did not start:\n{self.log()}")

    def stop(self) -> None:
        """End it as an operator would: TERM, and its children end too."""
        process = self._running()
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
        self._forget()

    def kill(self, *, with_children: bool = True) -> None:
        """Kill it as a crash would, by default the whole host's processes."""
        self._running().kill()
        self._forget(with_children=with_children)

    def freeze(self) -> None:
        """Stop it from answering, connections stay open (SIGSTOP)."""
        self._running().send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Undo `freeze`."""
        self._running().send_signal(signal.SIGCONT)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Freeze it for the length of the block."""
        self.freeze()
        try:
            yield
        finally:
            self.thaw()

    @contextmanager
    def outage(self) -> Iterator[None]:
        """Kill it; it starts again at the block's end."""
        self.kill()
        try:
            yield
        finally:
            self.start()

    def close(self) -> None:
        """End it and everything it started, without ceremony; remove its folder."""
        if self._process is not None:
            self.kill()
        self._kill_marked()
        if self._is_ours:
            shutil.rmtree(self.folder, ignore_errors=True)

    def log(self) -> str:
        """Return supervisord's own log and output."""
        return "".join(
            path.read_text(errors="replace")
            for path in (self.folder / "supervisord.log", self.folder / "output")
            if path.exists()
        )

    def log_file(self, process: str, stream: str = "stdout") -> Path:
        """Return where the log of a process is."""
        return Path(str(self.info(process)[f"{stream}_logfile"]))

    def call(self, method: str, *params: object) -> object:
        """Call it by other means than the code under test."""
        text = xmlrpc.client.dumps(params, f"supervisor.{method}").encode()  # type: ignore[arg-type]
        reply = self._post(text).decode()
        (value,), _ = xmlrpc.client.loads(reply)
        return value

    def info(self, process: str) -> dict[str, object]:
        """Return `getProcessInfo` of a process, by other means."""
        info = self.call("getProcessInfo", process)
        assert isinstance(info, dict)
        return info

    def state(self, process: str) -> str:
        """Return the name of a process's state."""
        return str(self.info(process)["statename"])

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise DaemonFailed("it does not run")
        return self._process

    def _write_config(self) -> None:
        here = self.folder
        secret = ""
        if self.username is not None:
            password = (self.password or "").replace("%", "%%")
            secret = f"username={self.username}\npassword={password}\n"
        server = (
            f"[unix_http_server]\nfile={self._socket}\n{secret}"
            if self._socket
            else f"[inet_http_server]\nport=127.0.0.1:{self._port}\n{secret}"
        )
        (here / "supervisord.conf").write_text(
            f"[supervisord]\nlogfile={here}/supervisord.log\n"
            f"pidfile={here}/supervisord.pid\nchildlogdir={here}\n"
            f"identifier={self.name}\nnodaemon=true\n"
            f'environment={_MARK}="{here}"\n'
            f"{_INTERFACE if self._has_interface else ''}"
            f"{server}\n{self._extra_config}\n{self._programs}\n{self._groups}\n"
        )

    def _launch(self) -> None:
        environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
        if self._python_path:
            environment["PYTHONPATH"] = str(self._python_path)
        with (self.folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _LAUNCHER, "-n", "-c", "supervisord.conf"],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                # A Ctrl-C at the terminal is for the tests, which then stop us.
                start_new_session=True,
            )

    def _has_come_up(self) -> bool:
        process = self._running()
        with suppress(AssertionError):
            eventually(
                lambda: process.poll() is not None or self._answers(), within=_PATIENCE
            )
        return process.poll() is None and self._answers()

    def _answers(self) -> bool:
        try:
            if not self._has_interface:
                return bool(self._post(_LIST_METHODS))
            return self.call("getPID") == self.pid
        except (OSError, xmlrpc.client.Fault, ValueError, DaemonFailed):
            return False

    def _lost_the_port(self) -> bool:
        return "another program is already listening" in self.log().lower()

    def _post(self, body: bytes) -> bytes:
        """Exchange one body over a plain socket."""
        head = f"POST /RPC2 HTTP/1.0\r\nContent-Length: {len(body)}\r\n"
        if self.username is not None:
            secret = b64encode(f"{self.username}:{self.password or ''}".encode())
            head += f"Authorization: Basic {secret.decode()}\r\n"
        family = socket.AF_UNIX if self._socket else socket.AF_INET
        with socket.socket(family) as link:
            link.settimeout(_PATIENCE)
            link.connect(
                str(self._socket) if self._socket else ("127.0.0.1", self._port)
            )
            link.sendall(f"{head}\r\n".encode() + body)
            reply = b"".join(iter(lambda: link.recv(65536), b""))
        head_end = reply.index(b"\r\n\r\n")
        if b" 200 " not in reply[:head_end].splitlines()[0]:
            raise DaemonFailed(f"it answered {reply[:head_end]!r}")
        return reply[head_end + 4 :]

    def _forget(self, *, with_children: bool = True) -> None:
        process = self._running()
        if process.poll() is None:
            process.kill()
        process.wait()
        if process.stdin:
            process.stdin.close()
        self._process = None
        if with_children:
            self._kill_marked()

    def _kill_marked(self) -> None:
        mark = f"{_MARK}={self.folder}".encode()
        for entry in Path("/proc").iterdir():
            if not entry.name.isdecimal():
                continue
            with suppress(OSError):
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    os.kill(int(entry.name), signal.SIGKILL)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
