"""`fleet hosts` and `fleet groups`."""

import click

from supervisor_easy.cli.context import App, Command, pass_app
from supervisor_easy.cli.exits import ExitCode
from supervisor_easy.cli.views import groups_table, hosts_table


@click.command(cls=Command)
@pass_app
def hosts(app: App) -> ExitCode:
    """Show each host: reachable or why not, latency, clock skew, version, counts.

    The exit code is 1 if a host does not answer.
    """
    with app.backend() as backend:
        found = backend.hosts()
    app.out.show(found, hosts_table(found))
    is_all_up = all(each["condition"] == "up" for each in found)
    return ExitCode.OK if is_all_up else ExitCode.FAILED


@click.command(cls=Command)
@pass_app
def groups(app: App) -> ExitCode:
    """Show each group of the inventory: its members and their states.

    The exit code is 1 if a host of a group does not answer.
    """
    with app.backend() as backend:
        found = backend.groups()
    app.out.show(found, groups_table(found))
    is_whole = not any(each["blind_hosts"] for each in found)
    return ExitCode.OK if is_whole else ExitCode.FAILED
