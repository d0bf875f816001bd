"""Operations, outcomes and events with sensible defaults, and how to write them."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from supervisor_easy.model import (
    Action,
    Actor,
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
from supervisor_easy.store.journal import Journal
from supervisor_easy.store.owners import Owner
from tests.builders import START

UP = Sighting(4711, ProcessState.RUNNING)
UP_AGAIN = Sighting(4712, ProcessState.RUNNING)


def some_targets(count: int, *, hosts: int = 5) -> tuple[Target, ...]:
    """Return targets spread over hosts."""
    return tuple(
        Target(f"scan{number % hosts:02}", "celery", f"celery_{number:04}")
        for number in range(count)
    )


def an_operation(*targets: Target, **changes: object) -> Operation:
    """Return a restart that mei asked for; any field can be given."""
    wanted = Operation(
        id=secrets.token_hex(16),
        action=Action.RESTART,
        targets=targets or some_targets(2),
        actor=Actor("mei", "web"),
        requested_at=START,
    )
    return replace(wanted, **changes)  # type: ignore[arg-type]


def an_outcome(target: Target, **changes: object) -> Outcome:
    """Return the outcome of a restart that worked; any field can be given."""
    outcome = Outcome(
        target=target,
        kind=OutcomeKind.CHANGED,
        before=UP,
        after=UP_AGAIN,
        duration=timedelta(seconds=1.25),
        log_tail="bye\n",
    )
    return replace(outcome, **changes)  # type: ignore[arg-type]


def an_event(target: Target | None = None, **changes: object) -> Event:
    """Return the event of a process that was seen with a new pid."""
    target = target or some_targets(1)[0]
    event = Event(
        at=START,
        kind=EventKind.PROCESS,
        message="restarted",
        host=target.host,
        group=target.group,
        name=target.name,
        before=UP,
        after=UP_AGAIN,
    )
    return replace(event, **changes)  # type: ignore[arg-type]


def begin(
    journal: Journal, owner: Owner, operation_id: str, before: Mapping[Target, Sighting]
) -> None:
    """Say that targets are about to be touched."""
    assert not journal.write([(operation_id, before)], {}, [], owner=owner)


def record(
    journal: Journal, owner: Owner, operation_id: str, outcomes: Sequence[Outcome]
) -> None:
    """Write outcomes of one operation."""
    assert not journal.write([], {operation_id: outcomes}, [], owner=owner)


def close(
    journal: Journal, owner: Owner, operation_id: str, status: OperationStatus
) -> None:
    """End one operation."""
    assert not journal.write([], {}, [(operation_id, status)], owner=owner)
