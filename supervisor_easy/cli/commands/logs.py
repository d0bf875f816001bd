"""`fleet logs`: many logs of many hosts in one stream."""

from collections.abc import Sequence
from contextlib import closing

import click

from supervisor_easy.cli.backend import Json, LogQuery, Query
from supervisor_easy.cli.context import App, Command, pass_app
from supervisor_easy.cli.exits import ExitCode
from supervisor_easy.cli.options import need_selection, takes_selection
from supervisor_easy.cli.render import Format
from supervisor_easy.cli.views import blind_line, short

#: Labels are padded to the widest, up to this many characters.
_WIDEST_LABEL = 40


@click.command(cls=Command)
@takes_selection
@click.option("-f", "--follow", is_flag=True, help="Go on until Ctrl-C.")
@click.option(
    "-n",
    "--lines",
    default=20,
    show_default=True,
    type=click.IntRange(0, 100_000),
    help="Lines from the end of each log.",
)
@click.option(
    "--since-start",
    is_flag=True,
    help="All since the process started, as far as known.",
)
@click.option("--stderr", is_flag=True, help="The stderr logs instead of stdout.")
@click.option("--grep", metavar="RE", help="Only lines in which RE is found.")
@click.option(
    "--main", is_flag=True, help="Supervisord's own log, of the hosts selected."
)
@pass_app
def logs(  # noqa: PLR0913 (each is an option)
    app: App,
    *,
    query: Query,
    follow: bool,
    lines: int,
    since_start: bool,
    stderr: bool,
    grep: str | None,
    main: bool,
) -> ExitCode:
    """Show or follow the logs of many processes, each line labelled host/process.

    What cannot be shown (a rotation, a truncation) is told by a marker in the stream.
    """
    if app.out.format is Format.NAME:
        raise click.UsageError("a log has no names; use -o json, yaml or table")
    if main:
        if not query.hosts and not query.selectors:
            raise click.UsageError("say of which hosts: --main --host web1")
        if query.groups or query.labels or query.states:
            raise click.UsageError("--main takes hosts, no group, label or state")
    else:
        need_selection(query)
    asked = LogQuery(
        query=query,
        lines=lines,
        stream="stderr" if stderr else "stdout",
        grep=grep,
        since_start=since_start,
        is_followed=follow,
        main_hosts=(*query.selectors, *query.hosts) if main else None,
    )
    with app.backend() as backend:
        stream = backend.logs(asked)
        for each in stream.blind_hosts:
            app.out.warn(f"no logs of {blind_line(each)}")
        printer = _Printer(app, stream.labels)
        try:
            with closing(stream.entries) as entries:
                for entry in entries:
                    printer.print(entry)
        except KeyboardInterrupt:
            return ExitCode.INTERRUPTED
    return ExitCode.FAILED if stream.blind_hosts or printer.failures else ExitCode.OK


class _Printer:
    """Prints entries under labels of one width."""

    def __init__(self, app: App, labels: Sequence[str]) -> None:
        self._out = app.out
        widths = [len(short(label)) for label in labels]
        self._width = min(max(widths, default=0), _WIDEST_LABEL)
        self.failures = 0

    def print(self, entry: Json) -> None:
        is_marker = entry["kind"] == "marker"
        self.failures += is_marker and entry.get("marker") == "unreachable"
        if self._out.format is not Format.TABLE:
            self._out.entry(entry)
            return
        label = short(f"{entry['host']}/{entry['process']}")
        if entry["stream"] == "stderr":
            label += " (stderr)"
        self._width = min(max(self._width, len(label)), _WIDEST_LABEL)
        if is_marker:
            self._out.marker(label, entry["text"], width=self._width)
        else:
            self._out.labelled(
                label, entry["text"], key=entry["host"], width=self._width
            )
