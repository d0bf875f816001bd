"""Multivisor 7.1.0 from the package index, to measure beside ours.

It gets a virtual environment of its own in a temporary folder, its plugin on every
host, and its own server. It is used as its documentation says, through its HTTP API.
"""

import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path

from bench.farm import GROUP, PLUGIN_PORT
from bench.observer import Address

VERSION = "7.1.0"
#: Seconds until its server knows all processes, and until it answers a restart.
PATIENCE = 180.0


class Plugin(StrEnum):
    """The two ways its documentation gives to run its part on a host."""

    LISTENER = "listener"
    RPCINTERFACE = "rpcinterface"


@contextmanager
def installed(folder: Path | None = None) -> Iterator[Path]:
    """Install it where nothing else is disturbed; return the environment's folder."""
    with tempfile.TemporaryDirectory(prefix="fleet-multivisor-") as temporary:
        home = folder or Path(temporary) / "venv"
        if not (home / "bin" / "multivisor").exists():
            subprocess.run([sys.executable, "-m", "venv", home], check=True)
            packages = [f"multivisor[web,rpc]=={VERSION}", "setuptools<81"]
            pip = [home / "bin" / "python", "-m", "pip", "install", "-q"]
            subprocess.run([*pip, "--disable-pip-version-check", *packages], check=True)
        yield home


def plugin_config(home: Path, plugin: Plugin) -> Callable[[str], str]:
    """Return what writes its section of a host's supervisord.conf."""

    def section(address: str) -> str:
        bind = f"{address}:{PLUGIN_PORT}"
        if plugin is Plugin.RPCINTERFACE:
            return (
                "[rpcinterface:multivisor]\n"
                "supervisor.rpcinterface_factory=multivisor.rpc:make_rpc_interface\n"
                f"bind=tcp://{bind}\n"
            )
        return (
            "[eventlistener:multivisor-rpc]\n"
            f"command={home}/bin/multivisor-rpc --bind {bind} --log-level WARN\n"
            "events=PROCESS_STATE,SUPERVISOR_STATE_CHANGE\n"
        )

    return section


class Server:
    """Its server, over its own HTTP API."""

    def __init__(self, url: str) -> None:
        self._url = url

    def restart_all(self) -> None:
        """Restart every measured process; return when it answers."""
        form = urllib.parse.urlencode({"uid": f"*:{GROUP}:*"}).encode()
        with urllib.request.urlopen(
            f"{self._url}/api/process/restart", form, timeout=PATIENCE
        ) as answer:
            answer.read()

    def running(self) -> int:
        """Return how many measured processes it believes to run."""
        with urllib.request.urlopen(
            f"{self._url}/api/data", timeout=PATIENCE
        ) as answer:
            known = json.load(answer)["supervisors"].values()
        return sum(
            process["group"] == GROUP and process["running"]
            for each in known
            for process in each["processes"].values()
        )

    def await_running(self, count: int) -> None:
        """Wait until it knows that so many run."""
        give_up_at = time.monotonic() + PATIENCE
        found = -1
        while time.monotonic() < give_up_at:
            with suppress(OSError):
                found = self.running()
                if found == count:
                    return
            time.sleep(0.5)
        raise SystemExit(f"Multivisor knows {found} of {count} running processes")


@contextmanager
def serving(home: Path, hosts: Sequence[Address]) -> Iterator[Server]:
    """Run its server over these hosts."""
    with tempfile.TemporaryDirectory(prefix="fleet-multivisor-") as folder:
        config = Path(folder) / "multivisor.conf"
        sections = [
            f"[supervisor:{name}]\nurl={name}:{PLUGIN_PORT}\n" for name, _ in hosts
        ]
        config.write_text("\n".join(["[global]\nname=bench\n", *sections]))
        bind = f"127.0.0.1:{_free_port()}"
        with (Path(folder) / "output").open("wb") as output:
            process = subprocess.Popen(
                [
                    home / "bin" / "multivisor",
                    *("--bind", bind, "-c", config, "--log-level", "WARN"),
                ],
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            yield Server(f"http://{bind}")
        except BaseException:
            print((Path(folder) / "output").read_text()[-2000:], file=sys.stderr)
            raise
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
