"""`fleet status`: the processes as they are now."""

from collections.abc import Sequence

import click

from supervisor_easy.cli.backend import Found, Journal, Query
from supervisor_easy.cli.context import App, Command, pass_app
from supervisor_easy.cli.exits import ExitCode
from supervisor_easy.cli.options import takes_selection
from supervisor_easy.cli.render import Format
from supervisor_easy.cli.views import (
    blind_line,
    clock_time,
    status_summary,
    status_table,
)


@click.command(cls=Command)
@takes_selection
@click.option("-w", "--watch", is_flag=True, help="Keep showing, problems first.")
@pass_app
def status(app: App, *, query: Query, watch: bool) -> ExitCode:
    """Show processes: all of them, or those selected.

    Hosts that do not answer are named on stderr, and the exit code is 1.
    """
    if watch:
        return _watch(app, query)
    with app.backend(journal=Journal.WANTED) as backend:
        found = backend.processes(query)
    app.out.show(
        list(found.processes), status_table(found.processes, are_problems_first=False)
    )
    if app.out.shows_tables:
        app.out.hint(status_summary(found))
    for line in _troubles(found):
        app.out.warn(line)
    return ExitCode.FAILED if _troubles(found) else ExitCode.OK


def _watch(app: App, query: Query) -> ExitCode:
    if app.out.format is not Format.TABLE or not app.out.shows_tables:
        raise click.UsageError("--watch draws on a terminal; it writes no other format")
    with app.backend(journal=Journal.WANTED) as backend, app.out.live() as screen:
        try:
            for found in backend.watch(query):
                table = status_table(found.processes, are_problems_first=True)
                time = f"{app.now().astimezone():%H:%M:%S}"
                head = f"{status_summary(found)} — {time}, Ctrl-C ends"
                screen.draw("\n".join([head, *_troubles(found)]), table)
        except KeyboardInterrupt:
            pass
    return ExitCode.INTERRUPTED


def _troubles(found: Found) -> Sequence[str]:
    """Name the hosts that do not answer: those never seen, and those seen before."""
    lines = [f"no answer from {blind_line(each)}" for each in found.blind_hosts]
    stale = {p["host"]: p["observed_at"] for p in found.processes if p["stale"]}
    return lines + [
        f"no answer from {host} since {clock_time(at)}; what is shown is of then"
        for host, at in stale.items()
    ]
