"""The history: what happened, and who or what did it.

A change of a process is ours when an operation had begun with that process and had no
outcome yet; everything else is `external` (supervisord itself, a person on the host).
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import reduce
from operator import add, attrgetter
from typing import Any, TypeAlias

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Text,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    type_coerce,
)

from supervisor_easy.model import Event, EventKind, Target
from supervisor_easy.store import rows
from supervisor_easy.store.rows import Record
from supervisor_easy.store.steps import among_hosts
from supervisor_easy.store.store import Store
from supervisor_easy.store.tables import event, operation, step

#: What nobody of ours did.
EXTERNAL = "external"
#: The host may be seen changing a moment before our clock says that we asked …
_BEFORE_INTENT = timedelta(seconds=1)
#: … and is seen by the next poll only, after the action has ended.
_AFTER_DONE = timedelta(seconds=5)
#: Events deleted in one transaction; others write in between.
_PRUNE_BATCH = 5_000
#: Most events one query returns.
_MOST_ROWS = 10_000
#: Targets named in one query; SQLite allows 32,766 values.
_MOST_TARGETS = 2_000
#: Stands between the parts of a key; no name of a process can hold it.
_BETWEEN = "\x1f"

_Query: TypeAlias = "Select[*tuple[Any, ...]]"


class Events:
    """The history, in the database."""

    def __init__(self, store: Store) -> None:
        """Use this store."""
        self._store = store

    def append(self, events: Sequence[Event]) -> int:
        """Write events, in their order, and return the id of the last one.

        Process events that tell no cause are given one. The same number of queries
        is made for one event as for a thousand.
        """
        if not events:
            return 0
        with self._store.begin() as connection:
            values = [
                rows.event_values(each) for each in _attribute(connection, events)
            ]
            connection.execute(insert(event), values)
            return connection.scalar(select(func.max(event.c.id))) or 0

    def query(  # noqa: PLR0913 - each is one condition, all are optional and named
        self,
        *,
        hosts: Collection[str] | None = None,
        targets: Collection[Target] | None = None,
        kinds: Collection[EventKind] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        after_id: int | None = None,
        before_id: int | None = None,
        limit: int = 500,
    ) -> list[Event]:
        """Return events that fulfil every condition given, newest first.

        With `after_id` they come oldest first, from the one after it: ask again with
        the last id and nothing is missed. `since` is inclusive, `until` is not. None
        means "no such condition", an empty collection "none of them".
        """
        names = None if kinds is None else [kind.value for kind in kinds]
        column = event.c
        conditions = (
            None if hosts is None else column.host.in_(hosts),
            None if names is None else column.kind.in_(names),
            None if since is None else column.at >= since,
            None if until is None else column.at < until,
            None if after_id is None else column.id > after_id,
            None if before_id is None else column.id < before_id,
        )
        wanted = select(event).where(*(each for each in conditions if each is not None))
        limit = max(0, min(limit, _MOST_ROWS))
        parts = [wanted]
        if targets is not None:
            parts = [wanted.where(_is_one_of(part)) for part in _batches(targets)]
        return self._fetch(parts, limit=limit, is_forward=after_id is not None)

    def counts_since(self, since: datetime) -> dict[EventKind, int]:
        """Count the events of each kind since then; every kind is named."""
        found = (
            select(event.c.kind, func.count())
            .where(event.c.at >= since)
            .group_by(event.c.kind)
        )
        with self._store.read() as connection:
            counts = {EventKind(kind): n for kind, n in connection.execute(found)}
        return {kind: counts.get(kind, 0) for kind in EventKind}

    def changes_since(self, since: datetime, limit: int = 100) -> Counter[Target]:
        """Count each process's changes since then, for those that changed most."""
        key = (event.c.host, event.c.grp, event.c.name)
        is_change = event.c.kind == EventKind.PROCESS.value
        found = (
            select(*key, func.count().label("changes"))
            .where(event.c.at >= since, is_change)
            .group_by(*key)
            .order_by(func.count().desc(), *key)
            .limit(limit)
        )
        with self._store.read() as connection:
            done = connection.execute(found).all()
        return Counter({rows.target_of(row): row.changes for row in done})

    def prune(self, now: datetime) -> int:
        """Delete what is older than `event_retention` or beyond `event_rows`.

        It goes in batches, each a transaction, so nobody waits long; returns how
        many events went.
        """
        settings = self._store.settings
        deleted = self._delete(event.c.at < now - settings.event_retention)
        newest = select(event.c.id).order_by(event.c.id.desc())
        with self._store.read() as connection:
            cut = connection.scalar(newest.offset(settings.event_rows).limit(1))
        return deleted + (0 if cut is None else self._delete(event.c.id <= cut))

    def _fetch(
        self, wanted: Sequence[_Query], *, limit: int, is_forward: bool
    ) -> list[Event]:
        order = event.c.id if is_forward else event.c.id.desc()
        with self._store.read() as connection:
            found = [
                rows.event_of(row)
                for query in wanted
                for row in connection.execute(query.order_by(order).limit(limit))
            ]
        found.sort(key=attrgetter("id"), reverse=not is_forward)
        return found[:limit]

    def _delete(self, condition: ColumnElement[bool]) -> int:
        batch = select(event.c.id).where(condition).limit(_PRUNE_BATCH)
        total = 0
        while True:
            with self._store.begin() as connection:
                done = connection.execute(delete(event).where(event.c.id.in_(batch)))
            total += done.rowcount
            if done.rowcount < _PRUNE_BATCH:
                return total


def _is_one_of(targets: Sequence[Target]) -> ColumnElement[bool]:
    # An index serves the first two. The exact third is one text, because PostgreSQL
    # looks a text up in a long list by hash, but compares a row with each in turn.
    parts = (event.c.host, _BETWEEN, event.c.grp, _BETWEEN, event.c.name)
    keys = [_BETWEEN.join((each.host, each.group, each.name)) for each in targets]
    return and_(
        event.c.host.in_({each.host for each in targets}),
        event.c.name.in_({each.name for each in targets}),
        type_coerce(reduce(add, parts), Text).in_(keys),
    )


def _attribute(connection: Connection, events: Sequence[Event]) -> list[Event]:
    causeless = [each for each in events if _wants_cause(each)]
    if not causeless:
        return list(events)
    active: dict[Target, list[Record]] = defaultdict(list)
    for row in connection.execute(_active_around(causeless)):
        active[rows.target_of(row)].append(row)
    return [
        _with_cause(each, active) if _wants_cause(each) else each for each in events
    ]


def _wants_cause(each: Event) -> bool:
    return each.kind is EventKind.PROCESS and not each.cause


def _active_around(events: Sequence[Event]) -> _Query:
    moments = [each.at for each in events]
    targets = [_target_of(each) for each in events]
    actor = (operation.c.action, operation.c.actor_name, operation.c.actor_via)
    key = (step.c.host, step.c.grp, step.c.name, step.c.operation_id)
    return (
        select(*key, step.c.intent_at, step.c.done_at, *actor)
        .join(operation, operation.c.id == step.c.operation_id)
        .where(
            among_hosts(step.c.host, targets),
            # Null, and so not here, while the step only waits for its turn.
            step.c.intent_at <= max(moments) + _BEFORE_INTENT,
            or_(
                step.c.done_at.is_(None),
                step.c.done_at >= min(moments) - _AFTER_DONE,
            ),
        )
        .order_by(step.c.intent_at)
    )


def _with_cause(each: Event, active: Mapping[Target, Sequence[Record]]) -> Event:
    for row in reversed(active.get(_target_of(each), ())):
        is_over = row.done_at is not None and each.at > row.done_at + _AFTER_DONE
        if row.intent_at - _BEFORE_INTENT <= each.at and not is_over:
            cause = rows.cause_of(row.actor_name, row.actor_via, row.action)
            return replace(each, cause=cause, operation_id=row.operation_id)
    return replace(each, cause=EXTERNAL)


def _target_of(each: Event) -> Target:
    return Target(each.host, each.group, each.name)


def _batches(targets: Collection[Target]) -> list[list[Target]]:
    every = list(targets)
    starts = range(0, len(every), _MOST_TARGETS)
    return [every[start : start + _MOST_TARGETS] for start in starts]
