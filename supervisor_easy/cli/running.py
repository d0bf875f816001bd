"""Runs the console in this process: engine, watcher, web server, in order."""

from collections.abc import Callable

from supervisor_easy.engine import Engine
from supervisor_easy.services import Services, build
from supervisor_easy.settings import Settings
from supervisor_easy.web.server import serve


def run_console(
    settings: Settings,
    *,
    ready: Callable[[str, Services], None],
    ends_on_hangup: bool = False,
) -> int:
    """Serve until told to end; `ready` is told the URL as soon as it answers.

    Raises:
        FleetError: the inventory, the database or the address is unusable.
    """
    services = build(settings)
    engine = Engine(services)
    engine.start()
    try:
        engine.open_journal()
        engine.watch()
        return serve(
            services,
            engine,
            ready=lambda url: ready(url, services),
            ends_on_hangup=ends_on_hangup,
        )
    finally:
        engine.stop()
