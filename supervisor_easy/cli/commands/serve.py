"""`fleet serve`: the console."""

from typing import TYPE_CHECKING

import click

from supervisor_easy.cli.context import App, Command, pass_app
from supervisor_easy.cli.views import plural

if TYPE_CHECKING:
    from supervisor_easy.services import Services


@click.command(cls=Command)
@click.option("--bind", metavar="ADDRESS:PORT", help="Where to listen (FLEET_BIND).")
@click.option(
    "--url-prefix", metavar="PATH", help="The path behind a proxy (FLEET_URL_PREFIX)."
)
@pass_app
def serve(app: App, *, bind: str | None, url_prefix: str | None) -> int:
    """Run the console: web pages, API, and the engine that watches the fleet.

    Ctrl-C or SIGTERM ends it in order; SIGHUP reads the inventory again.
    """
    from supervisor_easy.cli.running import run_console  # noqa: PLC0415 (slow)

    app.overrides |= {"bind": bind, "url_prefix": url_prefix}

    def ready(url: str, services: "Services") -> None:
        hosts = plural(len(services.inventory.current.hosts), "host")
        prefix = services.settings.url_prefix
        app.out.say(f"the console of {hosts} answers at {url}{prefix} — Ctrl-C ends it")
        if not services.accounts.list_users():
            app.out.warn(
                "nobody can log in yet; add the first user, in another terminal: "
                "fleet user add NAME --role admin"
            )

    return run_console(app.settings, ready=ready)
