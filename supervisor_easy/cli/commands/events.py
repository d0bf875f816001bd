"""`fleet events`: what changed, who or what did it."""

import threading
from datetime import UTC, datetime, timedelta

import click

from supervisor_easy.cli.backend import Backend, EventQuery, Journal, Json, Query
from supervisor_easy.cli.complete import complete_selector
from supervisor_easy.cli.context import App, Command, pass_app
from supervisor_easy.cli.exits import ExitCode
from supervisor_easy.cli.render import Format, plain_row
from supervisor_easy.cli.views import event_row, events_table
from supervisor_easy.units import parse_duration

_KINDS = ("process", "host", "action", "config", "access", "notice")
#: Between two looks for new events.
_ASK_EVERY = timedelta(seconds=1)


class _Since(click.ParamType[timedelta | datetime]):
    """A span back from now (`1h`), or a time (`2026-11-20T10:00`)."""

    name = "since"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta | datetime:
        text = str(value)
        try:
            return parse_duration(text)
        except ValueError as error:
            try:
                return datetime.fromisoformat(text).astimezone(UTC)
            except OverflowError:
                self.fail(f"{text!r} is no time of ours", param, ctx)
            except ValueError:
                self.fail(f"{error}, or a time such as 2026-11-20T10:00", param, ctx)


@click.command(cls=Command)
@click.argument(
    "selectors", nargs=-1, metavar="[SELECTOR]...", shell_complete=complete_selector
)
@click.option(
    "--since", type=_Since(), metavar="SPAN|TIME", help="Not older than this."
)
@click.option(
    "--kind", "kinds", multiple=True, type=click.Choice(_KINDS), help="Only this kind."
)
@click.option(
    "-n",
    "--lines",
    default=50,
    show_default=True,
    type=click.IntRange(1, 10_000),
    help="At most so many, the newest.",
)
@click.option("-f", "--follow", is_flag=True, help="Go on until Ctrl-C.")
@pass_app
def events(
    app: App,
    *,
    selectors: tuple[str, ...],
    since: timedelta | datetime | None,
    kinds: tuple[str, ...],
    lines: int,
    follow: bool,
) -> ExitCode:
    """Show what changed and who or what did it, newest last.

    Actions are recorded whoever does them; changes of state while a console runs.
    """
    asked = EventQuery(
        Query(selectors), since=_moment(app, since), kinds=kinds, limit=lines
    )
    with app.backend(journal=Journal.NEEDED) as backend:
        found = backend.events(asked)
        if not follow:
            app.out.show(found, events_table(found))
            if not found:
                app.out.hint("nothing is known to have happened")
            return ExitCode.OK
        try:
            _follow(app, backend, asked, found)
        except KeyboardInterrupt:
            return ExitCode.INTERRUPTED
    return ExitCode.OK


def _follow(app: App, backend: Backend, asked: EventQuery, found: list[Json]) -> None:
    last = 0
    pause = threading.Event()
    while True:
        for event in found:
            last = max(last, event["id"])
            if app.out.format in (Format.JSON, Format.YAML):
                app.out.entry(event)
            elif app.out.format is Format.NAME:
                app.out.lines([str(event["id"])])
            else:
                app.out.lines([plain_row(event_row(event))])
        pause.wait(_ASK_EVERY.total_seconds())
        found = backend.events(
            EventQuery(
                asked.query,
                since=asked.since,
                kinds=asked.kinds,
                limit=10_000,
                after_id=last,
            )
        )


def _moment(app: App, since: timedelta | datetime | None) -> datetime | None:
    if not isinstance(since, timedelta):
        return since
    try:
        return app.now() - since
    except OverflowError as exc:
        raise click.BadParameter(
            "that is longer ago than time goes back", param_hint="--since"
        ) from exc
