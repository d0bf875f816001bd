"""The journal's queries, each in the caller's transaction; `journal` has the rules."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    delete,
    func,
    insert,
    literal,
    select,
    true,
    update,
)

from supervisor_easy.errors import ActionError, NotFound, StaleRequest
from supervisor_easy.model import (
    Operation,
    OperationStatus,
    Outcome,
    Sighting,
    Target,
)
from supervisor_easy.store import rows
from supervisor_easy.store.tables import NAME_LIMIT, event, operation, reservation, step

#: Hosts named in one query; beyond it the rest of the condition has to do.
_MOST_HOSTS = 500


def refuse_bad_targets(targets: Sequence[Target]) -> None:
    """See that each target can be one row.

    Raises:
        ActionError: one appears twice, or has a name longer than a key may be.
    """
    if len(set(targets)) != len(targets):
        raise ActionError("a target appears twice in one operation")
    for target in targets:
        if max(map(len, (target.host, target.group, target.name))) > NAME_LIMIT:
            raise ActionError(
                f"{str(target)[:80]}… has a name longer than {NAME_LIMIT} characters"
            )


def head_of(connection: Connection, operation_id: str) -> Mapping[str, Any]:
    """Return the operation's own row.

    Raises:
        NotFound: no such operation.
    """
    query = select(operation).where(operation.c.id == operation_id)
    row = connection.execute(query).mappings().first()
    if row is None:
        raise NotFound(f"there is no operation {operation_id}")
    return {str(name): value for name, value in row.items()}


def load(
    connection: Connection,
    condition: ColumnElement[bool],
    *,
    with_logs: bool,
) -> list[Operation]:
    """Return the operations that fulfil a condition, newest first."""
    newest = (operation.c.requested_at.desc(), operation.c.id.desc())
    heads = connection.execute(
        select(operation).where(condition).order_by(*newest)
    ).all()
    columns = [each for each in step.c if each is not step.c.log_tail]
    log = step.c.log_tail if with_logs else literal("").label("log_tail")
    steps: dict[str, list[rows.Record]] = {head.id: [] for head in heads}
    found = select(*columns, log).where(step.c.operation_id.in_(steps))
    for row in connection.execute(found.order_by(step.c.position)):
        steps[row.operation_id].append(row)
    return [rows.operation_of(head, steps[head.id]) for head in heads]


def find_repeat(connection: Connection, wanted: Operation) -> Operation | None:
    """Return the earlier operation of the same actor with the same key, or None.

    Raises:
        StaleRequest: the key stands for something else.
    """
    if wanted.idempotency_key is None:
        return None
    same_key = and_(
        operation.c.actor_name == wanted.actor.name,
        operation.c.actor_via == wanted.actor.via,
        operation.c.idempotency_key == wanted.idempotency_key,
    )
    found = load(connection, same_key, with_logs=True)
    if not found:
        return None
    earlier = found[0]
    is_same = (earlier.action, earlier.signal) == (wanted.action, wanted.signal)
    if not is_same or set(earlier.targets) != set(wanted.targets):
        raise StaleRequest(
            f"this Idempotency-Key was used for operation {earlier.id}, which did "
            "something else; use a new key"
        )
    return earlier


def find_busy(connection: Connection, targets: Sequence[Target]) -> dict[Target, str]:
    """Return the targets that are reserved, and by which operation."""
    on_hosts = among_hosts(reservation.c.host, targets)
    found = connection.execute(select(reservation).where(on_hosts))
    held = {rows.target_of(row): row.operation_id for row in found}
    return {target: held[target] for target in targets if target in held}


def write_steps(
    connection: Connection, wanted: Operation, *, busy: Collection[Target]
) -> None:
    """Insert a step for each target and a reservation for those that are not busy."""
    steps = [
        rows.step_values(target, position=position, operation_id=wanted.id)
        for position, target in enumerate(wanted.targets)
    ]
    if steps:
        connection.execute(insert(step), steps)
    free = [each for each in wanted.targets if each not in busy]
    if free:
        reserved = [_key(target) | {"operation_id": wanted.id} for target in free]
        connection.execute(insert(reservation), reserved)


def without_recorded(
    connection: Connection, operation_id: str, outcomes: Sequence[Outcome]
) -> list[Outcome]:
    """Return the outcomes of targets that have none yet, one a target.

    Raises:
        NotFound: a target that the operation does not have.
    """
    hosts = among_hosts(step.c.host, [outcome.target for outcome in outcomes])
    found = connection.execute(
        select(step.c.host, step.c.grp, step.c.name, step.c.outcome).where(
            step.c.operation_id == operation_id, hosts
        )
    )
    is_open = {rows.target_of(row): row.outcome is None for row in found}
    fresh: dict[Target, Outcome] = {}
    for outcome in outcomes:
        if outcome.target not in is_open:
            raise NotFound(f"operation {operation_id} has no target {outcome.target}")
        if is_open[outcome.target]:
            fresh.setdefault(outcome.target, outcome)
    return list(fresh.values())


def write_outcomes(
    connection: Connection,
    operation_row: Mapping[str, Any],
    outcomes: Sequence[Outcome],
    *,
    now: datetime,
) -> None:
    """Fill the steps, free the targets and tell the history."""
    keys = [_bound(outcome.target, operation_row["id"]) for outcome in outcomes]
    values = [rows.outcome_values(outcome, done_at=now) for outcome in outcomes]
    columns: dict[str, Any] = {name: bindparam(f"new_{name}") for name in values[0]}
    for name in ("before_pid", "before_state"):
        # What the intent saw is better than nothing.
        columns[name] = func.coalesce(columns[name], step.c[name])
    filled = [
        key | {f"new_{name}": value for name, value in each.items()}
        for key, each in zip(keys, values, strict=True)
    ]
    connection.execute(update(step).where(_is_key_of(step)).values(columns), filled)
    connection.execute(delete(reservation).where(_is_key_of(reservation)), keys)
    told = [rows.action_event(operation_row, each, at=now) for each in outcomes]
    connection.execute(insert(event), told)


def owned_heads(
    connection: Connection, operation_ids: Iterable[str], *, owner_id: str
) -> dict[str, Mapping[str, Any]]:
    """Return the rows of those operations that this owner holds."""
    found = connection.execute(
        select(operation).where(
            operation.c.id.in_(set(operation_ids)), operation.c.owner_id == owner_id
        )
    ).mappings()
    return {row["id"]: {str(k): v for k, v in row.items()} for row in found}


def begin_targets(
    connection: Connection,
    operation_id: str,
    baselines: Mapping[Target, Sighting],
    *,
    now: datetime,
) -> None:
    """Mark targets as about to be touched, with what they are like before.

    The first baseline of a target stands: a later look may see our own doing.
    """
    columns = ("before_pid", "before_state", "intent_at")
    values = [
        _bound(target, operation_id)
        | {
            f"new_{name}": value
            for name, value in rows.intent_values(seen, intent_at=now).items()
        }
        for target, seen in baselines.items()
    ]
    connection.execute(
        update(step)
        .where(_is_key_of(step), step.c.intent_at.is_(None))
        .values({name: bindparam(f"new_{name}") for name in columns}),
        values,
    )


def begun_targets(connection: Connection, operation_id: str) -> dict[Target, Sighting]:
    """Return the targets that may have been touched, with their baselines."""
    found = connection.execute(
        select(step).where(
            step.c.operation_id == operation_id, step.c.intent_at.is_not(None)
        )
    )
    seen = {rows.target_of(row): rows.sighting_of(row, "before") for row in found}
    return {target: before for target, before in seen.items() if before is not None}


def end_operation(
    connection: Connection, operation_id: str, status: OperationStatus, *, now: datetime
) -> None:
    """Mark the end, once, and free whatever is still held."""
    connection.execute(
        update(operation)
        .where(
            operation.c.id == operation_id,
            operation.c.status == OperationStatus.RUNNING.value,
        )
        .values(status=status.value, finished_at=now)
    )
    connection.execute(
        update(step)
        .where(step.c.operation_id == operation_id, step.c.done_at.is_(None))
        .values(done_at=now)
    )
    connection.execute(
        delete(reservation).where(reservation.c.operation_id == operation_id)
    )


def among_hosts(
    column: ColumnElement[str], targets: Iterable[Target]
) -> ColumnElement[bool]:
    """Narrow a query to the targets' hosts, unless they are too many to name."""
    hosts = {target.host for target in targets}
    return column.in_(hosts) if len(hosts) <= _MOST_HOSTS else true()


def _key(target: Target) -> dict[str, str]:
    return {"host": target.host, "grp": target.group, "name": target.name}


def _bound(target: Target, operation_id: str) -> dict[str, str]:
    key = _key(target) | {"operation_id": operation_id}
    return {f"at_{name}": value for name, value in key.items()}


def _is_key_of(table: Any) -> ColumnElement[bool]:
    names = ("operation_id", "host", "grp", "name")
    return and_(*(table.c[name] == bindparam(f"at_{name}") for name in names))
