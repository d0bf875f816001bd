"""`fleet doctor`: everything that will hurt, with the cure."""

from collections.abc import Iterator, Sequence

import click

from supervisor_easy.cli.backend import Backend, Journal, Json, Query
from supervisor_easy.cli.context import App, Command, pass_app
from supervisor_easy.cli.exits import ExitCode
from supervisor_easy.cli.findings import (
    Finding,
    of_configs,
    of_hosts,
    of_inventory,
    of_processes,
    of_updates,
)
from supervisor_easy.cli.tables import Cell, Column, Table
from supervisor_easy.cli.views import plural, short

#: Places that one line names before it only counts.
_NAMED = 3


@click.command(cls=Command)
@click.option(
    "--reread",
    is_flag=True,
    help="Also have each host read its configuration, to find what is not in force.",
)
@pass_app
def doctor(app: App, *, reread: bool) -> ExitCode:
    """Find everything that will hurt, each with its cure.

    Hosts that do not answer, vulnerable or old supervisords, clocks that differ,
    configuration that loses work or fills disks. The exit code is 1 if there is a
    problem, 0 if there is only advice.
    """
    with app.backend(journal=Journal.WANTED) as backend:
        findings = list(_find(app, backend, is_rereading=reread))
        count = len(backend.hosts())
    app.out.show([_document(each) for each in findings], _table(findings))
    problems = sum(each.is_problem for each in findings)
    if findings:
        advice = len(findings) - problems
        app.out.say(f"{plural(problems, 'problem')}, {advice} advice")
    else:
        app.out.say(f"nothing found on {plural(count, 'host')}")
    return ExitCode.FAILED if problems else ExitCode.OK


def _find(app: App, backend: Backend, *, is_rereading: bool) -> Iterator[Finding]:
    hosts = backend.hosts()
    yield from of_hosts(hosts)
    yield from of_processes(backend.processes(Query()).processes)
    configs = backend.configs()
    if configs is None:
        app.out.say("a console does not tell configurations: those were not checked")
    else:
        for each in configs.values():
            yield from of_configs(each)
    if is_rereading and hosts:
        names = [each["name"] for each in hosts]
        yield from of_updates(backend.plan_update(names))
    yield from of_inventory(backend.inventory_warnings())


def _document(finding: Finding) -> Json:
    return {
        "level": "problem" if finding.is_problem else "advice",
        "where": finding.where,
        "what": finding.what,
        "cure": finding.cure,
    }


def _table(findings: Sequence[Finding]) -> Table:
    """Put the places of the same finding on one line, problems first."""
    places: dict[tuple[bool, str, str], list[str]] = {}
    for each in findings:
        key = (not each.is_problem, each.what, each.cure)
        places.setdefault(key, []).append(short(each.where))
    columns = (
        Column("LEVEL"),
        Column("WHERE", can_wrap=True),
        Column("WHAT", can_wrap=True),
        Column("CURE", can_wrap=True),
    )
    rows = [
        (
            Cell("advice", "cyan") if is_advice else Cell("problem", "bold red"),
            _places(where),
            what,
            cure,
        )
        for (is_advice, what, cure), where in sorted(
            places.items(), key=lambda item: item[0][0]
        )
    ]
    return Table(columns, rows, [each.where for each in findings])


def _places(where: Sequence[str]) -> str:
    text = ", ".join(where[:_NAMED])
    left = len(where) - _NAMED
    return f"{text} and {left} more" if left > 0 else text
