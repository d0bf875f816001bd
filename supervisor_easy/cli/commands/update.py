"""`fleet update` and `fleet restart-supervisord`: what is done to whole hosts."""

from collections.abc import Callable

import click

from supervisor_easy.cli.acting import Proposal, carry_out
from supervisor_easy.cli.backend import BlindHost, Journal, Json, Query
from supervisor_easy.cli.commands.act import takes_consent
from supervisor_easy.cli.complete import complete_host
from supervisor_easy.cli.context import App, Command, pass_app
from supervisor_easy.cli.exits import ExitCode
from supervisor_easy.cli.tables import Cell, Column, Table
from supervisor_easy.cli.views import plural
from supervisor_easy.errors import StaleRequest

_STYLES = {"add": "green", "change": "yellow", "remove": "red"}


@click.command(cls=Command)
@click.argument(
    "hosts", nargs=-1, required=True, metavar="HOST...", shell_complete=complete_host
)
@takes_consent
@pass_app
def update(
    app: App, *, hosts: tuple[str, ...], yes: bool, dry_run: bool, reason: str
) -> ExitCode:
    """Have hosts read their configuration again and apply what changed.

    Shows first what is added, changed and removed, and which running processes go
    down for it: supervisord restarts a changed group as a whole. '*' is every host.
    """
    journal = Journal.UNUSED if dry_run else Journal.NEEDED
    with app.backend(journal=journal) as backend:
        previews = backend.plan_update(hosts)
        blind = [
            BlindHost(each["host"], each["error"]) for each in previews if each["error"]
        ]
        changes = [row for each in previews for row in _changes(each)]
        down = sum(len(each["restarts"]) for each in previews)
        proposal = Proposal(
            action="update",
            words=f"update {plural(len(changes), 'process group')}; "
            f"{plural(down, 'running process')} will go down",
            targets=tuple(f"{host}/{group}:*" for host, _, group, _ in changes),
            touched=len(changes) + down,
            document=previews,
            table=_table(changes),
            blind_hosts=blind,
            reason=reason,
            recheck=lambda: _refuse_changed(
                app, previews, lambda: backend.plan_update(hosts)
            ),
        )
        return carry_out(app, backend, proposal, is_sure=yes, is_dry_run=dry_run)


@click.command("restart-supervisord", cls=Command)
@click.argument(
    "hosts", nargs=-1, required=True, metavar="HOST...", shell_complete=complete_host
)
@takes_consent
@pass_app
def restart_supervisord(
    app: App, *, hosts: tuple[str, ...], yes: bool, dry_run: bool, reason: str
) -> ExitCode:
    """Restart the supervisord of hosts: every process on them goes down and up.

    It asks first, for one host too, unless --yes is given.
    """
    journal = Journal.UNUSED if dry_run else Journal.NEEDED
    with app.backend(journal=journal) as backend:
        found = backend.processes(Query(hosts=hosts))
        running: dict[str, int] = {}
        for each in found.processes:
            running[each["host"]] = running.get(each["host"], 0) + bool(each["pid"])
        targets = tuple(running)
        rows = [
            (host, plural(count, "running process")) for host, count in running.items()
        ]
        down = sum(running.values())
        proposal = Proposal(
            action="restart_supervisord",
            words=f"restart supervisord on {plural(len(targets), 'host')}; "
            f"{plural(down, 'running process')} will go down",
            targets=targets,
            touched=down,
            document=[{"host": h, "running": count} for h, count in running.items()],
            table=Table((Column("HOST"), Column("RUNNING")), rows, targets),
            blind_hosts=found.blind_hosts,
            reason=reason,
            always_asks=True,
            expected={
                f"{p['host']}/{p['group']}:{p['name']}": p["pid"]
                for p in found.processes
            },
        )
        return carry_out(app, backend, proposal, is_sure=yes, is_dry_run=dry_run)


def _refuse_changed(
    app: App, shown: list[Json], look: Callable[[], list[Json]]
) -> None:
    """Look again, and refuse to do what was not shown.

    Raises:
        StaleRequest: hosts would change something else now; it is shown.
    """
    now = look()
    if _kinds(now) == _kinds(shown) and _downs(now) <= _downs(shown):
        return
    app.out.say("now an update would do this:", always=True)
    app.out.show_talk(
        _table([row for each in now for row in _changes(each)]), always=True
    )
    raise StaleRequest(
        "what the update would do changed since you looked; nothing was done. "
        "Look again, then ask again"
    )


def _kinds(previews: list[Json]) -> set[tuple[str, str, str]]:
    return {row[:3] for each in previews for row in _changes(each)}


def _downs(previews: list[Json]) -> set[tuple[str, str]]:
    return {(each["host"], name) for each in previews for name in each["restarts"]}


def _changes(preview: Json) -> list[tuple[str, str, str, str]]:
    """Return host, what happens, the group, and which processes go down for it."""
    going_down: dict[str, list[str]] = {}
    for namespec in preview["restarts"]:
        going_down.setdefault(namespec.partition(":")[0], []).append(namespec)
    return [
        (preview["host"], word, group, " ".join(going_down.get(group, [])))
        for word, key in (
            ("add", "added"),
            ("change", "changed"),
            ("remove", "removed"),
        )
        for group in preview[key]
    ]


def _table(changes: list[tuple[str, str, str, str]]) -> Table:
    columns = (
        Column("HOST"),
        Column("WILL"),
        Column("GROUP"),
        Column("GOES DOWN", can_wrap=True),
    )
    rows = [
        (host, Cell(word, _STYLES[word]), group, down)
        for host, word, group, down in changes
    ]
    return Table(columns, rows, [f"{host}/{group}" for host, _, group, _ in changes])
