"""`fleet start|stop|restart|signal|clear-logs`: bulk actions on processes."""

import signal as signals
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import click

from supervisor_easy.cli.acting import Proposal, carry_out
from supervisor_easy.cli.backend import Journal, Query
from supervisor_easy.cli.context import App, Command, pass_app
from supervisor_easy.cli.exits import ExitCode
from supervisor_easy.cli.options import need_selection, takes_selection
from supervisor_easy.cli.views import plan_table, plural

F = TypeVar("F", bound=Callable[..., Any])

#: Signals offered for completion; supervisord knows all that its system has.
_SIGNALS = ("HUP", "INT", "QUIT", "KILL", "USR1", "USR2", "TERM", "STOP", "CONT")


def takes_consent(command: F) -> F:
    """Give a command `--yes`, `--dry-run` and `--reason`."""

    @click.option("-y", "--yes", is_flag=True, help="Do not ask.")
    @click.option("--dry-run", is_flag=True, help="Show the targets, do nothing.")
    @click.option("--reason", default="", metavar="TEXT", help="Kept in the history.")
    @wraps(command)
    def with_consent(*args: Any, **rest: Any) -> Any:
        return command(*args, **rest)

    return with_consent  # type: ignore[return-value]


@click.command(cls=Command)
@takes_selection
@takes_consent
@pass_app
def start(app: App, *, query: Query, yes: bool, dry_run: bool, reason: str) -> ExitCode:
    """Start processes on all their hosts at once.

    Those that run already are left alone; EXITED, FATAL and BACKOFF are started.
    """
    return _act(app, "start", query, yes=yes, dry_run=dry_run, reason=reason)


@click.command(cls=Command)
@takes_selection
@takes_consent
@pass_app
def stop(app: App, *, query: Query, yes: bool, dry_run: bool, reason: str) -> ExitCode:
    """Stop processes on all their hosts at once."""
    return _act(app, "stop", query, yes=yes, dry_run=dry_run, reason=reason)


@click.command(cls=Command)
@takes_selection
@takes_consent
@pass_app
def restart(
    app: App, *, query: Query, yes: bool, dry_run: bool, reason: str
) -> ExitCode:
    """Restart processes on all their hosts at once; each is proven by its new pid.

    One that is down is started. If this program dies in the middle, the next fleet
    command or the console starts what was stopped.
    """
    return _act(app, "restart", query, yes=yes, dry_run=dry_run, reason=reason)


def _complete_signal(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[str]:
    return [name for name in _SIGNALS if name.startswith(incomplete.upper())]


@click.command(cls=Command)
@click.argument("signal_name", metavar="SIGNAL", shell_complete=_complete_signal)
@takes_selection
@takes_consent
@pass_app
def signal(
    app: App, *, signal_name: str, query: Query, yes: bool, dry_run: bool, reason: str
) -> ExitCode:
    """Send processes a signal: HUP, USR1, TERM, … (SIGHUP and numbers work too)."""
    name = _known_signal(signal_name)
    return _act(
        app, "signal", query, yes=yes, dry_run=dry_run, reason=reason, signal=name
    )


def _known_signal(text: str) -> str:
    """Return the name that supervisord takes; a number becomes its name.

    Raises:
        BadParameter: there is no such signal.
    """
    names = signals.Signals.__members__
    if text.isascii() and text.isdigit() and len(text) < 4:
        names_by_number = {int(each): each.name for each in signals.Signals}
        found = names_by_number.get(int(text), "")
    else:
        found = f"SIG{text.strip().upper().removeprefix('SIG')}"
    if found not in names:
        raise click.BadParameter(
            f"{text!r} is not a signal; write HUP, USR1, TERM …", param_hint="SIGNAL"
        )
    return found.removeprefix("SIG")


@click.command("clear-logs", cls=Command)
@takes_selection
@takes_consent
@pass_app
def clear_logs(
    app: App, *, query: Query, yes: bool, dry_run: bool, reason: str
) -> ExitCode:
    """Empty the logs of processes; what they hold is gone for everybody."""
    return _act(app, "clear_logs", query, yes=yes, dry_run=dry_run, reason=reason)


def _act(
    app: App,
    action: str,
    query: Query,
    *,
    yes: bool,
    dry_run: bool,
    reason: str,
    signal: str = "",
) -> ExitCode:
    need_selection(query)
    journal = Journal.UNUSED if dry_run else Journal.NEEDED
    with app.backend(journal=journal) as backend:
        plan = backend.plan(action, query, signal=signal)
        targets = tuple(each["target"] for each in plan.targets)
        hosts = {each.partition("/")[0] for each in targets}
        what = f"{action.replace('_', ' ')}{f' {signal}' if signal else ''}"
        proposal = Proposal(
            action=action,
            words=f"{what} {plural(len(targets), 'process')} on "
            f"{plural(len(hosts), 'host')}",
            targets=targets,
            touched=sum(each["will"] != "nothing" for each in plan.targets),
            document={
                "action": action,
                "targets": list(plan.targets),
                "blind_hosts": [
                    {"host": each.host, "error": each.error}
                    for each in plan.blind_hosts
                ],
            },
            table=plan_table(plan.targets),
            blind_hosts=plan.blind_hosts,
            signal=signal,
            reason=reason,
            expected={each["target"]: each["pid"] for each in plan.targets},
        )
        return carry_out(app, backend, proposal, is_sure=yes, is_dry_run=dry_run)
