"""How values look on a page: words and classes, never markup from a host."""

from datetime import UTC, datetime, timedelta

from flask import Flask

from supervisor_easy.model import (
    Action,
    Event,
    HostCondition,
    HostStatus,
    OperationStatus,
    OutcomeKind,
    Process,
    ProcessState,
    Sighting,
)
from supervisor_easy.units import format_duration
from supervisor_easy.web.timeline import Bundle
from supervisor_easy.wire import process_to_dict

_ACTIONS = {
    Action.START: "Start",
    Action.STOP: "Stop",
    Action.RESTART: "Restart",
    Action.SIGNAL: "Signal",
    Action.CLEAR_LOGS: "Clear logs",
    Action.UPDATE: "Update configuration",
    Action.RESTART_SUPERVISORD: "Restart supervisord",
}
_CONDITIONS = {
    HostCondition.PENDING: "not asked yet",
    HostCondition.UP: "up",
    HostCondition.RESTARTING: "supervisord restarts",
    HostCondition.UNREACHABLE: "does not answer",
    HostCondition.AUTHENTICATION_FAILED: "refuses our password",
    HostCondition.BAD_REPLY: "answers nonsense",
    HostCondition.FAULT: "refuses to serve",
}


def register(app: Flask) -> None:
    """Give the filters to the templates."""
    filters = (
        action_name,
        condition_name,
        chip,
        clock_time,
        day_time,
        duration,
        iso,
        sighting,
        uptime,
        started_at,
        event_tone,
        why,
    )
    for each in filters:
        app.jinja_env.filters[each.__name__] = each
    app.jinja_env.tests["bundle"] = lambda line: isinstance(line, Bundle)
    app.jinja_env.globals["ProcessState"] = ProcessState


def chip(
    value: ProcessState | HostCondition | OutcomeKind | OperationStatus | str,
) -> str:
    """Return the class of a chip for a state, a condition, an outcome or a status."""
    name = value.name if isinstance(value, ProcessState) else str(value)
    return "chip-" + name.lower().replace("_", "-")


def action_name(action: Action | str) -> str:
    """Return an action as a button says it."""
    return _ACTIONS[Action(action)]


def condition_name(condition: HostCondition) -> str:
    """Return a host's condition in words."""
    return _CONDITIONS[condition]


def iso(moment: datetime | None) -> str:
    """Return a moment for programs and scripts."""
    return moment.isoformat(timespec="milliseconds") if moment else ""


def clock_time(moment: datetime | None) -> str:
    """Return the time of day in UTC, for pages without scripts."""
    return moment.astimezone(UTC).strftime("%H:%M:%S UTC") if moment else "never"


def day_time(moment: datetime | None) -> str:
    """Return day and time in UTC, for pages without scripts."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if moment else "–"


def duration(span: timedelta | None) -> str:
    """Return a span with its two largest units."""
    return format_duration(span) if span is not None else ""


def uptime(process: Process) -> str:
    """Return how long a process has run."""
    return format_duration(process.uptime) if process.uptime is not None else ""


def started_at(process: Process, status: HostStatus) -> str:
    """Return when a process started, by our clock, for scripts that count on."""
    return process_to_dict(process, status)["started_at"] or ""


def sighting(seen: Sighting | None) -> str:
    """Return pid and state in a few words."""
    if seen is None:
        return "–"
    return f"{seen.state.name} {seen.pid}" if seen.pid else seen.state.name


def event_tone(event: Event) -> str:
    """Return whether an event is good, bad or neither."""
    if event.outcome is not None:
        return "good" if event.outcome.is_fine else "bad"
    if event.after is not None and event.after.state.is_problem:
        return "bad"
    if event.after is not None and event.after.state is ProcessState.RUNNING:
        return "good"
    return ""


def why(status: HostStatus) -> str:
    """Return why a host is silent, without its name, which stands beside."""
    if status.error is None:
        return "not asked yet" if status.condition is HostCondition.PENDING else ""
    return status.error.message.removeprefix(f"{status.name}: ")
