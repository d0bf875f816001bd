"""`fleet demo`: a small real fleet and the console over it, to try it out."""

import os
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from supervisor_easy.cli.context import App, Command, pass_app
from supervisor_easy.cli.views import plural

if TYPE_CHECKING:
    from supervisor_easy.demo import DemoFleet
    from supervisor_easy.services import Services
    from supervisor_easy.settings import Settings

#: Tried when no port is named; any other one if it is taken.
_USUAL_PORT = 8080
_LOGIN = "demo"


@click.command(cls=Command)
@click.option(
    "--port", type=click.IntRange(0, 65535), help="The console's port; 0: any."
)
@click.option("--no-browser", is_flag=True, help="Do not open a browser.")
@pass_app
def demo(app: App, *, port: int | None, no_browser: bool) -> int:
    """Try it: start real supervisords on loopback and the console over them.

    Nothing outside of a private folder is touched; Ctrl-C ends all of it.
    """
    from supervisor_easy.cli.running import run_console  # noqa: PLC0415 (slow)
    from supervisor_easy.demo import DemoFleet  # noqa: PLC0415 (slow)

    app.out.say("starting the demo fleet …")
    with DemoFleet() as fleet:
        password = secrets.token_urlsafe(9)
        settings = _settings(fleet, port)
        _add_user(settings, password)

        def ready(url: str, services: "Services") -> None:
            _welcome(app, fleet, url, password)
            del services
            if not no_browser and _has_browser():
                import webbrowser  # noqa: PLC0415 (if wanted)

                webbrowser.open(url)

        code = run_console(settings, ready=ready, ends_on_hangup=True)
        app.out.say("ending the demo fleet …")
    return code


def _settings(fleet: "DemoFleet", port: int | None) -> "Settings":
    """Return settings of the demo's own, whatever the environment says."""
    from supervisor_easy.settings import load_settings  # noqa: PLC0415 (slow)

    return load_settings(
        {
            "inventory": fleet.inventory_path,
            "database_url": f"sqlite:///{fleet.folder / 'fleet.db'}",
            "bind": f"127.0.0.1:{_free_port() if port is None else port}",
            "poll_interval": "1s",
        },
        environ={},
    )


def _free_port() -> int:
    import socket  # noqa: PLC0415 (only here)

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", _USUAL_PORT))
        except OSError:
            return 0
    return _USUAL_PORT


def _add_user(settings: "Settings", password: str) -> None:
    from supervisor_easy.access import Role  # noqa: PLC0415 (with the store)
    from supervisor_easy.cli.localstore import open_store  # noqa: PLC0415
    from supervisor_easy.store.accounts import Accounts  # noqa: PLC0415

    with open_store(settings) as store:
        Accounts(store).add_user(_LOGIN, password, role=Role.ADMIN)


def _welcome(app: App, fleet: "DemoFleet", url: str, password: str) -> None:
    out = app.out
    out.line(
        f"{plural(len(fleet.host_names), 'host')} with "
        f"{plural(fleet.process_count, 'process')}, and their console:"
    )
    out.line(f"\n  {url}\n  user      {_LOGIN}\n  password  {password}\n")
    out.line("The same from another terminal:\n")
    out.line(f"  export FLEET_INVENTORY={fleet.inventory_path}")
    out.line(f"  export FLEET_DATABASE_URL=sqlite:///{fleet.folder / 'fleet.db'}")
    out.line(f"  {_program()} status\n")
    out.line("Ctrl-C ends all of it.")


def _program() -> str:
    """Return how this program was called, so that the line can be copied."""
    name = Path(sys.argv[0]).name
    return "fleet" if name.startswith("fleet") else "python -m supervisor_easy"


def _has_browser() -> bool:
    """A browser with a window can open; one in this terminal would be in the way."""
    is_desktop = sys.platform == "darwin" or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    return is_desktop and sys.stdout.isatty()
