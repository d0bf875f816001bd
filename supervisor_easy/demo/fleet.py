"""`DemoFleet`: starts the demo's supervisords, and ends every trace of them.

It knows no console: who wants one runs it over `inventory_path`.
"""

import contextlib
import importlib.util
import logging
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, TracebackType
from typing import NoReturn, Self

from supervisor_easy.demo import processes
from supervisor_easy.demo.folder import Claim, claim
from supervisor_easy.demo.layout import (
    HOSTS,
    DemoHost,
    inventory_yaml,
    supervisord_conf,
)
from supervisor_easy.errors import ConfigError, HostUnreachable
from supervisor_easy.settings import state_folder

logger = logging.getLogger(__name__)

#: Seconds for a supervisord to come up, and for all to end before they are killed.
START_DEADLINE = 20.0
STOP_GRACE = 2.0
#: Between looks at a supervisord that is coming up.
_LOOK_SECONDS = 0.02
#: Somebody may take a free port before supervisord does.
_PORT_TRIES = 5
_LAUNCHER = Path(__file__).with_name("launch.py")
#: What supervisord and its workers see of our environment: no FLEET_ secrets.
_ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "PYTHONPATH")
_ENDING_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class DemoFleet:
    """A real fleet on loopback, in one private folder, gone when it is stopped.

    As a context manager it also turns TERM and HUP into an orderly end.
    """

    def __init__(self, folder: Path | None = None, *, base: Path | None = None) -> None:
        """Do nothing yet; without a `folder`, one is made under `base`."""
        self._wanted = folder
        self._base = base or state_folder() / "demo"
        self._claim: Claim | None = None
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        self._handlers: dict[signal.Signals, object] = {}

    @property
    def folder(self) -> Path:
        """The private folder; there only while the demo runs."""
        if self._claim is None:
            raise RuntimeError("the demo is not running")
        return self._claim.folder

    @property
    def inventory_path(self) -> Path:
        """The inventory over the demo's hosts."""
        return self.folder / "inventory.yaml"

    @property
    def host_names(self) -> tuple[str, ...]:
        """The hosts, in inventory order."""
        return tuple(host.name for host in HOSTS)

    @property
    def process_count(self) -> int:
        """How many processes the hosts are configured to have."""
        return sum(host.process_count for host in HOSTS)

    def start(self) -> None:
        """Clear up after dead demos, then start every host and await each.

        Raises:
            ConfigError: supervisor is not installed, or the folder cannot be used.
            HostUnreachable: a supervisord did not come up; the text says its words.
        """
        if self._claim is not None:
            raise RuntimeError("the demo is running already")
        _require_supervisor()
        self._claim = claim(self._wanted, base=self._base)
        try:
            self._start_all()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End every process of the demo and remove its folder; harmless twice.

        A few seconds at most: who will not end by himself is killed.
        """
        if self._claim is None:
            return
        with _undisturbed():
            for daemon in self._daemons.values():
                daemon.terminate()
            self._await_ends(STOP_GRACE)
            stubborn = processes.kill_all(self._claim.folder)
            self._await_ends(STOP_GRACE)
            if stubborn:
                logger.warning("demo processes would not end pids=%s", stubborn)
            self._daemons.clear()
            self._claim.remove()
            self._claim = None

    def __enter__(self) -> Self:
        """Start, with TERM and HUP ending the block as Ctrl-C does."""
        if threading.current_thread() is threading.main_thread():
            self._handlers = {
                number: signal.signal(number, _leave) for number in _ENDING_SIGNALS
            }
        try:
            self.start()
        except BaseException:
            self._restore_handlers()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        try:
            self.stop()
        finally:
            self._restore_handlers()

    def _restore_handlers(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._handlers = {}

    def _start_all(self) -> None:
        password = secrets.token_urlsafe(24)
        password_file = self.folder / "password"
        _write_private(password_file, password)
        ports = dict(zip(self.host_names, _free_ports(len(HOSTS)), strict=True))
        # All launched before any is awaited: they take their half second together.
        for host in HOSTS:
            self._launch(host, ports[host.name], password)
        for host in HOSTS:
            ports[host.name] = self._await_start(host, ports[host.name], password)
        text = inventory_yaml(ports, password_file=password_file)
        _write_private(self.inventory_path, text)

    def _launch(self, host: DemoHost, port: int, password: str) -> None:
        place = self.folder / host.name
        (place / "logs").mkdir(parents=True, exist_ok=True)
        conf = supervisord_conf(
            host, self.folder, port=port, password=password, is_root=os.getuid() == 0
        )
        _write_private(place / "supervisord.conf", conf)
        with (place / "supervisord.out").open("wb") as words:
            self._daemons[host.name] = subprocess.Popen(  # noqa: S603 (our own words)
                [
                    *(sys.executable, str(_LAUNCHER), str(_parent_to_die_with())),
                    *("-n", "-c", str(place / "supervisord.conf")),
                ],
                cwd=place,
                env={k: v for k in _ENVIRONMENT if (v := os.environ.get(k))},
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=subprocess.STDOUT,
                # A Ctrl-C on the terminal is for us; we end them in order.
                start_new_session=True,
            )

    def _await_start(self, host: DemoHost, port: int, password: str) -> int:
        """Wait until the host listens; return its port, a new one if it was taken."""
        for _ in range(_PORT_TRIES):
            words = self._await_pidfile(host)
            if words is None:
                logger.debug("demo host is up host=%s port=%d", host.name, port)
                return port
            if "already listening" not in words:
                break
            port = _free_ports(1)[0]
            self._launch(host, port, password)
        raise HostUnreachable(
            f"{host.name}: supervisord of the demo ended at once: {words}",
            host=host.name,
            reason="closed",
        )

    def _await_pidfile(self, host: DemoHost) -> str | None:
        """Return None once supervisord is up; its last words if it ended instead.

        It writes its pid only after its port is open.
        """
        daemon, place = self._daemons[host.name], self.folder / host.name
        pidfile = place / "supervisord.pid"
        give_up_at = time.monotonic() + START_DEADLINE
        while time.monotonic() < give_up_at:
            if pidfile.exists() and pidfile.read_text().strip() == str(daemon.pid):
                return None
            with contextlib.suppress(subprocess.TimeoutExpired):
                daemon.wait(_LOOK_SECONDS)
                words = (place / "supervisord.out").read_text(errors="replace")
                return words.strip()[-500:] or f"exit code {daemon.returncode}"
        raise HostUnreachable(
            f"{host.name}: supervisord of the demo is not up after {START_DEADLINE} s",
            host=host.name,
            reason="timeout",
        )

    def _await_ends(self, seconds: float) -> None:
        give_up_at = time.monotonic() + seconds
        for daemon in self._daemons.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                daemon.wait(max(0.0, give_up_at - time.monotonic()))


def _require_supervisor() -> None:
    if importlib.util.find_spec("supervisor") is None:
        raise ConfigError(
            "the demo starts real supervisords and the supervisor package is not "
            "installed; install it with: pip install 'supervisor-easy[demo]'"
        )


def _parent_to_die_with() -> int:
    """Return our pid, or 0: Linux means the thread that asks, not its process."""
    is_main = threading.current_thread() is threading.main_thread()
    return os.getpid() if is_main else 0


def _free_ports(count: int) -> list[int]:
    """Return ports that were free a moment ago, all different."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    """End the program in order, with the exit code a shell expects."""
    raise SystemExit(128 + number)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Ignore the signals of the impatient: a second Ctrl-C must not leave a fleet."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, *_ENDING_SIGNALS)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
