"""What was asked, of whom, and how it ended: written down before it is done.

Each method is one transaction. `open` makes an operation and its reservations
durable, `write` all that follows: intents before anything is sent, so that whoever
finds them after a crash knows what may have been, then outcomes and the end. A
process is reserved by at most one operation in the whole system.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from supervisor_easy.errors import NotFound
from supervisor_easy.model import (
    Operation,
    OperationStatus,
    Outcome,
    OutcomeKind,
    Sighting,
    Target,
)
from supervisor_easy.store import rows, steps, tables
from supervisor_easy.store.owners import Owner, extend, is_gone
from supervisor_easy.store.store import Store
from supervisor_easy.store.tables import operation, step

logger = logging.getLogger(__name__)

#: Operations taken from the history in one transaction.
_PRUNE_BATCH = 50

_IS_RUNNING = operation.c.status == OperationStatus.RUNNING.value


#: `list` is a method below, and would mean that there.
_Operations = list[Operation]


@dataclass(frozen=True, slots=True)
class Opened:
    """An operation as it went into the journal.

    `busy` names the operation that has a target in its hands: such a target must not
    be touched. `is_repeat` says that the idempotency key was seen before and that
    `operation` is the earlier one, whoever works on it.
    """

    operation: Operation
    busy: Mapping[Target, str] = field(default_factory=lambda: MappingProxyType({}))
    is_repeat: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """Where an operation stands: its status, and outcomes by kind with `pending`."""

    status: OperationStatus
    counts: Mapping[str, int]


class Journal:
    """The operations, in the database."""

    def __init__(self, store: Store) -> None:
        """Use this store."""
        self._store = store

    # -- writing

    def open(self, operation: Operation, *, owner: Owner) -> Opened:
        """Write an operation and its reservations; extend the lease.

        Nothing may be sent to a target before `write` has taken its intent, and
        nothing ever to one that is called busy here.

        Raises:
            StaleRequest: the idempotency key was used for something else.
            ActionError: a target appears twice, or has an impossible name.
        """
        steps.refuse_bad_targets(operation.targets)
        with self._store.begin() as connection:
            earlier = steps.find_repeat(connection, operation)
            if earlier is not None:
                return Opened(earlier, is_repeat=True)
            extend(connection, owner, store=self._store)
            busy = steps.find_busy(connection, operation.targets)
            values = rows.operation_values(operation, owner_id=owner.id)
            connection.execute(insert(tables.operation), values)
            steps.write_steps(connection, operation, busy=busy)
        logger.info(
            "operation opened operation=%s action=%s targets=%s busy=%s",
            operation.id,
            operation.action,
            len(operation.targets),
            len(busy),
        )
        return Opened(operation, MappingProxyType(busy))

    def write(
        self,
        intents: Sequence[tuple[str, Mapping[Target, Sighting]]],
        outcomes: Mapping[str, Sequence[Outcome]],
        ends: Sequence[tuple[str, OperationStatus]],
        *,
        owner: Owner,
    ) -> frozenset[str]:
        """Write what several operations have to say, in one transaction.

        `intents` are baselines of targets that are about to be touched. Outcomes go
        into the history and free their targets, ends free whatever is still held.
        The first baseline, outcome and end of each stand, so that trying again after
        an error does no harm.

        Returned are the operations that are not this owner's, mostly because another
        console has taken them over: nothing was written for them, and their targets
        must not be touched.

        Raises:
            NotFound: an outcome of a target that its operation does not have.
        """
        now = self._store.clock.now()
        wanted = {name for name, _ in (*intents, *ends)} | set(outcomes)
        with self._store.begin() as connection:
            heads = steps.owned_heads(connection, wanted, owner_id=owner.id)
            for operation_id, baselines in intents:
                if operation_id in heads and baselines:
                    steps.begin_targets(connection, operation_id, baselines, now=now)
            for operation_id, told in outcomes.items():
                if operation_id in heads:
                    fresh = steps.without_recorded(connection, operation_id, told)
                    if fresh:
                        head = heads[operation_id]
                        steps.write_outcomes(connection, head, fresh, now=now)
            for operation_id, status in ends:
                if operation_id in heads:
                    steps.end_operation(connection, operation_id, status, now=now)
        return frozenset(wanted - heads.keys())

    def held_by(self, owner: Owner) -> _Operations:
        """Return the running operations of an owner, oldest first."""
        with self._store.read() as connection:
            is_theirs = and_(_IS_RUNNING, operation.c.owner_id == owner.id)
            return steps.load(connection, is_theirs, with_logs=True)[::-1]

    def is_held_by(self, operation_id: str, *, owner: Owner) -> bool:
        """Say whether an operation is an owner's, and has not ended."""
        with self._store.read() as connection:
            query = select(operation.c.owner_id).where(
                operation.c.id == operation_id, _IS_RUNNING
            )
            return connection.execute(query).scalar() == owner.id

    def begun(self, operation_id: str) -> dict[Target, Sighting]:
        """Return the targets that may have been touched, with their baselines."""
        with self._store.read() as connection:
            return steps.begun_targets(connection, operation_id)

    def adopt(self, operation_id: str, owner: Owner) -> bool:
        """Take over a running operation that nobody works on; say whether we did.

        Of several adopters, in any number of processes, exactly one hears True.
        """
        with self._store.begin() as connection:
            row = connection.execute(
                select(operation).where(
                    operation.c.id == operation_id,
                    _IS_RUNNING,
                )
            ).first()
            if row is None or not self._is_orphan(connection, row, me=owner):
                return False
            extend(connection, owner, store=self._store)
            taken = connection.execute(
                update(operation)
                .where(
                    operation.c.id == operation_id,
                    operation.c.owner_id == row.owner_id,
                )
                .values(owner_id=owner.id)
            ).rowcount
        logger.info("operation adopted operation=%s from=%s", row.id, row.owner_id)
        return bool(taken)

    def prune(self, now: datetime) -> int:
        """Delete ended operations older than `event_retention`; return how many."""
        oldest = now - self._store.settings.event_retention
        victims = (
            select(operation.c.id)
            .where(
                operation.c.requested_at < oldest,
                operation.c.status != OperationStatus.RUNNING.value,
            )
            .limit(_PRUNE_BATCH)
        )
        total = 0
        while True:
            with self._store.begin() as connection:
                doomed = connection.scalars(victims).all()
                connection.execute(delete(operation).where(operation.c.id.in_(doomed)))
            total += len(doomed)
            if len(doomed) < _PRUNE_BATCH:
                return total

    # -- reading

    def get(self, operation_id: str) -> Operation:
        """Return an operation with all its outcomes.

        Raises:
            NotFound: no such operation.
        """
        with self._store.read() as connection:
            same = operation.c.id == operation_id
            found = steps.load(connection, same, with_logs=True)
        if not found:
            raise NotFound(f"there is no operation {operation_id}")
        return found[0]

    def list(self, limit: int = 50, before: str | None = None) -> list[Operation]:
        """Return the newest operations, or those older than the operation `before`.

        Their outcomes come without the log tails; `get` has them.

        Raises:
            NotFound: there is no operation `before`.
        """
        newest = (
            select(operation.c.id)
            .order_by(operation.c.requested_at.desc(), operation.c.id.desc())
            .limit(limit)
        )
        with self._store.read() as connection:
            if before is not None:
                last = steps.head_of(connection, before)
                newest = newest.where(_is_older(last["requested_at"], last["id"]))
            return steps.load(connection, operation.c.id.in_(newest), with_logs=False)

    def progress(self, operation_id: str) -> Progress:
        """Count an operation's outcomes without loading them.

        Raises:
            NotFound: no such operation.
        """
        counts = {kind.value: 0 for kind in OutcomeKind} | {"pending": 0}
        with self._store.read() as connection:
            head = steps.head_of(connection, operation_id)
            found = connection.execute(
                select(step.c.outcome, func.count())
                .where(step.c.operation_id == operation_id)
                .group_by(step.c.outcome)
            ).all()
        counts |= {kind or "pending": count for kind, count in found}
        return Progress(OperationStatus(head["status"]), MappingProxyType(counts))

    def orphans(self, me: Owner) -> _Operations:
        """Return the running operations that nobody works on any more, oldest first.

        A process of this machine that is gone is seen at once, another one when its
        lease has run out. `adopt` one before touching it.
        """
        with self._store.read() as connection:
            running = connection.execute(select(operation).where(_IS_RUNNING)).all()
            lost = [
                row.id for row in running if self._is_orphan(connection, row, me=me)
            ]
            found = steps.load(connection, operation.c.id.in_(lost), with_logs=True)
        return found[::-1]

    def _is_orphan(
        self, connection: Connection, row: rows.Record, *, me: Owner
    ) -> bool:
        if row.owner_id == me.id:
            return False
        query = select(tables.owner).where(tables.owner.c.id == row.owner_id)
        lease = connection.execute(query).first()
        return is_gone(lease, me=me, now=self._store.clock.now())


def _is_older(requested_at: datetime, operation_id: str) -> ColumnElement[bool]:
    is_same_age = operation.c.requested_at == requested_at
    return or_(
        operation.c.requested_at < requested_at,
        and_(is_same_age, operation.c.id < operation_id),
    )
