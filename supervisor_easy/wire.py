"""The JSON that programs see: the same from the API and from `fleet -o json`.

Names and shapes here are a promise to users (docs/api.md); each `…_to_dict` has a
`…_from_dict` where the CLI reads it back from a console.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from supervisor_easy.model import (
    Action,
    Actor,
    ErrorInfo,
    Event,
    EventKind,
    HostStatus,
    Operation,
    OperationStatus,
    Outcome,
    OutcomeKind,
    Process,
    ProcessState,
    Sighting,
    Target,
)

Json = dict[str, Any]


def process_to_dict(process: Process, status: HostStatus) -> Json:
    """Return one process; times are told by the console's clock."""
    uptime = process.uptime
    return {
        "host": process.host,
        "group": process.group,
        "name": process.name,
        "state": process.state.name,
        "pid": process.pid,
        "uptime_s": int(uptime.total_seconds()) if uptime is not None else None,
        "started_at": _time(_started_at(process, status)),
        "exit_status": process.exit_status,
        "spawn_error": process.spawn_error,
        "memory_bytes": None,
        "stale": status.is_stale,
        "observed_at": _time(status.observed_at),
    }


def host_to_dict(status: HostStatus) -> Json:
    """Return one host: reachable or why not, and counts of its processes by state."""
    last = status.last
    skew = last.clock_skew if last else None
    return {
        "name": status.name,
        "url": status.host.display_url,
        "labels": dict(status.host.labels),
        "condition": status.condition.value,
        "since": _time(status.since),
        "error": _error(status.error),
        "latency_s": round(last.latency.total_seconds(), 4) if last else None,
        "clock_skew_s": round(skew.total_seconds(), 1) if skew is not None else None,
        "supervisor_version": last.supervisor_version if last else None,
        "identification": last.identification if last else None,
        "observed_at": _time(status.observed_at),
        "next_poll_at": _time(status.next_poll_at),
        "stale": status.is_stale,
        "counts": counts_by_state(status.processes),
    }


def counts_by_state(processes: Iterable[Process]) -> dict[str, int]:
    """Count processes by the name of their state; states with none are left out."""
    counted = Counter(process.state for process in processes)
    return {state.name: counted[state] for state in ProcessState if counted[state]}


def sighting_to_dict(sighting: Sighting | None) -> Json | None:
    """Return pid and state, or None."""
    if sighting is None:
        return None
    return {"pid": sighting.pid, "state": sighting.state.name}


def outcome_to_dict(outcome: Outcome) -> Json:
    """Return what an action did to one target."""
    return {
        "host": outcome.target.host,
        "process": outcome.target.namespec if outcome.target.group else "",
        "outcome": outcome.kind.value,
        "error": _error(outcome.error),
        "before": sighting_to_dict(outcome.before),
        "after": sighting_to_dict(outcome.after),
        "duration_s": round(outcome.duration.total_seconds(), 3),
        "log_tail": outcome.log_tail,
    }


def operation_to_dict(operation: Operation) -> Json:
    """Return an operation with all its outcomes and a summary."""
    done = {outcome.target for outcome in operation.outcomes}
    return {
        "id": operation.id,
        "action": operation.action.value,
        "signal": operation.signal,
        "status": operation.status.value,
        "actor": operation.actor.name,
        "via": operation.actor.via,
        "reason": operation.reason,
        "requested_at": _time(operation.requested_at),
        "finished_at": _time(operation.finished_at),
        "outcomes": [outcome_to_dict(outcome) for outcome in operation.outcomes],
        "pending": [str(t) for t in operation.targets if t not in done],
        "summary": operation.summary(),
    }


def event_to_dict(event: Event) -> Json:
    """Return one thing that happened."""
    return {
        "id": event.id,
        "at": _time(event.at),
        "kind": event.kind.value,
        "host": event.host,
        "group": event.group,
        "name": event.name,
        "message": event.message,
        "before": sighting_to_dict(event.before),
        "after": sighting_to_dict(event.after),
        "outcome": event.outcome.value if event.outcome else None,
        "cause": event.cause,
        "operation_id": event.operation_id,
        "log_tail": event.log_tail,
    }


# -- the way back, for the CLI that acts through a console


def operation_from_dict(data: Mapping[str, Any]) -> Operation:
    """Read what `operation_to_dict` wrote."""
    outcomes = tuple(outcome_from_dict(each) for each in data["outcomes"])
    pending = tuple(target_from_text(text) for text in data["pending"])
    return Operation(
        id=data["id"],
        action=Action(data["action"]),
        targets=(*(outcome.target for outcome in outcomes), *pending),
        actor=Actor(data["actor"], data["via"]),
        requested_at=datetime.fromisoformat(data["requested_at"]),
        status=OperationStatus(data["status"]),
        signal=data["signal"],
        reason=data["reason"],
        outcomes=outcomes,
        finished_at=_read_time(data["finished_at"]),
    )


def outcome_from_dict(data: Mapping[str, Any]) -> Outcome:
    """Read what `outcome_to_dict` wrote."""
    error = data["error"]
    name = f"{data['host']}/{data['process']}" if data["process"] else data["host"]
    return Outcome(
        target_from_text(name),
        OutcomeKind(data["outcome"]),
        error=ErrorInfo(error["code"], error["message"]) if error else None,
        before=sighting_from_dict(data["before"]),
        after=sighting_from_dict(data["after"]),
        duration=timedelta(seconds=data["duration_s"]),
        log_tail=data["log_tail"],
    )


def event_from_dict(data: Mapping[str, Any]) -> Event:
    """Read what `event_to_dict` wrote."""
    return Event(
        at=datetime.fromisoformat(data["at"]),
        kind=EventKind(data["kind"]),
        message=data["message"],
        host=data["host"],
        group=data["group"],
        name=data["name"],
        before=sighting_from_dict(data["before"]),
        after=sighting_from_dict(data["after"]),
        outcome=OutcomeKind(data["outcome"]) if data["outcome"] else None,
        cause=data["cause"],
        operation_id=data["operation_id"],
        log_tail=data["log_tail"],
        id=data["id"],
    )


def sighting_from_dict(data: Mapping[str, Any] | None) -> Sighting | None:
    """Read what `sighting_to_dict` wrote."""
    return Sighting(data["pid"], ProcessState[data["state"]]) if data else None


def target_from_text(text: str) -> Target:
    """Read `host/group:name`, or `host` alone, as `str(target)` writes it."""
    host, _, namespec = text.partition("/")
    group, _, name = namespec.partition(":")
    return Target(host, group, name)


def _started_at(process: Process, status: HostStatus) -> datetime | None:
    uptime = process.uptime
    if uptime is None or status.observed_at is None:
        return None
    return status.observed_at - uptime


def _error(error: ErrorInfo | None) -> Json | None:
    return {"code": error.code, "message": error.message} if error else None


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="milliseconds") if moment else None


def _read_time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
