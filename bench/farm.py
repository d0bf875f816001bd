"""A fleet to measure with: real supervisords, or simulated hosts, all on loopback.

Each host has an address of its own in 127.0.0.0/8, so nothing is reachable from
outside and no port is fought for. However the program that made a farm ends, even
killed, the farm ends with it. Run alone it keeps one up until Ctrl-C:
`python -m bench.farm --hosts 100 --processes 10`.
"""

import argparse
import asyncio
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import observer
from bench.observer import Address

#: The port of every host, and that of its Multivisor plugin.
PORT = 9001
PLUGIN_PORT = 9002
#: The process group that all measured processes belong to.
GROUP = "worker"
#: Hosts a /24 holds here.
_BLOCK = 250
#: Seconds in which a farm comes up and ends, on a loaded machine.
_PATIENCE = 180.0
_END_PATIENCE = 40.0
_MARK = "FLEET_BENCH_FARM"
_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Farm:
    """A fleet that runs; `hosts` answer, `hanging` and `refusing` never do."""

    folder: Path
    inventory: Path
    processes: int
    timeout: str
    hosts: tuple[Address, ...]
    hanging: tuple[Address, ...] = ()
    refusing: tuple[Address, ...] = ()

    @property
    def total(self) -> int:
        """How many processes the answering hosts have, plugins aside."""
        return len(self.hosts) * self.processes

    def healthy(self) -> "Farm":
        """Return the same farm without the hosts that never answer."""
        inventory = self.folder / "healthy.yaml"
        inventory.write_text(_inventory([name for name, _ in self.hosts], self.timeout))
        return replace(self, inventory=inventory, hanging=(), refusing=())

    def logs(self) -> list[Path]:
        """Return supervisord's own log of each host."""
        return [_home(self.folder, number) / "log" for number in range(len(self.hosts))]


@contextmanager
def real_farm(
    *,
    hosts: int = 100,
    processes: int = 10,
    hanging: int = 0,
    refusing: int = 0,
    request_timeout: str = "10s",
    python: str = sys.executable,
    plugin: Callable[[str], str] | None = None,
    plugin_processes: int = 0,
) -> Iterator[Farm]:
    """Start real supervisords and wait until all their processes run.

    `plugin` returns more configuration for the host of an address, which brings
    `plugin_processes` of its own; `python` is whose supervisor runs.
    """
    raise_file_limit()
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="fleet-farm-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        names = _addresses(hosts + hanging + refusing)
        for number, name in enumerate(names[:hosts]):
            home = _home(folder, number)
            home.mkdir()
            extra = plugin(name) if plugin else ""
            (home / "supervisord.conf").write_text(
                _supervisord_conf(name, home, processes, extra)
            )
        stack.enter_context(_nursery(folder, python))
        real, rest = [(name, PORT) for name in names[:hosts]], names[hosts:]
        asyncio.run(
            observer.await_running(
                real, processes=processes + plugin_processes, within=_PATIENCE
            )
        )
        silent = [stack.enter_context(_bound(name)) for name in rest]
        for each in silent[:hanging]:
            # The kernel accepts; nobody ever reads or answers.
            each.listen(128)
        inventory = folder / "inventory.yaml"
        inventory.write_text(_inventory(names, request_timeout))
        dead = [(name, PORT) for name in rest]
        yield Farm(
            folder,
            inventory,
            processes,
            request_timeout,
            tuple(real),
            tuple(dead[:hanging]),
            tuple(dead[hanging:]),
        )


@contextmanager
def simulated_farm(
    *, hosts: int = 1000, processes: int = 20, request_timeout: str = "10s"
) -> Iterator[Farm]:
    """Start one process that answers for all these hosts as supervisord does."""
    raise_file_limit()
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="fleet-farm-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        names = _addresses(hosts)
        (folder / "addresses").write_text("\n".join(names))
        stack.enter_context(
            _child(
                [
                    sys.executable,
                    str(_HERE / "simulator.py"),
                    str(folder / "addresses"),
                    str(PORT),
                    str(processes),
                ],
                folder,
            )
        )
        inventory = folder / "inventory.yaml"
        inventory.write_text(_inventory(names, request_timeout))
        real = tuple((name, PORT) for name in names)
        yield Farm(folder, inventory, processes, request_timeout, real)


def raise_file_limit(wanted: int = 16384) -> None:
    """Allow this program and its children as many open files as the system lets."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def host_name(number: int) -> str:
    """Return the inventory's name of a host, counted from 0."""
    return f"h{number + 1:04d}"


def _home(folder: Path, number: int) -> Path:
    return folder / host_name(number)


def _addresses(count: int) -> list[str]:
    """Return loopback addresses of a corner of 127/8 that nobody listens in."""
    corners = random.sample(range(2, 250), 20)
    for corner in corners:
        names = [
            f"127.{corner}.{number // _BLOCK}.{number % _BLOCK + 1}"
            for number in range(count)
        ]
        with suppress(OSError), _bound(names[0]):
            return names
    raise SystemExit("this system has no free addresses in 127.0.0.0/8")


@contextmanager
def _bound(name: str) -> Iterator[socket.socket]:
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind((name, PORT))
        yield held


def _supervisord_conf(name: str, home: Path, processes: int, extra: str) -> str:
    return f"""[supervisord]
nodaemon=true
logfile={home}/log
pidfile={home}/pid
childlogdir={home}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[inet_http_server]
port={name}:{PORT}
[program:{GROUP}]
command=/bin/sleep 1000000
process_name=%(program_name)s_%(process_num)02d
numprocs={processes}
startsecs=1
stopwaitsecs=5
{extra}
"""


def _inventory(names: Sequence[str], request_timeout: str) -> str:
    blocks = [names[at : at + _BLOCK] for at in range(0, len(names), _BLOCK)]
    lines = [
        "version: 1",
        "defaults:",
        f"  port: {PORT}",
        "  connect_timeout: 1s",
        f"  request_timeout: {request_timeout}",
        "hosts:",
    ]
    first = 1
    for block in blocks:
        last = first + len(block) - 1
        net = block[0].rpartition(".")[0]
        lines.append(
            f"  h[{first:04d}-{last:04d}]: {{address: '{net}.[1-{len(block)}]'}}"
        )
        first = last + 1
    return "\n".join([*lines, "groups:", f'  all: {{members: ["*/{GROUP}:*"]}}', ""])


@contextmanager
def _nursery(folder: Path, python: str) -> Iterator[None]:
    command = [python, str(_HERE / "nursery.py"), str(folder)]
    try:
        with _child(command, folder):
            yield
    finally:
        _kill_marked(folder)


@contextmanager
def _child(command: Sequence[str], folder: Path) -> Iterator[None]:
    """Run a program that says "up" when it is, and ends with its standard input."""
    environment = {**os.environ, _MARK: str(folder), "PYTHONWARNINGS": "ignore"}
    with (folder / "output").open("ab") as output:
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            # A Ctrl-C is for whoever measures; it then ends this.
            start_new_session=True,
        )
    assert process.stdin
    assert process.stdout
    watchdog = threading.Timer(_PATIENCE, process.kill)
    watchdog.start()
    try:
        if process.stdout.readline() != b"up\n":
            raise SystemExit(f"the farm did not come up:\n{_told(folder)}")
        watchdog.cancel()
        yield
    finally:
        watchdog.cancel()
        process.stdin.close()
        try:
            process.wait(_END_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def _told(folder: Path) -> str:
    """Return what was printed, by the farm and by its first hosts."""
    outputs = [folder / "output", *sorted(folder.glob("*/output"))[:3]]
    return "\n".join(path.read_text(errors="replace")[-2000:] for path in outputs)


def _kill_marked(folder: Path) -> None:
    """Kill what a supervisord of this farm has lost, if it did."""
    mark = f"{_MARK}={folder}".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                os.kill(int(entry.name), signal.SIGKILL)


def main() -> None:
    """Keep a farm up for trials by hand."""
    parser = argparse.ArgumentParser(description="Keep a farm up until Ctrl-C.")
    parser.add_argument("--hosts", type=int, default=100)
    parser.add_argument("--processes", type=int, default=10)
    parser.add_argument("--hanging", type=int, default=0)
    parser.add_argument("--refusing", type=int, default=0)
    parser.add_argument("--simulated", action="store_true")
    args = parser.parse_args()
    farm = (
        simulated_farm(hosts=args.hosts, processes=args.processes)
        if args.simulated
        else real_farm(
            hosts=args.hosts,
            processes=args.processes,
            hanging=args.hanging,
            refusing=args.refusing,
        )
    )
    with farm as up, suppress(KeyboardInterrupt):
        print(f"FLEET_INVENTORY={up.inventory}", flush=True)
        signal.pause()


if __name__ == "__main__":
    main()
