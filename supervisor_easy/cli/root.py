"""The program `fleet`: which commands there are, and what becomes of errors.

A command's module is loaded when the command is used; the help needs none of them.
"""

import importlib
import io
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click
from click.shell_completion import CompletionItem

from supervisor_easy import __version__
from supervisor_easy.cli.context import App, global_options
from supervisor_easy.cli.exits import ExitCode, exit_code_of
from supervisor_easy.errors import FleetError, InventoryError


@dataclass(frozen=True, slots=True)
class Entry:
    """One command: the module below `commands`, its name there, its one line."""

    module: str
    attribute: str
    summary: str


#: Every command, by the headings of the help.
COMMANDS: Mapping[str, Mapping[str, Entry]] = {
    "Look": {
        "status": Entry("status", "status", "Show processes: all, or those selected."),
        "hosts": Entry("hosts", "hosts", "Show each host: reachable, or why not."),
        "groups": Entry("hosts", "groups", "Show each group: counts by state."),
        "logs": Entry("logs", "logs", "Show or follow many logs in one stream."),
        "events": Entry("events", "events", "Show what changed, and who did it."),
        "doctor": Entry("doctor", "doctor", "Find what will hurt, with the cure."),
    },
    "Act": {
        "start": Entry("act", "start", "Start processes, all at once."),
        "stop": Entry("act", "stop", "Stop processes, all at once."),
        "restart": Entry("act", "restart", "Restart processes, all at once."),
        "signal": Entry("act", "signal", "Send processes a signal."),
        "clear-logs": Entry("act", "clear_logs", "Empty the logs of processes."),
        "update": Entry("update", "update", "Have hosts apply their changed config."),
        "restart-supervisord": Entry(
            "update", "restart_supervisord", "Restart the supervisord of hosts."
        ),
    },
    "Set up": {
        "demo": Entry("demo", "demo", "Try it: a small real fleet and its console."),
        "serve": Entry("serve", "serve", "Run the console."),
        "inventory": Entry("inventory", "inventory", "Check, show or make one."),
        "user": Entry("user", "user", "Who may log in to the console."),
        "token": Entry("token", "token", "Tokens for programs."),
        "db": Entry("db", "db", "The database: upgrade, back up."),
        "completion": Entry("completion", "completion", "Complete names by Tab."),
    },
}


class Program(click.Group):
    """The commands of `COMMANDS`, each loaded when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's)
        """Return all names, in the help's order."""
        return [name for section in COMMANDS.values() for name in section]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Load a command."""
        for section in COMMANDS.values():
            entry = section.get(cmd_name)
            if entry is not None:
                name = f"supervisor_easy.cli.commands.{entry.module}"
                found = getattr(importlib.import_module(name), entry.attribute)
                assert isinstance(found, click.Command)
                return found
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the nearest command when there is none of this name."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib  # noqa: PLC0415 (only for the mistaken)

            near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            hint = f"; did you mean {near[0]}?" if near else "; see fleet --help"
            raise click.UsageError(f"no command {args[0]!r}{hint}", ctx) from error

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """Write the commands under their headings, without loading any."""
        del ctx
        width = max(len(name) for section in COMMANDS.values() for name in section)
        for heading, section in COMMANDS.items():
            with formatter.section(heading):
                formatter.write_dl(
                    [
                        (f"{name:<{width}}", each.summary)
                        for name, each in section.items()
                    ]
                )

    def shell_complete(
        self, ctx: click.Context, incomplete: str
    ) -> list[CompletionItem]:
        """Complete a command's name, without loading any."""
        items = [
            CompletionItem(name, help=each.summary)
            for section in COMMANDS.values()
            for name, each in section.items()
            if name.startswith(incomplete)
        ]
        # Options only: a group would load every command to see which are hidden.
        return items + click.Command.shell_complete(self, ctx, incomplete)


def _program_options() -> list[click.Parameter]:
    version = click.version_option(
        __version__, "--version", message="fleet %(version)s"
    )
    made = version(lambda: None)
    options: Any = getattr(made, "__click_params__")  # noqa: B009 (click's own name)
    return [*global_options(is_hidden=False), *options]


_HELP = """One command line over every supervisord of a team.

SELECTOR is HOST/PROCESS with globs: scan*/celery:*, role=scanner/beat, @group, web1;
several add up, a leading ! takes away.

\b
Exit codes: 0 every target fine, 1 some target failed, 2 bad usage, config,
inventory or selector, 3 refused, 4 no permission, 130 interrupted.
"""

#: What the shells' scripts set when they ask for completions.
_COMPLETE_VARIABLE = "_FLEET_COMPLETE"

fleet = Program(
    name="fleet",
    help=_HELP,
    params=_program_options(),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 88},
    no_args_is_help=True,
)


def run(args: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code; the edge where errors end."""
    app = App()
    _make_streams_safe()
    if _COMPLETE_VARIABLE in os.environ:
        # Our own bash completion has to be known before click looks for one.
        importlib.import_module("supervisor_easy.cli.complete")
    try:
        arguments = None if args is None else list(args)
        code = fleet.main(arguments, "fleet", standalone_mode=False, obj=app)
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 (the edge)
        return int(_end_with(error, app))
    return int(code or ExitCode.OK)


def _make_streams_safe() -> None:
    """Have characters that the terminal's encoding lacks escaped, not fatal."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _end_with(error: BaseException, app: App) -> int:
    """Tell an error in one line and return its exit code."""
    match error:
        case click.exceptions.Exit():
            return error.exit_code
        case click.Abort() | KeyboardInterrupt():
            app.out.say("interrupted")
            return ExitCode.INTERRUPTED
        case click.ClickException():
            return _misused(error, app)
        case FleetError():
            return _failed(error, app)
        case _:
            return _broken(error, app)


def _misused(error: click.ClickException, app: App) -> int:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        app.out.line(error.format_message())
        return ExitCode.USAGE
    app.out.fail(error.format_message())
    if isinstance(error, click.UsageError) and error.ctx is not None:
        app.out.say(f"see {error.ctx.command_path} --help")
    return ExitCode.USAGE


def _failed(error: FleetError, app: App) -> int:
    if app.verbosity:
        app.out.warn("".join(traceback.format_exception(error)).rstrip())
    if isinstance(error, InventoryError):
        count = len(error.problems)
        app.out.fail(f"the inventory has {count} problem{'s' * (count != 1)}")
        app.out.warn(str(error))
    else:
        app.out.fail(str(error))
    return exit_code_of(error)


def _broken(error: BaseException, app: App) -> int:
    if app.verbosity:
        app.out.warn("".join(traceback.format_exception(error)).rstrip())
    app.out.fail(
        f"sorry, this is a fault of fleet itself ({type(error).__name__}); "
        "run it again with -v for the details, and report them"
    )
    return ExitCode.FAILED
