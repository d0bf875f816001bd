"""Values to columns and back: operations, outcomes, sightings, events; no queries."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from sqlalchemy import Row

from supervisor_easy.model import (
    Action,
    Actor,
    ErrorInfo,
    Event,
    EventKind,
    Operation,
    OperationStatus,
    Outcome,
    OutcomeKind,
    ProcessState,
    Sighting,
    Target,
)

Values = dict[str, Any]
#: A row of whatever columns.
Record: TypeAlias = "Row[*tuple[Any, ...]]"


def target_of(row: Record) -> Target:
    """Return the target of a row with `host`, `grp` and `name`."""
    return Target(row.host, row.grp, row.name)


def sighting_of(row: Record, when: str) -> Sighting | None:
    """Return the sighting `before` or `after`, None where there was none."""
    pid, state = getattr(row, f"{when}_pid"), getattr(row, f"{when}_state")
    return None if pid is None else Sighting(pid, ProcessState(state))


def sighting_values(when: str, sighting: Sighting | None) -> Values:
    """Return the two columns of a sighting."""
    pid, state = (sighting.pid, int(sighting.state)) if sighting else (None, None)
    return {f"{when}_pid": pid, f"{when}_state": state}


def operation_values(operation: Operation, *, owner_id: str) -> Values:
    """Return the row of an operation that begins."""
    return {
        "id": operation.id,
        "action": operation.action.value,
        "signal": operation.signal,
        "reason": operation.reason,
        "actor_name": operation.actor.name,
        "actor_via": operation.actor.via,
        "requested_at": operation.requested_at,
        "status": operation.status.value,
        "finished_at": operation.finished_at,
        "idempotency_key": operation.idempotency_key,
        "scope": operation.scope,
        "owner_id": owner_id,
    }


def operation_of(row: Record, steps: Sequence[Record]) -> Operation:
    """Return the operation of a row and its steps in order of position."""
    return Operation(
        id=row.id,
        action=Action(row.action),
        targets=tuple(target_of(step) for step in steps),
        actor=Actor(row.actor_name, row.actor_via),
        requested_at=row.requested_at,
        status=OperationStatus(row.status),
        signal=row.signal,
        reason=row.reason,
        outcomes=tuple(outcome_of(step) for step in steps if step.outcome is not None),
        finished_at=row.finished_at,
        idempotency_key=row.idempotency_key,
        scope=row.scope,
    )


def step_values(target: Target, *, position: int, operation_id: str) -> Values:
    """Return the row of a step that has not begun."""
    return {
        "operation_id": operation_id,
        "position": position,
        "host": target.host,
        "grp": target.group,
        "name": target.name,
        "log_tail": "",
    }


def intent_values(before: Sighting, *, intent_at: datetime) -> Values:
    """Return the columns of a step whose target is about to be touched."""
    return {**sighting_values("before", before), "intent_at": intent_at}


def outcome_values(outcome: Outcome, *, done_at: datetime) -> Values:
    """Return the columns of a step that an outcome fills."""
    error = outcome.error
    return {
        **sighting_values("before", outcome.before),
        **sighting_values("after", outcome.after),
        "outcome": outcome.kind.value,
        "error_code": error.code if error else None,
        "error_message": error.message if error else None,
        "duration_s": outcome.duration.total_seconds(),
        "log_tail": outcome.log_tail,
        "done_at": done_at,
    }


def outcome_of(row: Record) -> Outcome:
    """Return the outcome of a step's row."""
    has_error = row.error_code is not None
    return Outcome(
        target=target_of(row),
        kind=OutcomeKind(row.outcome),
        error=ErrorInfo(row.error_code, row.error_message) if has_error else None,
        before=sighting_of(row, "before"),
        after=sighting_of(row, "after"),
        duration=timedelta(seconds=row.duration_s or 0.0),
        log_tail=row.log_tail,
    )


def event_values(event: Event) -> Values:
    """Return the row of an event, without an id."""
    return {
        "at": event.at,
        "kind": event.kind.value,
        "message": event.message,
        "host": event.host,
        "grp": event.group,
        "name": event.name,
        **sighting_values("before", event.before),
        **sighting_values("after", event.after),
        "outcome": event.outcome.value if event.outcome else None,
        "cause": event.cause,
        "operation_id": event.operation_id,
        "log_tail": event.log_tail,
    }


def event_of(row: Record) -> Event:
    """Return the event of a row."""
    return Event(
        at=row.at,
        kind=EventKind(row.kind),
        message=row.message,
        host=row.host,
        group=row.grp,
        name=row.name,
        before=sighting_of(row, "before"),
        after=sighting_of(row, "after"),
        outcome=OutcomeKind(row.outcome) if row.outcome else None,
        cause=row.cause,
        operation_id=row.operation_id,
        log_tail=row.log_tail,
        id=row.id,
    )


def cause_of(actor_name: str, actor_via: str, action: str) -> str:
    """Say who did something through what: `mei via web: restart`."""
    return f"{who(Actor(actor_name, actor_via))}: {action}"


def who(actor: Actor) -> str:
    """Name somebody and the means: `mei via web`."""
    return f"{actor.name} via {actor.via}"


def action_event(
    operation: Mapping[str, Any], outcome: Outcome, *, at: datetime
) -> Values:
    """Return the row of the event that tells an outcome."""
    action = str(operation["action"])
    message = f"{action}: {outcome.kind.value}"
    if outcome.error:
        message += f": {outcome.error.message}"
    target = outcome.target
    return event_values(
        Event(
            at=at,
            kind=EventKind.ACTION,
            message=message,
            host=target.host,
            group=target.group,
            name=target.name,
            before=outcome.before,
            after=outcome.after,
            outcome=outcome.kind,
            cause=cause_of(operation["actor_name"], operation["actor_via"], action),
            operation_id=operation["id"],
            log_tail=outcome.log_tail,
        )
    )
