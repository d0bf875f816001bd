"""Our own program as the benchmarks run it: the command, and the engine inside."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from supervisor_easy.engine import Engine
from supervisor_easy.fleet.actions import Request
from supervisor_easy.model import Action, Actor, Operation
from supervisor_easy.selector import select
from supervisor_easy.services import Services, build
from supervisor_easy.settings import load_settings

#: Seconds after which a command of ours counts as stuck.
PATIENCE = 180.0


@dataclass(frozen=True)
class Ran:
    """A command that ended."""

    code: int
    output: str
    talk: str
    seconds: float


class Command:
    """`fleet` with an inventory and a database of its own."""

    def __init__(self, inventory: Path, folder: Path) -> None:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("FLEET_")}
        self._environment = {
            **kept,
            "FLEET_INVENTORY": str(inventory),
            "FLEET_DATABASE_URL": f"sqlite:///{folder}/command.db",
        }

    def run(self, *arguments: str) -> Ran:
        """Run it whole, from its start to its end."""
        began = time.perf_counter()
        done = subprocess.run(
            [*fleet(), *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        took = time.perf_counter() - began
        return Ran(done.returncode, done.stdout, done.stderr, took)

    def run_json(self, *arguments: str) -> tuple[Ran, object]:
        """Run it and return what it printed as JSON."""
        ran = self.run("-o", "json", *arguments)
        try:
            return ran, json.loads(ran.output)
        except ValueError:
            raise SystemExit(
                f"fleet {' '.join(arguments)} ended with {ran.code}:\n"
                f"{ran.output[-1000:]}{ran.talk[-2000:]}"
            ) from None


def fleet() -> list[str]:
    """Return the command `fleet` that belongs to this Python."""
    script = Path(sys.executable).with_name("fleet")
    return (
        [str(script)] if script.exists() else [sys.executable, "-m", "supervisor_easy"]
    )


@contextmanager
def command(inventory: Path) -> Iterator[Command]:
    """Provide `fleet` for an inventory."""
    with tempfile.TemporaryDirectory(prefix="fleet-bench-") as folder:
        yield Command(inventory, Path(folder))


@contextmanager
def console(inventory: Path, **settings: object) -> Iterator[tuple[Services, Engine]]:
    """Run the engine as the console does: journal, watcher, recorder."""
    with tempfile.TemporaryDirectory(prefix="fleet-bench-") as folder:
        services = build(
            load_settings(
                {
                    "inventory": inventory,
                    "database_url": f"sqlite:///{folder}/console.db",
                    **settings,
                },
                environ={},
            )
        )
        engine = Engine(services)
        engine.start()
        try:
            engine.open_journal()
            engine.watch()
            yield services, engine
            if not engine.is_healthy:
                raise SystemExit("a background task of the engine died")
        finally:
            engine.stop()


def restart(
    services: Services, engine: Engine, *, selectors: Sequence[str]
) -> Operation:
    """Restart what the selectors mean and wait for the last outcome."""
    chosen = select(selectors, services.catalog())
    request = Request(
        Action.RESTART,
        tuple(process.target for process in chosen.processes),
        Actor("bench", "cli"),
    )
    operation = engine.call(lambda: services.actions.submit(request))
    return engine.call(lambda: services.actions.wait(operation.id))
