"""Consoles for tests: whole ones, with engine, database and web server."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from supervisor_easy.access import Role
from supervisor_easy.clock import Clock
from supervisor_easy.engine import Engine
from supervisor_easy.model import Host
from supervisor_easy.rpc.supervisor import Supervisor
from supervisor_easy.services import Services, build
from supervisor_easy.settings import Settings
from supervisor_easy.web.server import Console, make_console
from tests.eventually import eventually

#: Good enough for the rules on passwords.
PASSWORD = "mossy-lantern-42-harbour"
#: Seconds within which a thread must end.
PATIENCE = 20


def write_inventory(
    path: Path,
    hosts: Mapping[str, str],
    *,
    groups: Mapping[str, Sequence[str]] | None = None,
    labels: Mapping[str, Mapping[str, str]] | None = None,
) -> Path:
    """Write an inventory of hosts (name -> URL) and groups (name -> members)."""
    lines = ["version: 1", "hosts:"]
    for name, url in hosts.items():
        extra = ", ".join(f"{k}: {v}" for k, v in (labels or {}).get(name, {}).items())
        lines.append(f'  {name}: {{url: "{url}", labels: {{{extra}}}}}')
    if groups:
        lines.append("groups:")
        for name, members in groups.items():
            shown = ", ".join(f'"{each}"' for each in members)
            lines.append(f"  {name}: [{shown}]")
    path.write_text("\n".join(lines) + "\n")
    return path


def settings_for(folder: Path, **changes: Any) -> Settings:
    """Return settings that keep everything in one folder."""
    values: dict[str, Any] = {
        "inventory": folder / "inventory.yaml",
        "database_url": f"sqlite:///{folder / 'fleet.db'}",
        "bind": "127.0.0.1:0",
        "poll_interval": "300ms",
        "poll_backoff_max": "600ms",
    }
    return Settings.model_validate(values | changes)


class Backstage:
    """Services and a started engine; users of each role exist."""

    def __init__(
        self,
        settings: Settings,
        *,
        make_supervisor: Callable[[Host], Supervisor] | None = None,
        clock: Clock | None = None,
        is_watching: bool = True,
    ) -> None:
        """Build and start."""
        self.services: Services = build(
            settings, clock=clock, make_supervisor=make_supervisor
        )
        self.engine = Engine(self.services)
        self.engine.start()
        self.engine.open_journal()
        known = {user.name for user in self.services.accounts.list_users()}
        for role in Role:
            if role.value not in known:
                self.services.accounts.add_user(role.value, PASSWORD, role=role)
        if is_watching:
            self.engine.watch()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.engine.stop()

    def token(self, role: Role) -> str:
        """Return a token of a role."""
        return self.services.tokens.add(f"test {role}", role).secret


class RunningConsole(Backstage):
    """A console that listens, in a thread of this process."""

    console: Console

    def __init__(self, settings: Settings, **options: Any) -> None:
        """Start it, and wait until it answers."""
        super().__init__(settings, **options)
        self._serve(self.services)
        self.url = self.console.url

    def _serve(self, services: Services) -> None:
        ready = threading.Event()
        self.console = make_console(services, self.engine, ready=lambda _: ready.set())
        self._thread = threading.Thread(target=self.console.run, name="console")
        self._thread.start()
        assert ready.wait(PATIENCE)

    def serve_anew(self) -> None:
        """End the web server and start another one at the same address."""
        self.stop_serving()
        settings = self.services.settings
        bind = self.url.removeprefix("http://")
        self._serve(
            replace(self.services, settings=settings.model_copy(update={"bind": bind}))
        )

    def stop_serving(self) -> None:
        """End the web server, leave the engine."""
        self.console.close()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop_serving()
        super().__exit__(kind, error, trace)


def wait_until_up(services: Services, count: int) -> None:
    """Wait until as many hosts answer."""
    eventually(
        lambda: (
            sum(not s.is_stale for s in services.state.snapshot().hosts.values())
            == count
        ),
        within=PATIENCE,
        expecting=f"{count} hosts up",
    )
