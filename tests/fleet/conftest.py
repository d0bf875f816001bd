"""The whole engine over real supervisords, with a database of its own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from supervisor_easy.engine import Engine
from supervisor_easy.fleet.actions import Request
from supervisor_easy.model import (
    Action,
    Actor,
    Operation,
    Outcome,
    Process,
    Target,
)
from supervisor_easy.services import Services, build
from supervisor_easy.settings import Settings
from tests.daemons import Supervisord

ANA = Actor("ana", "cli")


class Console:
    """One console: services and engine, as `fleet` builds them."""

    def __init__(self, settings: Settings) -> None:
        self.services: Services = build(settings)
        self.engine = Engine(self.services)
        self.engine.start()
        self.engine.open_journal()

    def close(self) -> None:
        self.engine.stop()

    def begin(self, action: Action, *targets: Target, **options: object) -> Operation:
        request = Request(action, targets, ANA, **options)  # type: ignore[arg-type]
        return self.engine.call(lambda: self.services.actions.submit(request))

    def act(self, action: Action, *targets: Target, **options: object) -> Operation:
        return self.wait(self.begin(action, *targets, **options).id)

    def wait(self, operation_id: str) -> Operation:
        return self.engine.call(lambda: self.services.actions.wait(operation_id))

    def cancel(self, operation_id: str) -> bool:
        async def cancel() -> bool:
            return self.services.actions.cancel(operation_id)

        return self.engine.call(cancel)

    def processes(self) -> list[Process]:
        self.engine.refresh()
        return self.services.state.snapshot().processes()


Open = Callable[..., Console]


@pytest.fixture
def write_settings(tmp_path: Path) -> Callable[..., Settings]:
    """Write an inventory of daemons; return settings that use it."""

    def write(*daemons: Supervisord, **settings: object) -> Settings:
        hosts = {
            daemon.name: {
                "url": daemon.url,
                "connect_timeout": "1s",
                "request_timeout": "2s",
            }
            for daemon in daemons
        }
        path = tmp_path / "inventory.yaml"
        path.write_text(yaml.safe_dump({"version": 1, "hosts": hosts}))
        return Settings.model_validate(
            {
                "inventory": path,
                "database_url": f"sqlite:///{tmp_path / 'fleet.db'}",
                **settings,
            }
        )

    return write


@pytest.fixture
def open_console(write_settings: Callable[..., Settings]) -> Iterator[Open]:
    """Open consoles over daemons; all share one inventory and one database."""
    opened: list[Console] = []

    def open_one(*daemons: Supervisord, **settings: object) -> Console:
        opened.append(Console(write_settings(*daemons, **settings)))
        return opened[-1]

    yield open_one
    for console in opened:
        console.close()


def outcome_of(operation: Operation, target: Target) -> Outcome:
    return next(each for each in operation.outcomes if each.target == target)
